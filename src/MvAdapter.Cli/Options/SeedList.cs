using System.Globalization;

namespace MvAdapter.Cli;

/// <summary>Seeds as an option has them: 0,1,2.</summary>
internal static class SeedList
{
    /// <summary>Reads the seeds; each may be named once.</summary>
    public static IReadOnlyList<long> Parse(string text)
    {
        var seeds = new List<long>();
        foreach (var part in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!long.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var seed))
                throw new UsageException($"--seeds takes whole numbers such as 0,1,2, not '{TextForMessage.Quote(text, 60)}'");
            if (seeds.Contains(seed)) throw new UsageException($"--seeds names {seed} twice");
            seeds.Add(seed);
        }
        return seeds;
    }
}
