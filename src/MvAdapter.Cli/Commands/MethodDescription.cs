using System.Globalization;
using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;

namespace MvAdapter.Cli;

/// <summary>A method in words and numbers: its settings, where it acts in a block, and what it trains of some CLIPs.</summary>
internal static class MethodDescription
{
    private static readonly (string Method, string Place)[] Places =
    [
        (nameof(BlockAdapter.OnInput), "on the block's input"),
        (nameof(BlockAdapter.OnProjections), "on queries, keys and values"),
        (nameof(BlockAdapter.BesideAttention), "beside attention"),
        (nameof(BlockAdapter.BesideMlp), "beside the MLP"),
        (nameof(BlockAdapter.OnMlpOutput), "on the MLP's output"),
        (nameof(BlockAdapter.AfterMlp), "on the MLP's output"),
    ];

    /// <summary>Prints the method's description.</summary>
    /// <param name="name">The method.</param>
    /// <param name="backbones">Makes each CLIP to count on, by its name.</param>
    /// <param name="json">Whether as JSON.</param>
    public static void Print(string name, IReadOnlyList<(string Name, Func<ClipModel> Make)> backbones, bool json)
    {
        var definition = Methods.Find(name);
        var settings = JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(definition.DefaultSettings)!;
        var counts = new List<(string Clip, long Trainable, double Percent)>();
        IReadOnlyList<string> vision = [], text = [];
        foreach (var (clip, make) in backbones)
        {
            using var backbone = make();
            using var model = RetrievalModel.Create(backbone, definition.Create(backbone.Config));
            var trainable = model.TrainableParameters().Sum(item => item.Value.ElementCount);
            counts.Add((clip, trainable, 100.0 * trainable / backbone.Parameters.ElementCount));
            (vision, text) = (PlacesOf(model.Method.Vision), PlacesOf(model.Method.Text));
        }
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                method = definition.Name,
                description = definition.Description,
                settings,
                places = new { vision, text },
                trainable = counts.Select(count => new { clip = count.Clip, parameters = count.Trainable, percent = Math.Round(count.Percent, 4) }),
            }));
            return;
        }
        Console.WriteLine($"{definition.Name}: {definition.Description}");
        Console.WriteLine($"settings (--set KEY=VALUE): {(settings.Count == 0 ? "none" : string.Join(", ", settings.Select(item => $"{item.Key}={Text(item.Value)}")))}");
        Console.WriteLine($"in a block of the vision transformer: {Text(vision)}; of the text transformer: {Text(text)}");
        foreach (var (clip, trainable, percent) in counts)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"trains {trainable:N0} parameters on {clip}, {percent:0.000} % of it"));
    }

    // A place is used where the adapter's type overrides it.
    private static List<string> PlacesOf(IEnumerable<BlockAdapter?> blocks)
    {
        var types = blocks.OfType<BlockAdapter>().Select(adapter => adapter.GetType()).Distinct().ToList();
        return [.. Places.Where(place => types.Exists(type => type.GetMethod(place.Method)!.DeclaringType != typeof(BlockAdapter))).Select(place => place.Place)];
    }

    private static string Text(IReadOnlyList<string> places) => places.Count == 0 ? "nothing" : string.Join(" and ", places);

    private static string Text(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => "none",
        JsonValueKind.True => "on",
        JsonValueKind.False => "off",
        JsonValueKind.Array => $"[{string.Join(',', value.EnumerateArray().Select(Text))}]",
        _ => value.ToString(),
    };
}
