using System.Globalization;
using MvAdapter.Video;
using YamlDotNet.RepresentationModel;

namespace MvAdapter;

/// <summary>
/// What the run that made an adapter fed it: it works best on the same. Read from the run's config in the adapter's
/// metadata; a field is null where that does not say.
/// </summary>
internal sealed record AdapterInput
{
    public int? Frames { get; private init; }

    public int? Words { get; private init; }

    public FrameStrategy? Strategy { get; private init; }

    public double? FramesPerSecond { get; private init; }

    public FrameRule? Rule { get; private init; }

    public int? MergeTokens { get; private init; }

    public static AdapterInput Of(string? adapter)
    {
        if (adapter is null || !AdapterCheckpoint.ReadMetadata(adapter).TryGetValue(AdapterCheckpoint.ConfigKey, out var yaml)) return new AdapterInput();
        try
        {
            return YamlMap.Read(yaml, adapter) is { } map ? From(map) : new AdapterInput();
        }
        catch (Exception e) when (e is FormatException or OverflowException or UsageException)
        {
            throw new InvalidFileException(adapter, $"the config in its metadata is damaged: {TextForMessage.Quote(e.Message, 120)}", e);
        }
    }

    private static AdapterInput From(YamlMappingNode map)
    {
        return new AdapterInput
        {
            Frames = Text("frames") is { } frames ? int.Parse(frames, CultureInfo.InvariantCulture) : null,
            Words = Text("words") is { } words ? int.Parse(words, CultureInfo.InvariantCulture) : null,
            Strategy = Text("sampling") is { } strategy ? FrameSampling.ParseStrategy(strategy) : null,
            FramesPerSecond = Text("fps") is { } fps ? FrameSampling.ParseRate(fps) : null,
            MergeTokens = Text("merge_tokens") is { } merge ? int.Parse(merge, CultureInfo.InvariantCulture) : null,
            // A config that does not say was written when all went by time.
            Rule = Text("frame_rule") is { } rule ? FrameSampling.ParseRule(rule) : FrameRule.Time,
        };

        string? Text(string key) => map.Children.TryGetValue(new YamlScalarNode(key), out var node) && node is YamlScalarNode { Value: { Length: > 0 } text } ? text : null;
    }
}
