using System.Text.Json.Nodes;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>A method before it meets a CLIP: its name, what it is, its settings, and how it is made.</summary>
public sealed class MethodDefinition
{
    private readonly Func<string, string, object> read;
    private readonly Func<ClipConfig, object, ParameterBuilder, Method> create;

    private MethodDefinition(
        string name, string description, object defaults, Func<string, string, object> read, Func<ClipConfig, object, ParameterBuilder, Method> create)
    {
        (Name, Description, this.read, this.create) = (name, description, read, create);
        DefaultSettings = SettingsJson.Write(defaults);
    }

    /// <summary>The name it is chosen by.</summary>
    public string Name { get; }

    /// <summary>One line for lists.</summary>
    public string Description { get; }

    /// <summary>All settings with their default values, as a JSON object.</summary>
    public string DefaultSettings { get; }

    /// <summary>Defines a method.</summary>
    /// <typeparam name="TSettings">Its hyper-parameters: a record whose properties have defaults.</typeparam>
    /// <param name="name">The name it is chosen by.</param>
    /// <param name="description">One line for lists.</param>
    /// <param name="create">Makes it for a CLIP, with its parameters in the builder's set.</param>
    public static MethodDefinition Of<TSettings>(string name, string description, Func<ClipConfig, TSettings, ParameterBuilder, Method> create)
        where TSettings : class, new() =>
        new(name, description, new TSettings(),
            (json, origin) => SettingsJson.ReadStrictly<TSettings>(json, origin, name),
            (clip, settings, p) => create(clip, (TSettings)settings, p));

    /// <summary>
    /// The settings with a run's frames and words, where the method has positions for them: the run's numbers decide.
    /// </summary>
    /// <param name="settings">A JSON object of settings; empty for the defaults.</param>
    /// <param name="frames">Most frames of a video.</param>
    /// <param name="words">Most tokens of a caption.</param>
    public string Complete(string settings, int frames, int words)
    {
        var known = JsonNode.Parse(DefaultSettings)!.AsObject();
        var given = settings.Length == 0 ? [] : JsonNode.Parse(settings)!.AsObject();
        if (known.ContainsKey("frames")) given["frames"] = frames;
        if (known.ContainsKey("words")) given["words"] = words;
        return given.ToJsonString();
    }

    /// <summary>Makes the method afresh, drawn from a seed.</summary>
    /// <param name="clip">The sizes of the CLIP that it adapts.</param>
    /// <param name="settings">A JSON object of settings; what it leaves out has its default, as has all of null.</param>
    /// <param name="seed">The seed; it gives the same parameters on every device.</param>
    /// <param name="device">Where the parameters go; null for the CPU.</param>
    /// <exception cref="MvAdapterException">A setting is unknown, malformed, or does not fit the CLIP.</exception>
    public Method Create(ClipConfig clip, string? settings = null, ulong seed = 0, Device? device = null)
    {
        using var generator = new Generator(seed);
        ParameterSource source = device is { } target ? (_, shape, initialize) => initialize(shape).To(target) : ParameterBuilder.Fresh;
        return Create(clip, settings ?? "{}", source, generator);
    }

    /// <summary>Makes the method from a source of parameters.</summary>
    /// <param name="clip">The sizes of the CLIP that it adapts.</param>
    /// <param name="settings">A JSON object of settings.</param>
    /// <param name="source">Gives the parameters: <see cref="ParameterBuilder.Fresh"/>, or a checkpoint.</param>
    /// <param name="generator">Draws fresh ones.</param>
    /// <param name="origin">Where the settings come from, for messages.</param>
    /// <exception cref="MvAdapterException">A setting is unknown, malformed, or does not fit the CLIP.</exception>
    public Method Create(ClipConfig clip, string settings, ParameterSource source, Generator generator, string? origin = null)
    {
        var parsed = read(settings, origin ?? $"the settings of {Name}");
        var p = new ParameterBuilder(new ParameterSet(), source, generator);
        try
        {
            return create(clip, parsed, p);
        }
        catch
        {
            p.Parameters.Dispose();
            throw;
        }
    }
}
