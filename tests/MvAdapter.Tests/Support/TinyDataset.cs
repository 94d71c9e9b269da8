using System.Globalization;
using MvAdapter.Training;

namespace MvAdapter.Tests.Support;

/// <summary>A few short videos that differ, with a caption each, and the config of a run on them.</summary>
public sealed class TinyDataset : IDisposable
{
    private static readonly string[] Sources =
        ["testsrc", "testsrc2", "smptebars", "rgbtestsrc", "color=red", "color=blue", "mandelbrot", "color=green"];

    private readonly TemporaryFolder folder = new();

    public TinyDataset()
    {
        for (var i = 0; i < Sources.Length; i++)
            Ffmpeg.Make(Video(i), $"{Sources[i]}{(Sources[i].Contains('=', StringComparison.Ordinal) ? ":" : "=")}s=48x48:r=4", "-t", "2", "-pix_fmt", "yuv420p");
        Captions = WriteCaptions("captions.csv", [.. Enumerable.Range(0, Sources.Length)]);
    }

    /// <summary>The caption file: every video in every split.</summary>
    public string Captions { get; }

    /// <summary>How many videos there are.</summary>
    public static int Count => Sources.Length;

    /// <summary>A video's file.</summary>
    public string Video(int index) => folder.File(Name(index));

    /// <summary>A file beside the videos.</summary>
    public string File(string name) => folder.File(name);

    /// <summary>Writes a file beside the videos.</summary>
    public string Write(string name, string text) => folder.Write(name, text);

    /// <summary>Writes a caption file that names some of the videos for training, validation and test.</summary>
    public string WriteCaptions(string name, int[] videos) => Write(name, "video,caption,split\n" + string.Concat(
        new[] { "train", "val", "test" }.SelectMany(split => videos.Select(i => $"{Name(i)},{Caption(i)},{split}\n"))));

    /// <summary>A run of some steps at a rate at which even these weights move.</summary>
    public RunConfig Config(TinyClip clip, int steps) => new()
    {
        Annotations = Captions,
        Clip = clip.Checkpoint,
        Settings = TinyClip.AdapterSettings.ToJson(),
        Frames = 3,
        Words = 16,
        Fps = "4",
        BatchSize = 4,
        Steps = steps,
        AdapterLr = 1e-2,
        ClipLr = 1e-3,
        EvaluateEvery = -1,
    };

    /// <summary>Writes the config as a file for the command line.</summary>
    public string WriteConfig(RunConfig config, string name = "run.yaml") => Write(name, RunConfigFile.ToYaml(config));

    public void Dispose() => folder.Dispose();

    private static string Name(int index) => string.Create(CultureInfo.InvariantCulture, $"v{index}.mp4");

    private static string Caption(int index) => string.Create(CultureInfo.InvariantCulture, $"a {Sources[index].Replace('=', ' ')} is riding number {index}");
}
