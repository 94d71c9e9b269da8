using System.Text;

namespace MvAdapter.Search;

/// <summary>A filter as conditions on the videos' table, called v.</summary>
internal static class PostgresFilter
{
    /// <summary>Conditions that each begin with AND; what they compare with is added to the statement's values.</summary>
    public static string Conditions(ClipFilter? filter, List<object?> values)
    {
        var sql = new StringBuilder();
        if (filter?.Folder is { } folder)
        {
            // All that begins with "folder/" stands before "folder0", the next character.
            var below = folder.TrimEnd('/');
            And("v.path >= ", below + "/");
            And("v.path < ", below + "0");
        }
        if (filter?.MinSeconds is { } least) And("v.duration >= ", least);
        if (filter?.MaxSeconds is { } most) And("v.duration <= ", most);
        if (filter?.After is { } after) And("v.modified >= ", after.Ticks);
        if (filter?.Before is { } before) And("v.modified < ", before.Ticks);
        if (filter?.Tag is { } tag) And("v.tags @> ", new[] { tag });
        return sql.ToString();

        void And(string condition, object value)
        {
            values.Add(value);
            sql.Append(System.Globalization.CultureInfo.InvariantCulture, $" AND {condition}${values.Count}");
        }
    }
}
