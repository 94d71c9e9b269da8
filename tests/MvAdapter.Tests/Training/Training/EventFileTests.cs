using System.Buffers.Binary;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Files;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

public sealed class EventFileTests
{
    [Fact]
    public void Checksums_agree_with_rfc_3720()
    {
        Assert.Equal(0xe3069283u, Crc32C.Of("123456789"u8));
        Assert.Equal(0x8a9136aau, Crc32C.Of(new byte[32]));
        Assert.Equal(0x62a8ab43u, Crc32C.Of(Enumerable.Repeat((byte)0xff, 32).ToArray()));
        Assert.Equal(0x46dd794eu, Crc32C.Of(Enumerable.Range(0, 32).Select(i => (byte)i).ToArray()));
    }

    [Fact]
    public void Bytes_are_those_of_tensorboard()
    {
        using var folder = new TemporaryFolder();
        using (var writer = new EventFileWriter(folder.Path, clock: new FixedClock(1_700_000_000.5)))
            writer.Scalar("loss", 0.5, 3);

        var bytes = File.ReadAllBytes(Directory.GetFiles(folder.Path).Single());
        byte[] first =
        [
            0x09, .. BitConverter.GetBytes(1_700_000_000.5), // wall_time
            0x1a, 13, .. "brain.Event:2"u8, // file_version
        ];
        byte[] second =
        [
            0x09, .. BitConverter.GetBytes(1_700_000_000.5),
            0x10, 3, // step
            0x2a, 13, // summary
            0x0a, 11, // value
            0x0a, 4, .. "loss"u8, // tag
            0x15, .. BitConverter.GetBytes(0.5f), // simple_value
        ];
        Assert.Equal(first, bytes[12..(12 + first.Length)]);
        Assert.Equal((ulong)first.Length, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        // The checksum of the length 24, as every event file of TensorBoard starts.
        Assert.Equal([0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22], bytes[..12]);
        Assert.Equal(second, bytes[(first.Length + 16 + 12)..^4]);
    }

    [Fact]
    public void The_name_says_when_where_and_who()
    {
        using var folder = new TemporaryFolder();
        var clock = new FixedClock(1_700_000_000.5);
        using var one = new EventFileWriter(folder.Path, clock: clock);
        using var two = new EventFileWriter(folder.Path, clock: clock);
        var name = $"events.out.tfevents.1700000000.{Environment.MachineName}.{Environment.ProcessId}";
        Assert.Equal(folder.File(name), one.FilePath);
        Assert.Equal(folder.File(name + ".1"), two.FilePath);
    }

    [Fact]
    public void What_is_written_is_read() =>
        Prop.ForAll(
            (from tag in ArbMap.Default.GeneratorFor<NonNull<string>>()
             from value in ArbMap.Default.GeneratorFor<float>()
             from step in ArbMap.Default.GeneratorFor<long>()
             // A lone surrogate has no UTF-8.
             select (Tag: Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(tag.Get)), value, step)).ListOf().ToArbitrary(),
            scalars =>
            {
                using var folder = new TemporaryFolder();
                using var writer = new EventFileWriter(folder.Path, clock: new FixedClock(12.25));
                foreach (var (tag, value, step) in scalars) writer.Scalar(tag, value, step);
                // Read while the writer is open: nothing waits in a buffer.
                Assert.Equal(
                    scalars.Select(s => new ScalarEvent(s.Tag, s.step, s.value, 12.25)), EventFileReader.Read(writer.FilePath));
            }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_resumed_run_replaces_the_steps_it_repeats()
    {
        using var folder = new TemporaryFolder();
        using (var first = new EventFileWriter(folder.Path, clock: new FixedClock(999)))
            for (var step = 0; step < 5; step++) first.Scalar("loss", step, step);
        using (var second = new EventFileWriter(folder.Path, resumeStep: 3, new FixedClock(1000)))
        {
            second.Scalar("loss", 30, 3);
            second.Flush();
        }
        Assert.Equal(
            [(0, 0f), (1, 1f), (2, 2f), (3, 30f)],
            EventFileReader.ReadFolder(folder.Path).Select(scalar => (scalar.Step, scalar.Value)));
    }

    [Fact]
    public void A_torn_end_is_left_out_and_damage_is_named()
    {
        using var folder = new TemporaryFolder();
        string path;
        using (var writer = new EventFileWriter(folder.Path))
        {
            writer.Scalar("loss", 1, 0);
            writer.Scalar("loss", 2, 1);
            path = writer.FilePath;
        }
        var whole = File.ReadAllBytes(path);
        for (var length = 0; length < whole.Length; length++)
            Assert.InRange(EventFileReader.Read(folder.Write("torn", whole[..length])).Count, 0, 1);

        for (var position = 0; position < whole.Length; position++)
        {
            byte[] damaged = [.. whole];
            damaged[position] ^= 0x10;
            var file = folder.Write("damaged", damaged);
            var error = Assert.Throws<InvalidFileException>(() => EventFileReader.Read(file));
            Assert.Contains("checksum", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Records_of_another_kind_are_refused_in_one_line()
    {
        using var folder = new TemporaryFolder();
        var file = folder.Write("other", TfRecord.Frame([0x2a, 0xff, 0xff, 0xff, 0xff, 0x07]));
        Assert.Contains("no TensorBoard event", Assert.Throws<InvalidFileException>(() => EventFileReader.Read(file)).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidFileException>(() => EventFileReader.Read(folder.File("absent")));
        Assert.Throws<InvalidFileException>(() => EventFileReader.ReadFolder(folder.File("absent")));
        Assert.Throws<InvalidFileException>(() => new EventFileWriter(file));
    }

    [Fact]
    public void Summaries_of_other_kinds_are_passed_over()
    {
        using var folder = new TemporaryFolder();
        // An image: value { tag: "x" image { height: 1 } }.
        var file = folder.Write("image", TfRecord.Frame([0x2a, 9, 0x0a, 7, 0x0a, 1, (byte)'x', 0x22, 2, 0x08, 1]));
        Assert.Empty(EventFileReader.Read(file));
    }

    private sealed class FixedClock(double seconds) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.UnixEpoch.AddSeconds(seconds);
    }
}
