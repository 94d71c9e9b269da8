using System.Globalization;
using System.Text;

namespace MvAdapter.Search;

/// <summary>A filter as conditions on the videos' table, called v: <see cref="ClipFilter.Allows"/> in SQL.</summary>
internal static class SqlFilter
{
    /// <summary>Conditions that each begin with AND; what they compare with is added to the statement's values.</summary>
    /// <param name="filter">The filter; null for none.</param>
    /// <param name="values">The statement's values so far.</param>
    /// <param name="postgres">Whether it is for PostgreSQL, where tags are an array; in SQLite they are a JSON text.</param>
    public static string Conditions(ClipFilter? filter, List<object?> values, bool postgres)
    {
        var sql = new StringBuilder();
        if (filter?.Folder is { } folder)
        {
            // All that begins with "folder/" stands before "folder0", the next character.
            var below = folder.TrimEnd('/');
            And("v.path >= {0}", below + "/");
            And("v.path < {0}", below + "0");
        }
        if (filter?.MinSeconds is { } least) And("v.duration >= {0}", least);
        if (filter?.MaxSeconds is { } most) And("v.duration <= {0}", most);
        if (filter?.After is { } after) And("v.modified >= {0}", after.Ticks);
        if (filter?.Before is { } before) And("v.modified < {0}", before.Ticks);
        if (filter?.Tag is { } tag && postgres) And("v.tags @> {0}", new[] { tag });
        else if (filter?.Tag is { } word) And("EXISTS (SELECT 1 FROM json_each(v.tags) WHERE value = {0})", word);
        return sql.ToString();

        void And(string condition, object value)
        {
            values.Add(value);
            sql.Append(" AND ").AppendFormat(CultureInfo.InvariantCulture, condition, postgres ? $"${values.Count}" : "?");
        }
    }
}
