using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Extensions;

/// <summary>What an application encodes with, and how much it takes on; a section of its configuration may hold the same names.</summary>
public sealed class MvAdapterOptions
{
    /// <summary>The CLIP: a checkpoint file, a folder of Hugging Face's or OpenCLIP's form, or <c>hf:owner/name</c>.</summary>
    public string Clip { get; set; } = "";

    /// <summary>The adapter's checkpoint; null for CLIP alone.</summary>
    public string? Adapter { get; set; }

    /// <summary>The BPE vocabulary; null to look beside the CLIP, in the cache, then to download it.</summary>
    public string? Vocabulary { get; set; }

    /// <summary><c>cpu</c>, <c>cuda</c> or <c>cuda:N</c>.</summary>
    public string Device { get; set; } = "cpu";

    /// <summary>Whether frozen weights and products are in bfloat16: half the memory, and faster where the processor has instructions for it.</summary>
    public bool BFloat16 { get; set; }

    /// <summary>Most frames of a video; null for those of the adapter's training, else 12.</summary>
    public int? Frames { get; set; }

    /// <summary>Most tokens of a text; null for those of the adapter's training, else 32.</summary>
    public int? Words { get; set; }

    /// <summary>Candidate frames per second; null for those of the adapter's training, else 1.</summary>
    public double? FramesPerSecond { get; set; }

    /// <summary>Which frames are taken; null for the way of the adapter's training, else uniform.</summary>
    public FrameStrategy? Strategy { get; set; }

    /// <summary>Threads of the model's work; null for libtorch's own choice, one a core.</summary>
    public int? Threads { get; set; }

    /// <summary>Requests that wait for the model; one more is refused by an <see cref="OverloadException"/>.</summary>
    public int MaxWaiting { get; set; } = 512;

    /// <summary>Requests that go through the model together.</summary>
    public int BatchSize { get; set; } = 32;

    /// <summary>What is wrong with the options, a line each; empty when nothing is.</summary>
    public IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        if (Clip.Length == 0) faults.Add("Clip is missing: a checkpoint's path, or hf:owner/name such as hf:openai/clip-vit-base-patch16");
        if (Frames is < 1 or > FrameSampling.MaxFramesLimit) faults.Add($"Frames must be from 1 to {FrameSampling.MaxFramesLimit}, not {Frames}");
        if (Words is < 2) faults.Add($"Words must be at least 2, not {Words}");
        if (FramesPerSecond is <= 0 or double.NaN) faults.Add($"FramesPerSecond must be above 0, not {FramesPerSecond}");
        if (Threads is < 1) faults.Add($"Threads must be at least 1, not {Threads}");
        if (MaxWaiting < 1) faults.Add($"MaxWaiting must be at least 1, not {MaxWaiting}");
        if (BatchSize < 1) faults.Add($"BatchSize must be at least 1, not {BatchSize}");
        try
        {
            _ = Torch.Device.Parse(Device);
        }
        catch (Exception e) when (e is FormatException or ArgumentException or MvAdapterException)
        {
            faults.Add($"Device must be cpu, cuda or cuda:N, not {TextForMessage.Quote(Device, 40)}");
        }
        return faults;
    }

    /// <summary>The same as a source of the encoder.</summary>
    public ModelSource ToSource() => new(Clip)
    {
        Adapter = Adapter,
        Vocabulary = Vocabulary,
        Device = Torch.Device.Parse(Device),
        Precision = BFloat16 ? DType.BFloat16 : DType.Float32,
        Frames = Frames,
        Words = Words,
        FramesPerSecond = FramesPerSecond,
        Strategy = Strategy,
    };
}
