namespace MvAdapter.Video;

/// <summary>
/// Decoding on a GPU by ffmpeg's own means: the frames are the same, the processor is left to the model. Off unless it is
/// asked for, since opening the device takes longer than a short clip takes to decode.
/// </summary>
public static class HardwareDecoding
{
    /// <summary>The environment variable that names the way for all decoders of a process and of those that it starts.</summary>
    public const string Variable = "MVADAPTER_HWACCEL";

    /// <summary>What takes the first way that works here, and the processor where none does.</summary>
    public const string Automatic = "auto";

    // Ways that decode video; what the others of ffmpeg's list do (OpenCL, Vulkan, DRM by itself) is no decoding in its version 5.
    private static readonly string[] Ways = ["cuda", "vaapi", "qsv", "vdpau", "videotoolbox", "d3d11va", "dxva2"];

    /// <summary>The ways whose device opens on this machine, such as <c>cuda</c> or <c>vaapi</c>.</summary>
    /// <exception cref="MvAdapterException">ffmpeg is not there.</exception>
    public static IReadOnlyList<string> Available(VideoDecoderOptions? options = null, CancellationToken cancellation = default)
    {
        var program = (options ?? new()).Ffmpeg;
        var known = Known(program, cancellation);
        return [.. Ways.Where(known.Contains).Where(way => Complaint(program, way, cancellation) is null)];
    }

    /// <summary>The way that a name stands for: itself where its device opens; for <see cref="Automatic"/> the first that does, or null for the processor.</summary>
    /// <exception cref="MvAdapterException">ffmpeg does not know it, or the machine has no device for it.</exception>
    public static string? Choose(string name, VideoDecoderOptions? options = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(name);
        var program = (options ?? new()).Ffmpeg;
        if (name == Automatic) return Available(options, cancellation) is [var first, ..] ? first : null;
        var known = Ways.Intersect(Known(program, cancellation)).ToList();
        if (!known.Contains(name))
            throw new MvAdapterException($"this ffmpeg decodes by no '{TextForMessage.Quote(name, 40)}'; it knows {string.Join(", ", known.Append(Automatic))}");
        return Complaint(program, name, cancellation) is not { } complaint ? name
            : throw new MvAdapterException($"there is no device for decoding by {name} ({TextForMessage.Quote(complaint, 120)}); {Automatic} takes what there is");
    }

    private static string[] Known(string program, CancellationToken cancellation) =>
        MediaProcess.Ask(program, ["-v", "error", "-hide_banner", "-hwaccels"], cancellation).Split('\n', StringSplitOptions.TrimEntries);

    // Opens the device, and decodes nothing.
    private static string? Complaint(string program, string way, CancellationToken cancellation)
    {
        using var process = new MediaProcess(program,
            ["-v", "error", "-nostdin", "-init_hw_device", way, "-f", "lavfi", "-i", "color=s=16x16", "-frames:v", "1", "-f", "null", "-"], TimeSpan.FromSeconds(20), cancellation);
        process.Output.Fill(new byte[1]);
        return process.WaitForExit(way) == 0 ? null : process.Complaint ?? "it cannot be opened";
    }
}
