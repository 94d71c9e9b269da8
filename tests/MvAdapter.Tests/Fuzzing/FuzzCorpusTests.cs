using MvAdapter.Fuzz;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Fuzzing;

/// <summary>What fuzzing began with and what it found: each input is read, or refused in one line, in bounded time and memory.</summary>
public sealed class FuzzCorpusTests
{
    private const long MostBytes = 1L << 30;
    private static readonly string Corpus = Path.Combine(Fixtures.Repository, "tests/fixtures/fuzz");

    /// <summary>The targets.</summary>
    public static TheoryData<string> Targets => [.. FuzzTargets.All.Keys];

    [Theory]
    [MemberData(nameof(Targets))]
    public void Inputs_are_read_or_refused(string target)
    {
        var files = Directory.GetFiles(Path.Combine(Corpus, target));
        Assert.NotEmpty(files);
        foreach (var file in files)
        {
            var bytes = File.ReadAllBytes(file);
            Tries(bytes, Path.GetFileName(file));
            // And what is near: cut off, and with a byte changed.
            var random = new Random(bytes.Length);
            for (var i = 0; i < 50 && bytes.Length > 0; i++)
            {
                Tries(bytes[..random.Next(bytes.Length)], $"{Path.GetFileName(file)}, cut");
                var changed = bytes.ToArray();
                changed[random.Next(changed.Length)] = (byte)random.Next(256);
                Tries(changed, $"{Path.GetFileName(file)}, changed");
            }
        }

        void Tries(byte[] bytes, string what)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var fault = Record.Exception(() => FuzzTargets.Run(target, bytes));
            Assert.True(fault is null, $"{target}, {what}: {fault}");
            Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < MostBytes, $"{target}, {what}: it took more than {MostBytes} bytes");
        }
    }

    [Fact]
    public void Every_folder_of_inputs_has_its_target() =>
        Assert.Equal(FuzzTargets.All.Keys.Order(), Directory.GetDirectories(Corpus).Select(Path.GetFileName).Order());
}
