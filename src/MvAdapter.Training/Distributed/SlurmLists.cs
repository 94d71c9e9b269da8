using System.Globalization;

namespace MvAdapter.Training;

/// <summary>Slurm's short forms of lists: <c>node[003-005,007],other</c> and <c>4(x2),3</c>.</summary>
internal static class SlurmLists
{
    /// <summary>The first host of a list of nodes; null when it is empty.</summary>
    public static string? FirstNode(string list)
    {
        var bracket = list.IndexOf('[', StringComparison.Ordinal);
        var comma = list.IndexOf(',', StringComparison.Ordinal);
        if (bracket < 0 || (comma >= 0 && comma < bracket)) return (comma < 0 ? list : list[..comma]) is { Length: > 0 } name ? name : null;
        var close = list.IndexOf(']', bracket);
        if (close < 0) return null;
        var first = list[(bracket + 1)..close].Split(',', '-')[0];
        var rest = list[(close + 1)..];
        var end = rest.IndexOf(',', StringComparison.Ordinal);
        return list[..bracket] + first + (end < 0 ? rest : rest[..end]);
    }

    /// <summary>The tasks of a node, of a list such as <c>4(x2),3</c>; null where it does not say.</summary>
    public static int? TasksOf(string list, int node)
    {
        foreach (var item in list.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var parts = item.TrimEnd(')').Split("(x");
            if (!int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var tasks)) return null;
            var repeats = 1;
            if (parts.Length > 1 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out repeats)) return null;
            if (node < repeats) return tasks;
            node -= repeats;
        }
        return null;
    }
}
