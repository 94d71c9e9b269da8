using System.Text.Json;
using System.Text.Json.Serialization;
using MvAdapter.Clip;
using MvAdapter.Files;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Teaching;

/// <summary>
/// How an adapter is trained on few pairs. The published recipe is for 9,000 videos; with fifty the rates are higher, the passes more, and
/// other frames of the same clips stand in for other videos.
/// </summary>
public static class TeachingRecipe
{
    private const string MvAdapter = "mv-adapter";
    private const int UsualBatch = 16;
    private const int LargeBatch = 32;
    private const int FewestSteps = 100;
    private const int MostSteps = 1200;
    private const int Passes = 60;
    private const int ClipsForValidation = 500;   // a tenth of fewer says too little: it stopped runs that were to get better
    private const double ShareOfValidation = 0.1;
    private const int Evaluations = 10;
    private const int Patience = 5;
    private static readonly JsonSerializerOptions Lines = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The run's config.</summary>
    /// <param name="clip">The backbone, as it was named.</param>
    /// <param name="size">Its sizes: a small one learns at higher rates.</param>
    /// <param name="sampling">Which frames are taken.</param>
    /// <param name="words">Most tokens of a caption.</param>
    /// <param name="clips">How many clips are learnt from.</param>
    /// <param name="pairs">How many captions they have together.</param>
    /// <param name="annotations">The caption file.</param>
    /// <param name="seed">The run's seed.</param>
    /// <param name="method">What is trained; the rates are those that MV-Adapter was measured at.</param>
    public static RunConfig Config(string clip, ClipConfig size, FrameSampling sampling, int words, int clips, int pairs, string annotations, long seed, string method = MvAdapter)
    {
        ArgumentNullException.ThrowIfNull(size);
        ArgumentNullException.ThrowIfNull(sampling);
        // Both ends were measured: 3e-3 with the demo's CLIP of width 128, 1e-4 with ViT-B's 768.
        var rate = Math.Clamp(3e-3 * Math.Pow(128.0 / size.VisionWidth, 1.9), 1e-4, 3e-3);
        var small = size.VisionWidth < 512;
        var batch = Math.Min(small ? LargeBatch : UsualBatch, Math.Max(2, clips / 2));
        var steps = Math.Clamp(Passes * pairs / batch, FewestSteps, MostSteps);
        return new RunConfig
        {
            Dataset = "captions",
            Annotations = annotations,
            Clip = clip,
            Method = method,
            Settings = small && method == MvAdapter ? """{"bottleneck": 32}""" : "",
            Frames = sampling.MaxFrames,
            Words = words,
            Sampling = FrameSampling.Name(sampling.Strategy),
            Fps = FrameSampling.RateText(sampling.FramesPerSecond),
            FrameRule = FrameSampling.Name(sampling.Rule),
            FrameRate = sampling.PictureRate,
            BatchSize = batch,
            Steps = steps,
            AdapterLr = rate,
            ClipLr = small ? rate / 10 : 1e-7,
            Seed = seed,
            EvaluateEvery = clips >= ClipsForValidation ? Math.Max(1, steps / Evaluations) : -1,
            Patience = Patience,
        };
    }

    /// <summary>
    /// Writes the caption file of a run. Each clip to learn from is there three times, beginning and ending up to half the distance of its
    /// frames earlier or later: other frames of the same, under the same captions, which never meet in one batch. Where there are enough
    /// clips, a tenth of the videos is kept to choose the best moment of the run by.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="clips">The clips.</param>
    /// <param name="wrong">Clips that were called wrong answers, each to the queries that stand for its captions.</param>
    /// <param name="frames">Most frames of a clip.</param>
    public static void WriteCaptions(string path, IReadOnlyList<TaughtClip> clips, IReadOnlyList<TaughtClip> wrong, int frames)
    {
        ArgumentNullException.ThrowIfNull(clips);
        ArgumentNullException.ThrowIfNull(wrong);
        var videos = clips.Select(clip => clip.Video).Distinct(StringComparer.Ordinal).ToList();
        var every = (int)(1 / ShareOfValidation);
        var validation = clips.Count >= ClipsForValidation ? videos.Where((_, i) => i % every == every - 1).ToHashSet(StringComparer.Ordinal) : [];
        AtomicFile.Write(path, stream =>
        {
            using var file = new StreamWriter(stream, leaveOpen: true);
            foreach (var clip in clips)
            {
                var chosen = validation.Contains(clip.Video);
                var shift = (clip.End - clip.Start) / (2.0 * Math.Max(2, frames));
                foreach (var by in chosen ? [0.0] : new[] { 0.0, shift, -shift })
                    foreach (var caption in clip.Captions)
                        file.WriteLine(JsonSerializer.Serialize(new Line(clip.Path, caption, Math.Max(0, clip.Start + Math.Max(0, by)), clip.End + Math.Min(0, by), chosen ? "val" : "train"), Lines));
            }
            foreach (var clip in wrong)
                foreach (var query in clip.Captions)
                    file.WriteLine(JsonSerializer.Serialize(new Line(clip.Path, query, clip.Start, clip.End, "train") { Kind = "wrong" }, Lines));
        });
    }

    private sealed record Line(
        [property: JsonPropertyName("video")] string Video, [property: JsonPropertyName("caption")] string Caption,
        [property: JsonPropertyName("start")] double Start, [property: JsonPropertyName("end")] double End, [property: JsonPropertyName("split")] string Split)
    {
        [JsonPropertyName("kind")]
        public string? Kind { get; init; }
    }
}
