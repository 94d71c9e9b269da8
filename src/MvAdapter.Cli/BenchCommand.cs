using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary><c>bench</c>: what this machine does with random weights of a published size.</summary>
internal static class BenchCommand
{
    private const string Tasks = "tasks";
    private static readonly string[] Works = ["encode", "text", "train", "all"];

    public static Command Create()
    {
        var command = new Command("bench", """
            Times the model on random weights: float32 and bfloat16 alternate in one run, so that their ratio is of one machine
            in one state. The median of the repeats is shown, with the least and the most.

            Examples:
              ./run bench encode
              ./run bench train --clip ViT-B/32 --videos 2 --json
              ./run bench tasks --tasks 100

            tasks writes MV-Adapters of random weights into a temporary folder, loads them over one CLIP, and measures files,
            loading, and what changing from task to task costs.
            """);
        var what = new Argument<string>("what") { Description = "encode (videos), text (captions), train (one step), all of these, or tasks", DefaultValueFactory = _ => "encode" };
        var clip = new Option<string>("--clip") { Description = string.Join(", ", ClipConfig.Presets.Keys), DefaultValueFactory = _ => "ViT-B/16", HelpName = "NAME" };
        var videos = new Option<int>("--videos") { Description = "Videos at once", DefaultValueFactory = _ => 4, HelpName = "N" };
        var tasks = new Option<int>("--tasks") { Description = "Adapters of bench tasks", DefaultValueFactory = _ => 10, HelpName = "N" };
        var repeats = new Option<int>("--repeats") { Description = "Measurements", DefaultValueFactory = _ => 5, HelpName = "N" };
        var threads = new Option<int?>("--threads") { Description = "Threads of the model's work (by default one a core)", HelpName = "N" };
        var device = new Option<string>("--device") { Description = "cpu, cuda or cuda:N", DefaultValueFactory = _ => "cpu" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        command.Add(what);
        foreach (var option in new Option[] { clip, videos, tasks, repeats, threads, device, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            var work = parsed.GetValue(what)!;
            if (!Works.Append(Tasks).Contains(work)) throw new UsageException($"nothing is called '{TextForMessage.Quote(work, 40)}' to measure; there is {string.Join(", ", Works.Append(Tasks))}");
            if (parsed.GetValue(videos) < 1 || parsed.GetValue(repeats) < 1 || parsed.GetValue(tasks) < 1) throw new UsageException("--videos, --repeats and --tasks must be at least 1");
            if (work == Tasks)
            {
                var figures = new TaskBench(ClipConfig.Preset(parsed.GetValue(clip)!), parsed.GetValue(tasks), parsed.GetValue(repeats)).Run(cancellation);
                Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(figures, Json) : figures.ToString());
                return ExitCode.Success;
            }
            var bench = new Bench(ClipConfig.Preset(parsed.GetValue(clip)!), parsed.GetValue(videos), parsed.GetValue(repeats), ModelOptions.ParseDevice(parsed.GetValue(device)!));
            var results = bench.Run(work == "all" ? Works[..^1] : [work], cancellation);
            if (parsed.GetValue(json)) Console.WriteLine(JsonSerializer.Serialize(new { clip = parsed.GetValue(clip), threads = TorchRuntime.Threads, libtorch = TorchRuntime.Version, results }, Json));
            else foreach (var result in results) Console.WriteLine(result);
            return ExitCode.Success;
        });
        return command;
    }

    private static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>One work in one precision.</summary>
    internal sealed record Timing(string Work, string Precision, double Seconds, double Least, double Most, double Gflops, long PeakMemoryBytes, double RatioToFp32)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"{Work,-7} {Precision,-5} {Seconds,8:0.000} s ({Least:0.000} to {Most:0.000})  {Gflops,7:0} GFLOP/s  peak {PeakMemoryBytes / 1e9:0.0} GB  {RatioToFp32:0.00} times as fast as fp32");
    }

    private sealed class Bench(ClipConfig clip, int videos, int repeats, Device device)
    {
        private const int Frames = 12;
        private const int Words = 32;
        private const int Captions = 64;
        private static readonly (string Name, DType Type)[] Precisions = [("fp32", DType.Float32), ("bf16", DType.BFloat16)];

        public List<Timing> Run(IReadOnlyList<string> works, CancellationToken cancellation)
        {
            using var backbone = ClipModel.CreateRandom(clip, 0);
            var models = Precisions.Select(precision => RetrievalModel.Create(
                backbone, Methods.Find("mv-adapter").Create(clip, device: device), precision.Type, device)).ToArray();
            try
            {
                return [.. works.SelectMany(work => Measure(work, models, cancellation))];
            }
            finally
            {
                foreach (var model in models) model.Dispose();
            }
        }

        private IEnumerable<Timing> Measure(string work, RetrievalModel[] models, CancellationToken cancellation)
        {
            using var scope = new TensorScope();
            using var generator = new Generator(0);
            var pixels = Tensor.RandN([videos, Frames, 3, clip.ImageSize, clip.ImageSize], generator).To(device);
            var ids = Tokens(work == "train" ? videos : Captions).To(device);
            var steps = models.Select((model, i) => work == "train" ? new TrainingStep(model, new OptimizerGroups(), _ => 1, Precisions[i].Type) : null).ToArray();
            var seconds = models.Select(_ => new List<double>()).ToArray();
            var peaks = new long[models.Length];
            for (var repeat = -1; repeat < repeats; repeat++)   // the first one warms up
            {
                for (var i = 0; i < models.Length; i++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    TorchRuntime.ResetPeakMemory(device);
                    var clock = Stopwatch.StartNew();
                    Once(work, models[i], steps[i], pixels, ids);
                    TorchRuntime.Synchronize(device);
                    if (repeat >= 0) seconds[i].Add(clock.Elapsed.TotalSeconds);
                    peaks[i] = Math.Max(peaks[i], TorchRuntime.Memory(device).Peak);
                }
            }
            foreach (var step in steps) step?.Dispose();
            for (var i = 0; i < models.Length; i++)
            {
                // The ratio of neighbours in time, whose machine was in one state.
                var ratio = Median(seconds[0].Zip(seconds[i], (plain, other) => plain / other));
                yield return new Timing(work, Precisions[i].Name, Median(seconds[i]), seconds[i].Min(), seconds[i].Max(), Flop(work) / Median(seconds[i]) / 1e9, peaks[i], ratio);
            }
        }

        private static void Once(string work, RetrievalModel model, TrainingStep? step, Tensor pixels, Tensor ids)
        {
            using var scope = new TensorScope();
            if (step is not null)
            {
                step.Accumulate(pixels, null, ids);
                step.Step();
                return;
            }
            using var inference = new InferenceMode();
            _ = work == "encode" ? model.EncodeVideos(pixels, null) : model.EncodeTexts(ids);
        }

        private Tensor Tokens(int count)
        {
            var rows = new long[count * Words];
            for (var i = 0; i < rows.Length; i++) rows[i] = i % Words == Words - 1 ? clip.VocabularySize - 1 : 1 + i * 7919 % 40000;
            return Tensor.From(rows, count, Words);
        }

        /// <summary>Multiply-adds counted as two, of the blocks' products and attention; the backward pass of frozen weights counts once more.</summary>
        private double Flop(string work)
        {
            var tokens = 1 + clip.Grid * clip.Grid;
            var vision = (double)videos * Frames * clip.VisionLayers * Block(tokens, clip.VisionWidth);
            double Text(int count) => (double)count * clip.TextLayers * Block(Words, clip.TextWidth);
            return work switch { "encode" => vision, "text" => Text(Captions), _ => 2 * (vision + Text(videos)) };
        }

        private static double Block(double tokens, double width) => 2 * (12 * tokens * width * width + 2 * tokens * tokens * width);

        private static double Median(IEnumerable<double> values)
        {
            var sorted = values.Order().ToArray();
            return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
        }
    }
}
