using System.Text.Json;
using System.Text.Json.Serialization;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>Which bottleneck weight the tied factor scales, along which side (model.md section 5).</summary>
/// <param name="Down">The down projection; else the up projection.</param>
/// <param name="Out">Along its outputs; else along its inputs.</param>
/// <param name="ClassOnly">In the video branch, a down tying scales the class path alone.</param>
[JsonConverter(typeof(TyingJsonConverter))]
public sealed record Tying(bool Down, bool Out, bool ClassOnly = false)
{
    /// <summary>Reads <c>down out</c>, <c>down in</c>, <c>up out</c>, <c>up in</c>, <c>down out cls</c> or <c>down in cls</c>.</summary>
    /// <exception cref="MvAdapterException">The text is none of them.</exception>
    public static Tying Parse(string text) => text.Split([' ', '_', '-'], StringSplitOptions.RemoveEmptyEntries) switch
    {
        ["down", "out"] => new(true, true),
        ["down", "in"] => new(true, false),
        ["down", "out", "cls"] => new(true, true, true),
        ["down", "in", "cls"] => new(true, false, true),
        ["up", "out"] => new(false, true),
        ["up", "in"] => new(false, false),
        _ => throw new MvAdapterException(
            $"'{TextForMessage.Quote(text)}' is no tying; use 'down out', 'down in', 'up out', 'up in', 'down out cls' or 'down in cls'"),
    };

    /// <inheritdoc/>
    public override string ToString() => $"{(Down ? "down" : "up")} {(Out ? "out" : "in")}{(ClassOnly ? " cls" : "")}";
}

/// <summary>
/// Cross Modality Tying (paper v2; model.md section 5): the video and the text adapter of a layer share one factor
/// vector s; each maps it by a projection of its own to a vector f that scales its bottleneck weight.
/// </summary>
public sealed class CrossModalityTying
{
    private readonly Tensor factor; // s [factorDim], shared by both branches

    /// <summary>Ties to a shared factor.</summary>
    public CrossModalityTying(ParameterBuilder p, Tying tying, Tensor factor, long bottleneck, long branchWidth)
    {
        Tying = tying;
        this.factor = factor;
        // f runs along the bottleneck (m) for "down out" and "up in", along the branch (D) for "down in" and "up out".
        Projection = Linear.Create(p["md_proj"], factor.Size(0), tying.Down == tying.Out ? bottleneck : branchWidth);
    }

    /// <summary>Where the factor acts.</summary>
    public Tying Tying { get; }

    private Linear Projection { get; }

    /// <summary>The down weight [m, D], scaled when the tying is a down tying.</summary>
    public Tensor Down(Tensor weight) => Tying.Down ? Scale(weight) : weight;

    /// <summary>The up weight [D, m], scaled when the tying is an up tying.</summary>
    public Tensor Up(Tensor weight) => Tying.Down ? weight : Scale(weight);

    private Tensor Scale(Tensor weight)
    {
        var f = Projection.Forward(factor);
        return weight * (Tying.Out ? f.Unsqueeze(1) : f);   // W[o, i] * f[o], or W[o, i] * f[i]
    }
}

/// <summary>Writes a tying as its text.</summary>
internal sealed class TyingJsonConverter : JsonConverter<Tying>
{
    public override Tying? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String ? Tying.Parse(reader.GetString()!) : throw new JsonException("tying is a text such as \"down out\"");

    public override void Write(Utf8JsonWriter writer, Tying value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
