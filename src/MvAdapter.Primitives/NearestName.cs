namespace MvAdapter;

/// <summary>Finds what a mistyped name was probably meant to be.</summary>
public static class NearestName
{
    /// <summary>The known name with the fewest edits (insert, delete, replace) away from the given one.</summary>
    public static string Of(string name, IEnumerable<string> known)
    {
        // A longer name can only be further from every known one; cutting it bounds the work.
        var given = name.Length > 64 ? name[..64] : name;
        return known.MinBy(candidate => Distance(given.ToLowerInvariant(), candidate.ToLowerInvariant()))
            ?? throw new ArgumentException("no names to choose from", nameof(known));
    }

    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(replaced, Math.Min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.Length];
    }
}
