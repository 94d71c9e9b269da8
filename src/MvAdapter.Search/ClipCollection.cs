using System.Numerics.Tensors;
using MvAdapter.Adapters;
using MvAdapter.Video;

namespace MvAdapter.Search;

/// <summary>What a collection remembers of its model, so that later commands need not name it again.</summary>
/// <param name="Identity">Backbone and adapter: vectors of another model are refused.</param>
/// <param name="Width">The length of a vector.</param>
/// <param name="Clip">Where the CLIP came from: a file, a folder or <c>hf:owner/name</c>.</param>
public sealed record CollectionModel(ModelIdentity Identity, int Width, string Clip)
{
    /// <summary>The adapter's file; null for zero-shot CLIP.</summary>
    public string? Adapter { get; init; }

    /// <summary>The settings of a published adapter file, which carries none, as JSON; null where it does.</summary>
    public string? AdapterSettings { get; init; }

    /// <summary>The vocabulary that was named; null for the one found beside the CLIP.</summary>
    public string? Vocabulary { get; init; }

    /// <summary>Which frames are taken of a clip, as <see cref="FrameSampling"/> writes it.</summary>
    public required string Sampling { get; init; }

    /// <summary>Most tokens of a caption.</summary>
    public required int Words { get; init; }

    /// <summary>How videos are cut into clips where nothing else is asked, as <see cref="ClipSplitting"/> writes it.</summary>
    public required string Splitting { get; init; }

    /// <summary>What a collection of this model remembers.</summary>
    /// <param name="source">What was loaded; its files are remembered by absolute paths.</param>
    /// <param name="encoder">What it was loaded into.</param>
    /// <param name="splitting">How videos are cut.</param>
    public static CollectionModel Of(ModelSource source, VideoTextEncoder encoder, ClipSplitting splitting)
    {
        ArgumentNullException.ThrowIfNull(encoder);
        // What a collection does not remember its adapter must.
        if (source.MergeTokens is { } merged && merged != encoder.TrainedMergeTokens)
            throw new UsageException($"--merge-tokens {merged}: an index merges as its adapter was trained, with {encoder.TrainedMergeTokens}; train one with --merge-tokens {merged}");
        return new CollectionModel(encoder.Model.Identity, encoder.Width, Absolute(source.Clip)!)
        {
            Adapter = Absolute(source.Adapter),
            AdapterSettings = source.AdapterConfig?.ToJson(),
            Vocabulary = Absolute(source.Vocabulary),
            Sampling = encoder.Sampling.ToString(),
            Words = encoder.Words,
            Splitting = splitting.ToString(),
        };
    }

    /// <summary>What to load, so that queries are encoded as the clips were.</summary>
    public ModelSource ToSource()
    {
        var sampling = FrameSampling.Parse(Sampling);
        return new ModelSource(Clip)
        {
            Backbone = Identity.Backbone,
            Adapter = Adapter,
            AdapterConfig = AdapterSettings is null ? null : MvAdapterConfig.FromJson(AdapterSettings, "the index"),
            Vocabulary = Vocabulary,
            Words = Words,
            Frames = sampling.MaxFrames,
            Strategy = sampling.Strategy,
            FramesPerSecond = sampling.FramesPerSecond,
            FrameRule = sampling.Rule,
            PictureRate = sampling.PictureRate,
        };
    }

    /// <summary>Refuses vectors of another model, with both named.</summary>
    /// <param name="other">The model that made them.</param>
    /// <param name="what">What they are, in words.</param>
    /// <exception cref="MvAdapterException">It is another one.</exception>
    public void RefuseOther(ModelIdentity other, string what = "the query")
    {
        if (other != Identity)
            throw new MvAdapterException($"{TextForMessage.Quote(what)} belongs to the model {other.Backbone}+{other.Adapter}, "
                + $"but the collection to {Identity.Backbone}+{Identity.Adapter}: vectors of two models cannot be compared");
    }

    // What is no file stays as it is: hf:owner/name.
    private static string? Absolute(string? path) => Path.Exists(path) ? Path.GetFullPath(path) : path;
}

/// <summary>The clips of one model in a store.</summary>
/// <param name="Id">The store's own number.</param>
/// <param name="Model">What made the vectors.</param>
public sealed record ClipCollection(long Id, CollectionModel Model)
{
    /// <summary>The number of the collection whose place it takes or has taken; null for none.</summary>
    public long? Replaces { get; init; }

    /// <summary>Whether it is still being filled to take the other's place; until then nobody is to search it.</summary>
    public bool IsBuilding { get; init; }
}

/// <summary>Vectors of one model, row-major, each L2-normalised.</summary>
/// <param name="Identity">The model that made them.</param>
/// <param name="Width">The length of one.</param>
/// <param name="Values">One after another.</param>
public sealed record ClipVectors(ModelIdentity Identity, int Width, ReadOnlyMemory<float> Values)
{
    /// <summary>A vector's length may differ from 1 by so much.</summary>
    internal const float LengthTolerance = 1e-3f;

    /// <summary>How many there are.</summary>
    public int Count => Values.Length / Width;

    /// <summary>One of them.</summary>
    public ReadOnlyMemory<float> this[int index] => Values.Slice(index * Width, Width);

    /// <summary>What is wrong with a vector, or null: it must have its collection's width, and a length of about 1.</summary>
    internal static string? Fault(ReadOnlySpan<float> vector, int width)
    {
        if (vector.Length != width) return $"its vector has {vector.Length} numbers instead of {width}";
        var length = TensorPrimitives.Norm(vector);
        return Math.Abs(length - 1) <= LengthTolerance ? null : $"its vector has length {length} instead of 1";
    }
}
