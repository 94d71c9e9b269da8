using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary><c>bench encode</c>, <c>text</c>, <c>train</c>: the model on random weights of a published size.</summary>
internal static class ModelBench
{
    private static readonly string[] Works = ["encode", "text", "train"];

    public static Command Create(string work, string description)
    {
        var command = new Command(work, $"""
            {description}. The median of the repeats is shown, with the least and the most, and the share of the fastest
            products that this machine reached in the same run.

            Example:
              ./run bench {work} --clip ViT-B/32
            """);
        var clip = new Option<string>("--clip") { Description = string.Join(", ", ClipConfig.Presets.Keys), DefaultValueFactory = _ => "ViT-B/16", HelpName = "NAME" };
        var videos = new Option<int>("--videos") { Description = "Videos at once", DefaultValueFactory = _ => 4, HelpName = "N" };
        var chunk = new Option<int>("--chunk-size") { Description = "With train: pairs of the batch in memory at once, 0 for all", HelpName = "N" };
        var repeats = new Option<int>("--repeats") { Description = "Measurements", DefaultValueFactory = _ => 5, HelpName = "N" };
        var threads = new Option<int?>("--threads") { Description = "Threads of the model's work (by default one a core)", HelpName = "N" };
        var device = new Option<string>("--device") { Description = "cpu, cuda or cuda:N", DefaultValueFactory = _ => "cpu" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { clip, videos, chunk, repeats, threads, device, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            if (parsed.GetValue(videos) < 1 || parsed.GetValue(repeats) < 1 || parsed.GetValue(chunk) < 0) throw new UsageException("--videos and --repeats must be at least 1, --chunk-size not negative");
            var bench = new Bench(ClipConfig.Preset(parsed.GetValue(clip)!), parsed.GetValue(videos), parsed.GetValue(chunk), parsed.GetValue(repeats), ModelOptions.ParseDevice(parsed.GetValue(device)!));
            var results = bench.Run(work == "all" ? Works : [work], cancellation);
            if (parsed.GetValue(json)) Console.WriteLine(JsonSerializer.Serialize(new { clip = parsed.GetValue(clip), threads = TorchRuntime.Threads, libtorch = TorchRuntime.Version, results }, BenchCommand.Json));
            else foreach (var result in results) Console.WriteLine(result);
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>One work in one way.</summary>
    internal sealed record Timing(
        string Work, string Path, double Seconds, double Least, double Most, double Gflops, double ShareOfProducts, long PeakMemoryBytes,
        double Ratio, double LeastRatio, double MostRatio)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"{Work,-7} {Path,-15} {Seconds,8:0.000} s ({Least:0.000} to {Most:0.000})  {Gflops,6:0} GFLOP/s, {100 * ShareOfProducts,3:0} % of products  peak {PeakMemoryBytes / 1e9:0.0} GB  {Ratio:0.00} times the plain speed ({LeastRatio:0.00} to {MostRatio:0.00})");
    }

    /// <summary>A way to do the work: the type of frozen weights, whether fused operators are used, and whether blocks are computed again for their gradients.</summary>
    private sealed record Way(string Name, DType Type, bool Fused, bool Recompute = false);

    private sealed class Bench(ClipConfig clip, int videos, int chunk, int repeats, Device device)
    {
        private const int Frames = 12;
        private const int Words = 32;
        private const int Captions = 64;
        private static readonly Way[] Ways = [new("plain fp32", DType.Float32, false), new("fp32", DType.Float32, true), new("bf16", DType.BFloat16, true)];
        private static readonly Way[] TrainingWays = [.. Ways, new("fp32, recompute", DType.Float32, true, true), new("bf16, recompute", DType.BFloat16, true, true)];

        public List<Timing> Run(IReadOnlyList<string> works, CancellationToken cancellation)
        {
            using var backbone = ClipModel.CreateRandom(clip, 0);
            // One model of a type: each more would stand in the peak memory of the others.
            var models = new[] { DType.Float32, DType.BFloat16 }.ToDictionary(type => type, type => RetrievalModel.Create(
                backbone, Methods.Find("mv-adapter").Create(clip, device: device), type, device));
            try
            {
                return [.. works.SelectMany(work => Measure(work, models, cancellation))];
            }
            finally
            {
                Fused.Enabled = true;
                foreach (var model in models.Values) model.Dispose();
            }
        }

        private IEnumerable<Timing> Measure(string work, Dictionary<DType, RetrievalModel> models, CancellationToken cancellation)
        {
            var ways = work == "train" ? TrainingWays : Ways;
            using var scope = new TensorScope();
            using var generator = new Generator(0);
            var pixels = Tensor.RandN([videos, Frames, 3, clip.ImageSize, clip.ImageSize], generator).To(device);
            var ids = Tokens(work == "train" ? videos : Captions).To(device);
            var steps = models.ToDictionary(item => item.Key, item => work == "train" ? new TrainingStep(item.Value, new OptimizerGroups(), _ => 1, item.Key) : null);
            var seconds = ways.Select(_ => new List<double>()).ToArray();
            var peaks = new long[ways.Length];
            var products = 0.0;
            for (var repeat = -1; repeat < repeats; repeat++)   // the first one warms up
            {
                foreach (var type in new[] { DType.Float32, DType.BFloat16 })
                    products = Math.Max(products, ProductRate.Measure(device, type, cancellation));
                for (var i = 0; i < ways.Length; i++)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var (model, step) = (models[ways[i].Type], steps[ways[i].Type]);
                    Fused.Enabled = ways[i].Fused;
                    model.GradientCheckpointing = ways[i].Recompute;
                    TorchRuntime.ResetPeakMemory(device);
                    var clock = Stopwatch.StartNew();
                    Once(work, model, step, pixels, ids);
                    TorchRuntime.Synchronize(device);
                    if (repeat >= 0) seconds[i].Add(clock.Elapsed.TotalSeconds);
                    peaks[i] = Math.Max(peaks[i], TorchRuntime.Memory(device).Peak);
                }
            }
            foreach (var step in steps.Values) step?.Dispose();
            for (var i = 0; i < ways.Length; i++)
            {
                // The ratio of neighbours in time, whose machine was in one state.
                var ratios = seconds[0].Zip(seconds[i], (plain, other) => plain / other).ToList();
                var gflops = Flop(work) / BenchCommand.Median(seconds[i]) / 1e9;
                yield return new Timing(work, ways[i].Name, BenchCommand.Median(seconds[i]), seconds[i].Min(), seconds[i].Max(), gflops, gflops / products, peaks[i],
                    BenchCommand.Median(ratios), ratios.Min(), ratios.Max());
            }
        }

        private void Once(string work, RetrievalModel model, TrainingStep? step, Tensor pixels, Tensor ids)
        {
            using var scope = new TensorScope();
            if (step is not null)
            {
                if (chunk == 0) step.Accumulate(pixels, null, ids);
                else step.Accumulate([.. Enumerable.Range(0, videos).Chunk(chunk).Select(part => (Func<TrainingInput>)(() =>
                    new TrainingInput(pixels.Narrow(0, part[0], part.Length), null, ids.Narrow(0, part[0], part.Length))))]);
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
    }
}
