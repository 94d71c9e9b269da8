using System.Text.RegularExpressions;

namespace MvAdapter.Video;

/// <summary>Keeps of what ffmpeg writes to standard error the last line that says something.</summary>
internal sealed partial class FfmpegComplaints
{
    // Lines with which ffmpeg ends whatever went wrong.
    private static readonly string[] General =
    [
        "Invalid data found when processing input", "Invalid argument", "Conversion failed!", "Error opening input",
        "Error while decoding stream", "Error initializing", "Failed to inject frame", "Error splitting the input",
        "Output file", "Nothing was written", "Task finished with error", "Terminating thread", "Error marking filters",
        "Last message repeated", "first frame is no keyframe",
    ];

    private readonly Lock gate = new();
    private string? last;
    private string? meaningful;

    /// <summary>The reason, or null when ffmpeg was content.</summary>
    public string? Reason
    {
        get { lock (gate) return meaningful ?? last; }
    }

    /// <summary>Takes one line of standard error.</summary>
    public void Add(string? line)
    {
        if (string.IsNullOrWhiteSpace(line)) return;
        var text = TextForMessage.Quote(Origin().Replace(line, "").Trim(), 200);
        lock (gate)
        {
            last = text;
            if (!General.Any(general => text.Contains(general, StringComparison.Ordinal))) meaningful = text;
        }
    }

    // "[h264 @ 0x55...] " in front of a line: addresses tell a user nothing.
    [GeneratedRegex(@"^(\[[^\]]*\] ?)+")]
    private static partial Regex Origin();
}
