namespace MvAdapter.Training;

/// <summary>
/// SplitMix64 (Steele, Lea and Flood, 2014): a few lines that give the same numbers on every runtime and machine, so that a seed means one dataset
/// and one run for good; and cheap to start anew for each item, so that any item can be made without those before it.
/// </summary>
internal sealed class SeededRandom(ulong seed)
{
    private ulong state = seed;

    /// <summary>The generator of one item of one stream.</summary>
    public static SeededRandom For(ulong seed, ulong stream, long item)
    {
        var mixer = new SeededRandom(seed);
        var streamed = new SeededRandom(mixer.NextUInt64() ^ stream);
        return new SeededRandom(streamed.NextUInt64() ^ (ulong)item);
    }

    public ulong NextUInt64()
    {
        state += 0x9E3779B97F4A7C15;
        var z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>A number of [0, 1).</summary>
    public double NextDouble() => (NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>A number of [low, high).</summary>
    public double Between(double low, double high) => low + (high - low) * NextDouble();

    /// <summary>A whole number of [0, count).</summary>
    public int Next(int count) => (int)(NextDouble() * count);

    /// <summary>One of the items.</summary>
    public T Pick<T>(IReadOnlyList<T> items) => items[Next(items.Count)];

    /// <summary>Fisher and Yates' shuffle, in place.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = Next(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }
}
