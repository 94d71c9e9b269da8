namespace MvAdapter.Video;

/// <summary>Writes a set of frame numbers as the condition of ffmpeg's select filter.</summary>
internal static class SelectExpression
{
    /// <summary>A condition on n that holds for these ascending numbers alone.</summary>
    public static string For(ReadOnlySpan<int> numbers)
    {
        var runs = new List<(int First, int Last)>();
        foreach (var number in numbers)
        {
            if (runs.Count > 0 && runs[^1].Last == number - 1) runs[^1] = (runs[^1].First, number);
            else runs.Add((number, number));
        }
        return Search(runs, 0, runs.Count);
    }

    // A binary search: each of perhaps a million frames then costs a few comparisons instead of one for every number.
    private static string Search(List<(int First, int Last)> runs, int from, int to)
    {
        if (to - from == 1) return $"between(n,{runs[from].First},{runs[from].Last})";
        var middle = (from + to) / 2;
        return $"if(lt(n,{runs[middle].First}),{Search(runs, from, middle)},{Search(runs, middle, to)})";
    }
}
