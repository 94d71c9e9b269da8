using System.Collections.Concurrent;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

/// <summary>Whatever happens to the files, a clip is read right or not at all, and preparing again mends the cache.</summary>
public sealed class FrameCacheDamageTests : IClassFixture<FrameCacheVideos>, IDisposable
{
    private const int Size = 8;
    private const string Index = "frames.index";
    private const string FirstShard = "frames-00000.shard";
    private const string SecondShard = "frames-00001.shard";
    private static readonly FrameSampling Sampling = new() { MaxFrames = 3 };
    private readonly TemporaryFolder folder = new();
    private readonly VideoReader reader = new(new ImageProcessor(Size), Sampling);
    private readonly VideoClip[] clips;
    private readonly VideoFrames[] direct;
    private readonly Dictionary<string, byte[]> whole;
    private readonly ConcurrentQueue<string> warnings = new();

    public FrameCacheDamageTests(FrameCacheVideos videos)
    {
        clips = [new(videos.PathOf(1)), new(videos.PathOf(2)), new(videos.PathOf(3))];
        direct = [.. clips.Select(clip => reader.Read(clip))];
        using (var cache = FrameCache.OpenOrCreate(Cache, Sampling, Size))
        {
            cache.ShardCap = 700; // two clips in the first shard, the third in the second
            cache.Prepare(clips, reader);
        }
        whole = new[] { Index, FirstShard, SecondShard }.ToDictionary(name => name, name => File.ReadAllBytes(Path.Combine(Cache, name)));
    }

    private string Cache => folder.File("cache");

    public void Dispose() => folder.Dispose();

    [Fact]
    public void The_index_cut_anywhere_loses_only_what_lies_behind_the_cut()
    {
        var index = whole[Index];
        for (var length = 0; length <= index.Length; length++)
        {
            Restore(Index, index[..length]);
            Assert.Equal(index.Take(length).Count(value => value == '\n'), CountReadable());
        }
        Assert.Empty(warnings);
    }

    [Fact]
    public void A_changed_byte_of_the_index_loses_no_more_than_the_records_it_touches()
    {
        var random = new Random(1);
        for (var at = 0; at < whole[Index].Length; at++)
        {
            var index = (byte[])whole[Index].Clone();
            index[at] ^= (byte)(1 << random.Next(8));
            Restore(Index, index);
            // A lost newline joins two lines; a checksum's letter that became a capital changes nothing.
            Assert.InRange(CountReadable(), whole[Index][at] == '\n' ? 1 : 2, 3);
        }
    }

    [Theory]
    [InlineData(FirstShard)]
    [InlineData(SecondShard)]
    public void A_shard_cut_anywhere_loses_only_what_is_cut_off(string shard)
    {
        int[] ends = shard == FirstShard ? [direct[0].Pixels.Length, direct[0].Pixels.Length + direct[1].Pixels.Length] : [direct[2].Pixels.Length];
        Assert.Equal(ends[^1], whole[shard].Length);
        foreach (var length in ends.SelectMany(end => new[] { end - 1, end, end + 1 }).Append(0).Append(1).Where(length => length <= ends[^1]))
        {
            Restore(shard, whole[shard][..length]);
            var lost = ends.Count(end => end > length);
            Assert.Equal(3 - lost, CountReadable());
            Assert.Equal(lost > 0 ? 1 : 0, warnings.Count);
            AssertMends();
        }
    }

    [Fact]
    public void A_shard_cut_while_the_cache_is_open_is_a_miss()
    {
        Restore(Index, whole[Index]);
        using var cache = Open();
        File.WriteAllBytes(Path.Combine(Cache, FirstShard), whole[FirstShard][..10]);
        Assert.Equal([false, false, true], clips.Select(clip => cache.TryRead(clip, out _)));
        Assert.Equal(2, warnings.Count);
    }

    [Fact]
    public void Changed_bytes_of_a_shard_are_a_miss_with_one_warning_and_verifying_mends_them()
    {
        for (var at = 0; at < whole[FirstShard].Length; at += 97)
        {
            var shard = (byte[])whole[FirstShard].Clone();
            shard[at] ^= 1;
            Restore(FirstShard, shard);
            using (var cache = Open())
            {
                Assert.Equal(2, CountReadable(cache));
                Assert.Equal(2, CountReadable(cache));
                Assert.Contains("checksum", Assert.Single(warnings), StringComparison.Ordinal);
            }
            using (var cache = Open())
            {
                Assert.Empty(cache.Missing(clips));
                Assert.Single(cache.Missing(clips, verify: true));
                if (at % 2 == 0) continue; // a few are enough for what decodes
                Assert.Equal(1, cache.Prepare(clips, reader).Written);
                Assert.Equal(3, CountReadable(cache));
            }
            warnings.Clear();
            AssertMends();
        }
    }

    [Fact]
    public void Any_damage_gives_right_pixels_or_none()
    {
        var cases = from name in Gen.Elements(whole.Keys.ToArray())
                    from way in Gen.Choose(0, 3)
                    from seed in Gen.Choose(0, int.MaxValue)
                    select (name, way, seed);
        Prop.ForAll(cases.ToArbitrary(), item =>
        {
            Restore(item.name, Damage(whole[item.name], item.way, new Random(item.seed)));
            CountReadable();
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void After_any_damage_preparing_again_completes()
    {
        var random = new Random(2);
        for (var i = 0; i < 8; i++)
        {
            var name = whole.Keys.ElementAt(i % 3);
            Restore(name, Damage(whole[name], i % 4, random));
            AssertMends();
        }
    }

    [Fact]
    public void A_record_that_was_made_up_is_a_miss()
    {
        var record = FrameRecord.Parse(whole[Index].AsSpan(0, Array.IndexOf(whole[Index], (byte)'\n')))!;
        FrameRecord[] made =
        [
            record with { Offset = long.MaxValue }, record with { Offset = -1 }, record with { Length = -1 }, record with { Length = 0 },
            record with { Length = int.MaxValue }, record with { Length = record.Length - 1 }, record with { Shard = -1 }, record with { Shard = int.MaxValue },
            record with { Shard = 7 }, record with { Frames = [] }, record with { Frames = [0, 1, 2] }, record with { Frames = [-1] },
            record with { FramesPerSecond = 0 }, record with { Checksum = record.Checksum + 1 }, record with { Key = "" },
        ];
        foreach (var one in made)
        {
            Restore(Index, one.ToLine());
            Assert.Equal(0, CountReadable());
            Assert.Single(warnings);
        }
        Restore(Index, record.ToLine());
        Assert.Equal(1, CountReadable());
    }

    private static byte[] Damage(byte[] bytes, int way, Random random)
    {
        var result = (byte[])bytes.Clone();
        var noise = new byte[random.Next(1, 200_000)];
        random.NextBytes(noise);
        switch (way)
        {
            case 0:
                return result[..random.Next(result.Length)];
            case 1:
                return noise;
            case 2:
                return [.. result, .. noise];
            default:
                for (var n = random.Next(1, 6); n > 0; n--) result[random.Next(result.Length)] = (byte)random.Next(256);
                return result;
        }
    }

    /// <summary>The whole cache, but for one file.</summary>
    private void Restore(string name, byte[] content)
    {
        warnings.Clear();
        foreach (var (file, bytes) in whole) File.WriteAllBytes(Path.Combine(Cache, file), file == name ? content : bytes);
    }

    private FrameCache Open() => FrameCache.Open(Cache, Sampling, Size, warnings.Enqueue);

    private int CountReadable()
    {
        using var cache = Open();
        return CountReadable(cache);
    }

    private int CountReadable(FrameCache cache)
    {
        var count = 0;
        for (var i = 0; i < clips.Length; i++)
        {
            if (!cache.TryRead(clips[i], out var frames)) continue;
            Assert.Equal(direct[i].Pixels, frames.Pixels);
            Assert.Equal(direct[i].Taken.Numbers, frames.Taken.Numbers);
            Assert.Equal(direct[i].Taken.FramesPerSecond, frames.Taken.FramesPerSecond);
            count++;
        }
        return count;
    }

    private void AssertMends()
    {
        using (var cache = Open())
        {
            cache.Missing(clips, verify: true);
            cache.Prepare(clips, reader);
            Assert.Equal(3, CountReadable(cache));
        }
        warnings.Clear();
        Assert.Equal(3, CountReadable());
        Assert.Empty(warnings);
        Assert.Equal(3, File.ReadLines(Path.Combine(Cache, Index)).Count());
    }
}
