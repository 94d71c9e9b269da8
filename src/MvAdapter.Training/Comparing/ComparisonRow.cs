using System.Security.Cryptography;
using System.Text;
using MvAdapter.Adapters;
using MvAdapter.Training;

namespace MvAdapter.Comparing;

/// <summary>
/// A row of the table to be: a method with settings and rates of its own, over a config that all rows share. As text it is
/// <c>METHOD</c> or <c>METHOD:KEY=VALUE,...</c>, a key being a setting of the method or one of <see cref="Rates"/>.
/// </summary>
/// <param name="Name">What the row is called.</param>
/// <param name="Config">The config of its runs, but for the seed.</param>
public sealed record ComparisonRow(string Name, RunConfig Config)
{
    private const int LongestFolder = 100;

    /// <summary>The fields of a config that a row may have for itself, since methods learn best at different ones.</summary>
    public static IReadOnlyList<string> Rates { get; } = ["adapter_lr", "clip_lr", "weight_decay", "warmup"];

    /// <summary>Lists of methods that have a name.</summary>
    public static IReadOnlyDictionary<string, string> Lists { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
    {
        ["all"] = string.Join(',', Methods.All.Select(method => method.Name).Reverse()),
        ["adapters"] = "zero-shot,full,lora,st-adapter,convpass,adaptformer,mv-adapter",
        ["baselines"] = "zero-shot,linear,bitfit,full",
    };

    /// <summary>The name as a part of a path.</summary>
    public string FolderName
    {
        get
        {
            var builder = new StringBuilder();
            foreach (var c in Name)
                if (c is '(' or ')' or '[' or ']') continue;
                else builder.Append(char.IsAsciiLetterOrDigit(c) || c is '_' or '.' ? char.ToLowerInvariant(c) : '-');
            if (builder.Length <= LongestFolder) return builder.ToString();
            var whole = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Name)));
            return $"{builder.ToString(0, LongestFolder)}-{whole[..8]}";
        }
    }

    /// <summary>
    /// Reads rows separated by commas. A comma within brackets separates nothing, and what follows a comma and is
    /// <c>KEY=VALUE</c> belongs to the row before.
    /// </summary>
    /// <param name="text">The rows, or one of <see cref="Lists"/> in a row's place.</param>
    /// <param name="basis">The config of all rows; its settings are those of the rows of its method.</param>
    /// <exception cref="UsageException">A method is unknown, or a row malformed.</exception>
    public static IReadOnlyList<ComparisonRow> ParseAll(string text, RunConfig basis)
    {
        var rows = new List<string>();
        foreach (var part in Split(text))
        {
            if (part.Length == 0) throw new UsageException($"--methods '{TextForMessage.Quote(text, 80)}' has an empty place; name methods such as mv-adapter,full, or all");
            if (Lists.TryGetValue(part, out var list)) rows.AddRange(list.Split(','));
            else if (rows.Count > 0 && IsSetting(part)) rows[^1] += (rows[^1].Contains(':', StringComparison.Ordinal) ? "," : ":") + part;
            else rows.Add(part);
        }
        return [.. rows.Select(row => Parse(row, basis))];
    }

    /// <summary>Reads one row.</summary>
    /// <param name="text">The method, and its settings after a colon.</param>
    /// <param name="basis">The config of all rows.</param>
    /// <param name="name">What to call the row; null to make a name of the text.</param>
    /// <exception cref="UsageException">The method is unknown, or a setting malformed.</exception>
    public static ComparisonRow Parse(string text, RunConfig basis, string? name = null)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var method = Methods.Find((colon < 0 ? text : text[..colon]).Trim()).Name;
        var config = RunConfigFile.With(basis, "method", method);
        var said = new List<string>();
        foreach (var part in colon < 0 ? [] : Split(text[(colon + 1)..]))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1) throw new UsageException($"row '{TextForMessage.Quote(text, 80)}': settings are KEY=VALUE, not '{TextForMessage.Quote(part, 60)}'");
            var (key, value) = (part[..equals].Trim(), part[(equals + 1)..].Trim());
            if (said.Exists(item => item.StartsWith(key + ' ', StringComparison.Ordinal))) throw new UsageException($"row '{TextForMessage.Quote(text, 80)}' sets {TextForMessage.Quote(key, 60)} twice");
            config = Rates.Contains(key) ? RunConfigFile.With(config, key, value) : config.WithSetting(key, RunConfigFile.ToJson(value));
            said.Add($"{key} {value}");
        }
        return new ComparisonRow(name ?? (said.Count == 0 ? method : $"{method} ({string.Join(", ", said)})"), config);
    }

    private static bool IsSetting(string part)
    {
        var equals = part.IndexOf('=', StringComparison.Ordinal);
        var colon = part.IndexOf(':', StringComparison.Ordinal);
        return equals > 0 && (colon < 0 || equals < colon);
    }

    private static IEnumerable<string> Split(string text)
    {
        var (start, depth) = (0, 0);
        for (var i = 0; i <= text.Length; i++)
        {
            if (i == text.Length || (text[i] == ',' && depth <= 0))
            {
                yield return text[start..i].Trim();
                start = i + 1;
            }
            else if (text[i] == '[') depth++;
            else if (text[i] == ']') depth--;
        }
    }
}
