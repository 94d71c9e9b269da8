namespace MvAdapter.Training;

/// <summary>
/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers from the same seeds on every runtime, which .NET does not
/// promise of its own generator.
/// </summary>
internal sealed class SeededRandom(ulong seed, ulong stream = 0)
{
    private ulong state = Mix(seed) ^ Mix(~stream);

    /// <summary>64 random bits.</summary>
    public ulong Next() => Mix(state += 0x9E3779B97F4A7C15);

    /// <summary>Puts the items in random order.</summary>
    public void Shuffle<T>(T[] items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = (int)(Next() % (ulong)(i + 1));   // the bias of the remainder is 1e-13 for a million items
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    /// <summary>The seed of a step's dropout.</summary>
    public static ulong Of(long seed, long step) => Mix((ulong)seed ^ Mix((ulong)step));

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
