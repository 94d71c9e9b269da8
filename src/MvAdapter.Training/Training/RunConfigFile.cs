using System.Globalization;
using System.Reflection;
using System.Text;
using System.Text.Json;
using MvAdapter.Video;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace MvAdapter.Training;

/// <summary>A <see cref="RunConfig"/> as YAML, and its fields by name for flags and comparisons.</summary>
public static class RunConfigFile
{
    private const string MethodField = "method";
    private const string SettingsField = "settings";

    private static readonly OrderedDictionary<string, PropertyInfo> Properties = new(typeof(RunConfig)
        .GetProperties(BindingFlags.Instance | BindingFlags.Public).Where(property => property.CanWrite)
        .Select(property => new KeyValuePair<string, PropertyInfo>(JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name), property)));

    /// <summary>The fields' names, as YAML keys.</summary>
    public static IReadOnlyList<string> Fields => Properties.Keys;

    /// <summary>Reads a file over a base: fields that it does not name keep the base's values.</summary>
    /// <exception cref="InvalidFileException">No YAML, an unknown key, or a value of another type; the line says where.</exception>
    public static RunConfig Read(string path, RunConfig? basis = null)
    {
        if (!File.Exists(path)) throw new InvalidFileException(path, "there is no such file");
        try
        {
            return Parse(File.ReadAllText(path), path, basis);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(e.Message)}", e);
        }
    }

    /// <summary>The config of the run that made an adapter or a checkpoint; null when the file carries none.</summary>
    /// <exception cref="InvalidFileException">The file is missing or damaged.</exception>
    public static RunConfig? TryReadFrom(string checkpoint) =>
        AdapterCheckpoint.ReadMetadata(checkpoint).TryGetValue(AdapterCheckpoint.ConfigKey, out var yaml) ? ParseStored(yaml, checkpoint) : null;

    /// <summary>Reads what <see cref="ToYaml"/> once wrote: a field that it does not name came later, and means what was done before.</summary>
    internal static RunConfig ParseStored(string yaml, string origin) =>
        Parse(yaml, origin, new RunConfig { FrameRule = FrameSampling.Name(FrameRule.Time) });

    /// <summary>Reads YAML text; <paramref name="origin"/> stands in errors.</summary>
    public static RunConfig Parse(string text, string origin, RunConfig? basis = null)
    {
        var config = basis ?? new RunConfig();
        if (YamlMap.Read(text, origin) is not { } map) return config;
        // The method first: another one drops the settings of the base's.
        foreach (var (keyNode, value) in map.Children.OrderBy(item => item.Key is YamlScalarNode { Value: MethodField } ? 0 : 1))
        {
            var key = (keyNode as YamlScalarNode)?.Value ?? "";
            var line = keyNode.Start.Line;
            try
            {
                config = key == SettingsField && value is YamlMappingNode settings
                    ? config with { Settings = JsonSerializer.Serialize(settings.Children.ToDictionary(item => item.Key.ToString(), item => ToJson(item.Value))) }
                    : With(config, key, value is YamlScalarNode scalar ? scalar.Value ?? "" : throw new UsageException("takes one value, not a list"));
            }
            catch (MvAdapterException e)
            {
                throw new InvalidFileException(origin, $"line {line}, field {TextForMessage.Quote(key, 60)}: {e.Message}", e);
            }
        }
        return config;
    }

    /// <summary>
    /// The config with one field from its text, as a flag or a YAML scalar gives it. Another method drops the settings,
    /// which are those of the method before.
    /// </summary>
    /// <exception cref="UsageException">There is no such field, or the text is no value of its type.</exception>
    public static RunConfig With(RunConfig config, string field, string text)
    {
        if (!Properties.TryGetValue(field, out var property))
            throw new UsageException($"there is no field '{TextForMessage.Quote(field, 60)}'; did you mean {NearestName.Of(field, Fields)}?");
        var type = property.PropertyType;
        object value;
        if (field == SettingsField) RunConfig.ParseSettings(text);
        if (type == typeof(string)) value = text;
        else if (type == typeof(bool) && bool.TryParse(text, out var flag)) value = flag;
        else if (type == typeof(int) && int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer)) value = integer;
        else if (type == typeof(long) && long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var wide)) value = wide;
        else if (type == typeof(double) && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)) value = number;
        else throw new UsageException($"{field} takes {Kind(type)}, not '{TextForMessage.Quote(text, 60)}'");
        var copy = field == MethodField && !text.Equals(config.Method, StringComparison.OrdinalIgnoreCase) ? config with { Settings = "" } : config with { };
        property.SetValue(copy, value);
        return copy;
    }

    /// <summary>The config as YAML that <see cref="Parse"/> reads.</summary>
    public static string ToYaml(RunConfig config)
    {
        var builder = new StringBuilder();
        foreach (var field in Fields)
        {
            var text = Text(config, field);
            builder.Append(field).Append(": ").Append(field == SettingsField && text.Length > 0 ? text : Quote(text, Properties[field].PropertyType)).Append('\n');
        }
        return builder.ToString();
    }

    /// <summary>The names of the fields in which two configs differ.</summary>
    public static IReadOnlyList<string> Differences(RunConfig a, RunConfig b) =>
        [.. Fields.Where(field => field == SettingsField ? !SameJson(a.Settings, b.Settings) : Text(a, field) != Text(b, field))];

    /// <summary>A scalar of YAML or a flag as JSON: a number or truth value where it reads as one, else a text.</summary>
    public static JsonElement ToJson(string text) =>
        bool.TryParse(text, out var flag) ? JsonSerializer.SerializeToElement(flag)
        : text is "on" or "off" ? JsonSerializer.SerializeToElement(text == "on")
        : long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer) ? JsonSerializer.SerializeToElement(integer)
        : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number) ? JsonSerializer.SerializeToElement(number)
        : text.StartsWith('[') && text.EndsWith(']') ? JsonSerializer.SerializeToElement(text[1..^1].Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(ToJson))
        : text is "null" or "none" ? JsonSerializer.SerializeToElement<string?>(null)
        : JsonSerializer.SerializeToElement(text);

    private static JsonElement ToJson(YamlNode node) => node switch
    {
        YamlScalarNode { Style: ScalarStyle.Plain } scalar => ToJson(scalar.Value ?? ""),
        YamlScalarNode scalar => JsonSerializer.SerializeToElement(scalar.Value),
        YamlSequenceNode list => JsonSerializer.SerializeToElement(list.Children.Select(ToJson)),
        _ => throw new UsageException("settings hold numbers, texts and lists"),
    };

    private static bool SameJson(string a, string b)
    {
        if (a == b) return true;
        if (a.Length == 0 || b.Length == 0) return false;
        return JsonElement.DeepEquals(JsonSerializer.Deserialize<JsonElement>(a), JsonSerializer.Deserialize<JsonElement>(b));
    }

    /// <summary>A field's value as text that <see cref="With"/> reads.</summary>
    public static string Text(RunConfig config, string field) => Properties[field].GetValue(config) switch
    {
        bool flag => flag ? "true" : "false",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        var value => value?.ToString() ?? "",
    };

    // Texts are always quoted: a path may look like a number, or hold a colon. JSON's own escapes would not do, as YAML
    // has none for halves of a surrogate pair.
    private static string Quote(string text, Type type)
    {
        if (type != typeof(string)) return text;
        var builder = new StringBuilder("\"");
        foreach (var c in text)
        {
            if (c is '"' or '\\') builder.Append('\\').Append(c);
            else if (char.IsControl(c) || c is '\u2028' or '\u2029' or '\uFEFF') builder.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else builder.Append(c);
        }
        return builder.Append('"').ToString();
    }

    private static string Kind(Type type) => type == typeof(bool) ? "true or false" : type == typeof(double) ? "a number" : "a whole number";
}
