using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace MvAdapter.Adapters;

/// <summary>The settings of methods as JSON objects with names in snake_case.</summary>
internal static class SettingsJson
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    /// <summary>All fields as one JSON object.</summary>
    public static string Write(object settings) => JsonSerializer.Serialize(settings, settings.GetType(), Options);

    /// <summary>Reads the fields it knows of a JSON object and ignores other keys.</summary>
    /// <exception cref="MvAdapterException">The text is no JSON, or a field has another type.</exception>
    public static T Read<T>(string json, string origin) where T : class
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json, Options) ?? throw new JsonException("null is no object");
        }
        catch (JsonException e)
        {
            throw new MvAdapterException($"{TextForMessage.Quote(origin)}: not the settings of a method ({TextForMessage.Quote(e.Message)})", e);
        }
    }

    /// <summary>Reads a JSON object and refuses keys that the method does not have: a setting that is not heeded misleads.</summary>
    /// <exception cref="MvAdapterException">The text is no JSON, a key is unknown, or a field has another type.</exception>
    public static T ReadStrictly<T>(string json, string origin, string method) where T : class
    {
        var settings = Read<T>(json, origin);
        var known = Options.GetTypeInfo(typeof(T)).Properties.Select(property => property.Name).ToList();
        using var document = JsonDocument.Parse(json);
        foreach (var property in document.RootElement.EnumerateObject())
            if (!known.Contains(property.Name))
                throw new MvAdapterException($"{TextForMessage.Quote(origin)}: {method} has no setting '{TextForMessage.Quote(property.Name, 60)}'" +
                    (known.Count == 0 ? "; it has none" : $": did you mean {NearestName.Of(property.Name, known)}? Known: {string.Join(", ", known)}"));
        return settings;
    }
}

/// <summary>The settings of a method that has nothing to set.</summary>
public sealed record NoSettings;
