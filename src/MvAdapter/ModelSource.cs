using MvAdapter.Adapters;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter;

/// <summary>What to load for encoding, and how to run it.</summary>
/// <param name="Clip">A checkpoint file, a Hugging Face directory, or <c>hf:owner/name</c>.</param>
public sealed record ModelSource(string Clip)
{
    /// <summary>The BPE vocabulary; null to look beside the checkpoint, then in the cache, then to download it.</summary>
    public string? Vocabulary { get; init; }

    /// <summary>The adapter's checkpoint; null for zero-shot CLIP.</summary>
    public string? Adapter { get; init; }

    /// <summary>The activation of the CLIP's blocks, for files that do not say it; null where they do, or where an adapter or an index remembers.</summary>
    public ActivationFunction? Activation { get; init; }

    /// <summary>The identity that the CLIP had when an index was made of it; it settles an activation that nothing else says.</summary>
    public string? Backbone { get; init; }

    /// <summary>Settings for a published adapter file, which carries none.</summary>
    public MvAdapterConfig? AdapterConfig { get; init; }

    /// <summary>Float32, or BFloat16 for frozen weights and products in bfloat16.</summary>
    public DType Precision { get; init; } = DType.Float32;

    /// <summary>Where to run.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary>More devices that encode beside it, each with the model in its own memory: batches go to whichever is free.</summary>
    public IReadOnlyList<Device> OtherDevices { get; init; } = [];

    /// <summary>Most frames of a video; null for those of the adapter's training or its positions, else 12.</summary>
    public int? Frames { get; init; }

    /// <summary>Most tokens of a caption; null for those of the adapter's training or its positions, else 32.</summary>
    public int? Words { get; init; }

    /// <summary>Which frames are taken; null for the way of the adapter's training, else uniform.</summary>
    public FrameStrategy? Strategy { get; init; }

    /// <summary>Candidate frames per second; null for those of the adapter's training, else 1.</summary>
    public double? FramesPerSecond { get; init; }

    /// <summary>
    /// What candidate frames are counted by; null for the rule of the adapter's training, else as the published
    /// extraction counts. Adapters trained before there was a choice went by time.
    /// </summary>
    public FrameRule? FrameRule { get; init; }

    /// <summary>Patch tokens that each block of the vision tower merges (<see cref="RetrievalModel.MergeTokens"/>); null for as many as in the adapter's training, else none.</summary>
    public int? MergeTokens { get; init; }

    /// <summary>Pictures per second of folders of pictures; null for 1.</summary>
    public double? PictureRate { get; init; }
}
