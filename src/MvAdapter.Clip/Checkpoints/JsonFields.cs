using System.Text.Json;

namespace MvAdapter.Clip;

/// <summary>The fields of a JSON object in a file; a fault is one line that names the file and the field.</summary>
internal sealed class JsonFields
{
    private readonly string path;
    private readonly string prefix;
    private readonly JsonElement element;

    private JsonFields(string path, string prefix, JsonElement element) => (this.path, this.prefix, this.element) = (path, prefix, element);

    /// <summary>Reads a file that holds one object.</summary>
    /// <exception cref="InvalidFileException">It cannot be read, or is no such file.</exception>
    public static T Read<T>(string path, Func<JsonFields, T> read)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            if (json.RootElement.ValueKind != JsonValueKind.Object) throw new InvalidFileException(path, "not the configuration of a model (no JSON object)");
            return read(new JsonFields(path, "", json.RootElement));
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"not the configuration of a model ({TextForMessage.Quote(e.Message)})", e);
        }
    }

    /// <summary>Whether the field is there and is not null, false or empty.</summary>
    public bool Has(string name) => Find(name) is { } value && value.ValueKind switch
    {
        JsonValueKind.Null or JsonValueKind.False => false,
        JsonValueKind.Object => value.EnumerateObject().Any(),
        _ => true,
    };

    public bool IsList(string name) => Find(name)?.ValueKind == JsonValueKind.Array;

    public JsonFields? Object(string name) => Find(name) is { ValueKind: JsonValueKind.Object } value ? new JsonFields(path, prefix + name + ".", value) : null;

    public string? Text(string name) => Find(name) switch
    {
        null or { ValueKind: JsonValueKind.Null } => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        _ => throw Refuse(name, "is no text"),
    };

    /// <summary>The different texts among the object's values, in order.</summary>
    public List<string> Texts() => [.. element.EnumerateObject().Select(field => field.Value.ValueKind == JsonValueKind.String ? field.Value.GetString()! : throw Refuse(field.Name, "is no text")).Distinct()];

    public bool? Boolean(string name) => Find(name) switch
    {
        null or { ValueKind: JsonValueKind.Null } => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        _ => throw Refuse(name, "is neither true nor false"),
    };

    public double? Number(string name) => Find(name) switch
    {
        { ValueKind: JsonValueKind.Number } value => value.GetDouble(),
        null or { ValueKind: JsonValueKind.Null } => null,
        _ => throw Refuse(name, "is no number"),
    };

    /// <summary>A size from 1 on; of a list, such as height and width, the first.</summary>
    public int? Integer(string name)
    {
        var value = Find(name);
        if (value is { ValueKind: JsonValueKind.Array } list && list.EnumerateArray().ToList() is [var first, ..])
            value = list.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.GetRawText() == first.GetRawText()) ? first
                : throw Refuse(name, "has sides that differ");
        if (value is null or { ValueKind: JsonValueKind.Null }) return null;
        return value is { ValueKind: JsonValueKind.Number } number && number.TryGetInt32(out var integer) && integer > 0 ? integer : throw Refuse(name, "is no whole number above 0");
    }

    /// <summary>Three numbers.</summary>
    public (float, float, float)? Channels(string name)
    {
        if (Find(name) is not { } value || value.ValueKind == JsonValueKind.Null) return null;
        var numbers = value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().Where(item => item.ValueKind == JsonValueKind.Number).Select(item => (float)item.GetDouble()).ToList() : [];
        return numbers is [var red, var green, var blue] && value.GetArrayLength() == 3 ? (red, green, blue) : throw Refuse(name, "is no list of three numbers");
    }

    /// <summary>Refuses the file where a field says what the library does not do.</summary>
    public void Require(string name, bool holds)
    {
        if (!holds) throw Refuse(name, $"is {TextForMessage.Quote(Find(name)?.GetRawText() ?? "missing", 60)}, which this library does not run");
    }

    public InvalidFileException Refuse(string name, string fault) => new(path, $"{prefix}{name} {fault}");

    private JsonElement? Find(string name) => element.TryGetProperty(name, out var value) ? value : null;
}
