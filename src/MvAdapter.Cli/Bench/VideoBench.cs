using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using MvAdapter.Clip;
using MvAdapter.Evaluation;
using MvAdapter.Files;
using MvAdapter.Search;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>
/// <c>bench decode</c> and <c>bench index</c>: what reading videos costs beside the bare ffmpeg command, and what indexing them costs
/// beside decoding and encoding alone.
/// </summary>
internal sealed class VideoBench(IReadOnlyList<string> videos, int repeats)
{
    private static readonly FrameSampling Sampling = new();

    public static Command CreateDecode()
    {
        var command = new Command("decode", """
            Reading videos into the model's pictures, beside the ffmpeg command alone that decodes the same frames and throws them away.
            The two alternate. Videos are made where none are named.

            Examples:
              ./run bench decode
              ./run bench decode --videos ~/videos
            """);
        var options = new Options(command, count: 24);
        command.Runs((parsed, cancellation) => options.With(parsed, cancellation, (bench, json) =>
            BenchCommand.Print(bench.Decode(cancellation), json)));
        return command;
    }

    public static Command CreateIndex()
    {
        var command = new Command("index", """
            Indexing videos, beside decoding them alone and encoding them alone, of random weights. Where the model's work hides the
            decoders', indexing takes hardly longer than the slower of the two. The three alternate.

            Examples:
              ./run bench index
              ./run bench index --videos ~/videos --clip ViT-B/32 --precision bf16
            """);
        var options = new Options(command, count: 12);
        var clip = new Option<string>("--clip") { Description = string.Join(", ", ClipConfig.Presets.Keys), DefaultValueFactory = _ => "ViT-B/16", HelpName = "NAME" };
        var precision = new Option<string>("--precision") { Description = "fp32, or bf16 for products in bfloat16", DefaultValueFactory = _ => "fp32" };
        precision.AcceptOnlyFromAmong("fp32", "bf16");
        command.Add(clip);
        command.Add(precision);
        command.Runs((parsed, cancellation) => options.With(parsed, cancellation, (bench, json) => BenchCommand.Print(bench.Index(
            ClipConfig.Preset(parsed.GetValue(clip)!), parsed.GetValue(precision) == "bf16" ? DType.BFloat16 : DType.Float32, cancellation), json)));
        return command;
    }

    internal sealed record Decoding(int Videos, int Frames, int Decoders, double Seconds, double BareSeconds, double Share, double LeastShare, double MostShare)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"""
            {Videos} videos, {Frames} frames, {Decoders} at once
            ffmpeg alone    {BareSeconds,7:0.00} s  {Frames / BareSeconds,6:0} frames/s
            videos read     {Seconds,7:0.00} s  {Frames / Seconds,6:0} frames/s, {100 * Share:0} % of ffmpeg's speed ({100 * LeastShare:0} to {100 * MostShare:0})
            """);
    }

    internal sealed record Indexing(int Videos, int Clips, double DecodeSeconds, double EncodeSeconds, double IndexSeconds, double Ratio, double LeastRatio, double MostRatio, long PeakMemoryBytes)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"""
            {Videos} videos, {Clips} clips
            decoding alone  {DecodeSeconds,7:0.00} s
            encoding alone  {EncodeSeconds,7:0.00} s
            indexing        {IndexSeconds,7:0.00} s, {Ratio:0.00} times the larger of the two ({LeastRatio:0.00} to {MostRatio:0.00}), {Clips / IndexSeconds:0.0} clips/s, peak {Units.Bytes(PeakMemoryBytes)}
            """);
    }

    private Decoding Decode(CancellationToken cancellation)
    {
        var reader = new VideoReader(new ImageProcessor(), Sampling);
        var decoder = new VideoDecoder();
        var clips = videos.Select(path => new VideoClip(path)).ToList();
        var commands = clips.Select(clip => decoder.Command(clip, Sampling, cancellation)).ToList();
        var (bare, ours, frames) = (new List<double>(), new List<double>(), 0);
        for (var repeat = -1; repeat < repeats; repeat++)   // the first one fills the system's cache of files
        {
            var alone = BenchCommand.Clock(() => Parallel.ForEach(commands, new ParallelOptions { MaxDegreeOfParallelism = VideoReader.DefaultParallelism, CancellationToken = cancellation },
                arguments => Run([.. arguments.SkipLast(1), "-y", OperatingSystem.IsWindows() ? "NUL" : "/dev/null"], cancellation)));
            var read = BenchCommand.Clock(() => frames = reader.Read(clips, cancellation).Sum(video => video.Error is { } error ? throw error : video.FrameCount));
            if (repeat < 0) continue;
            bare.Add(alone);
            ours.Add(read);
        }
        var shares = bare.Zip(ours, (alone, read) => alone / read).ToList();
        return new Decoding(videos.Count, frames, VideoReader.DefaultParallelism, BenchCommand.Median(ours), BenchCommand.Median(bare), BenchCommand.Median(shares), shares.Min(), shares.Max());
    }

    private Indexing Index(ClipConfig clip, DType precision, CancellationToken cancellation)
    {
        using var folder = new ScratchFolder("mvadapter-bench");
        using var model = ModelBench.Model(clip, precision, Device.Cpu);
        using var encoder = new VideoTextEncoder(model, ClipTokenizer.From(new TrainedVocabulary("", "#version: 0.2\n")), Sampling, words: 32);
        var (decode, encode, index) = (new List<double>(), new List<double>(), new List<double>());
        var (clips, peak) = (0, 0L);
        for (var repeat = 0; repeat < repeats; repeat++)
        {
            var path = Path.Combine(folder.Path, $"{repeat}.db");
            TorchRuntime.ResetPeakMemory(Device.Cpu);
            using (var store = ClipStore.Open(path, StoreAccess.Create))
            {
                var collection = store.AddCollection(new CollectionModel(encoder.Model.Identity, encoder.Width, "random") { Sampling = Sampling.ToString(), Words = 32, Splitting = new ClipSplitting().ToString() });
                var indexer = new Indexer(store, collection, encoder);
                clips = 0;
                using var progress = Terminal.Begin("videos", videos.Count);
                var done = 0;
                index.Add(BenchCommand.Clock(() => indexer.Index(videos, outcome =>
                {
                    if (outcome.Problem is { } problem) throw new MvAdapterException(problem);
                    clips += outcome.Clips;
                    progress.Report(++done);
                }, cancellation)));
                peak = Math.Max(peak, TorchRuntime.Memory(Device.Cpu).Peak);
                var parts = videos.Select(video => (IReadOnlyList<VideoClip>)[.. store.Clips(collection, store.FindVideo(collection, video)!).Select(item => new VideoClip(video, item.Span.Start, item.Span.End))]).ToList();
                var frames = new List<VideoFrames>();
                decode.Add(BenchCommand.Clock(() => frames.AddRange(encoder.Reader.ReadVideos(parts, cancellation))));
                encode.Add(BenchCommand.Clock(() => _ = encoder.EncodeVideos(frames).Count()));
            }
        }
        var ratios = index.Select((seconds, i) => seconds / Math.Max(decode[i], encode[i])).ToList();
        return new Indexing(videos.Count, clips, BenchCommand.Median(decode), BenchCommand.Median(encode), BenchCommand.Median(index), BenchCommand.Median(ratios), ratios.Min(), ratios.Max(), peak);
    }

    private static void Run(IEnumerable<string> arguments, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        using var process = Process.Start(new ProcessStartInfo("ffmpeg", arguments) { RedirectStandardInput = true, RedirectStandardError = true })!;
        process.StandardInput.Close();
        var complaint = process.StandardError.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0) throw new MvAdapterException($"ffmpeg failed: {TextForMessage.Quote(complaint, 200)}");
    }

    /// <summary>The options of both, and the videos that they name or make.</summary>
    private sealed class Options
    {
        private readonly Option<string[]> paths = new("--videos") { Description = "Video files, and folders of them; without, videos of 10 s, 320 x 240, are made", HelpName = "PATH", AllowMultipleArgumentsPerToken = true };
        private readonly Option<int> made = new("--count") { HelpName = "N" };
        private readonly Option<int> times = new("--repeats") { Description = "Measurements", DefaultValueFactory = _ => 3, HelpName = "N" };
        private readonly Option<int?> threads = new("--threads") { Description = "Threads of the model's work, and decoders at once (by default one a core)", HelpName = "N" };
        private readonly Option<bool> json = new("--json") { Description = "Print JSON" };

        public Options(Command command, int count)
        {
            made.Description = "How many videos are made";
            made.DefaultValueFactory = _ => count;
            foreach (var option in new Option[] { paths, made, times, threads, json }) command.Add(option);
        }

        public int With(ParseResult parsed, CancellationToken cancellation, Action<VideoBench, bool> measure)
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            if (parsed.GetValue(times) < 1 || parsed.GetValue(made) < 1) throw new UsageException("--repeats and --count must be at least 1");
            if (parsed.GetValue(paths) is { Length: > 0 } named)
            {
                var found = VideoFiles.Find(named);
                if (found.Count == 0) throw new MvAdapterException($"there are no videos in {string.Join(", ", named.Select(path => TextForMessage.Quote(path)))}");
                measure(new VideoBench(found, parsed.GetValue(times)), parsed.GetValue(json));
                return ExitCode.Success;
            }
            using var folder = new ScratchFolder("mvadapter-bench");
            measure(new VideoBench(Make(folder.Path, parsed.GetValue(made), cancellation), parsed.GetValue(times)), parsed.GetValue(json));
            return ExitCode.Success;
        }

        // Moving shapes under noise, at about the rate of bits of clips from the web.
        private static List<string> Make(string folder, int count, CancellationToken cancellation)
        {
            using var progress = Terminal.Begin("videos made", count);
            return [.. Enumerable.Range(0, count).Select(i =>
            {
                var path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{i:0000}.mp4"));
                Run(["-v", "error", "-nostdin", "-f", "lavfi", "-i", string.Create(CultureInfo.InvariantCulture, $"testsrc2=size=320x240:rate=30:duration=10,noise=all_seed={i}:alls=8:allf=t"),
                    "-c:v", "libx264", "-preset", "fast", "-b:v", "300k", "-pix_fmt", "yuv420p", path], cancellation);
                progress.Report(i + 1);
                return path;
            })];
        }
    }
}
