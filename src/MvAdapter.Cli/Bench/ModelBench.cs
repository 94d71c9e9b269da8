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
        var captions = new Option<int>("--captions") { Description = "With text: captions at once", DefaultValueFactory = _ => 64, HelpName = "N" };
        var profile = new Option<bool>("--profile") { Description = "Also say in which operators the time goes" };
        var chunk = new Option<int>("--chunk-size") { Description = "With train: pairs of the batch in memory at once, 0 for all", HelpName = "N" };
        var repeats = new Option<int>("--repeats") { Description = "Measurements", DefaultValueFactory = _ => 5, HelpName = "N" };
        var paths = new Option<string?>("--paths") { Description = $"Which ways, separated by commas, where not all: {string.Join(", ", Bench.Names)}", HelpName = "NAMES" };
        var merge = new Option<int>("--merge-tokens") { Description = "With encode and train: also bf16 with so many patch tokens merged in each block", HelpName = "R" };
        var threads = new Option<int?>("--threads") { Description = "Threads of the model's work (by default one a core)", HelpName = "N" };
        var device = new Option<string>("--device") { Description = "cpu, cuda or cuda:N", DefaultValueFactory = _ => "cpu" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { clip, videos, captions, chunk, repeats, paths, merge, threads, device, profile, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            if (parsed.GetValue(videos) < 1 || parsed.GetValue(captions) < 1 || parsed.GetValue(repeats) < 1 || parsed.GetValue(chunk) < 0 || parsed.GetValue(merge) < 0)
                throw new UsageException("--videos, --captions and --repeats must be at least 1, --chunk-size and --merge-tokens not negative");
            var bench = new Bench(ClipConfig.Preset(parsed.GetValue(clip)!), parsed.GetValue(videos), parsed.GetValue(captions), parsed.GetValue(chunk), parsed.GetValue(repeats), ModelOptions.ParseDevice(parsed.GetValue(device)!), Bench.WaysOf(parsed.GetValue(paths)), parsed.GetValue(merge), parsed.GetValue(profile));
            var results = bench.Run(work == "all" ? Works : [work], cancellation);
            if (parsed.GetValue(json)) Console.WriteLine(JsonSerializer.Serialize(new { clip = parsed.GetValue(clip), device = parsed.GetValue(device), threads = TorchRuntime.Threads, libtorch = TorchRuntime.Version, results }, BenchCommand.Json));
            else foreach (var result in results) Console.WriteLine(result);
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>A model of MV-Adapter on random weights.</summary>
    public static RetrievalModel Model(ClipConfig clip, DType type, Device device)
    {
        using var backbone = ClipModel.CreateRandom(clip, 0);
        return RetrievalModel.Create(backbone, Methods.Find("mv-adapter").Create(clip, device: device), type, device);
    }

    /// <summary>One work in one way. Its ratios are to the first way's speed; its memory is that of a process with this model alone.</summary>
    internal sealed record Timing(
        string Work, string Path, double Seconds, double Least, double Most, double Gflops, double ShareOfProducts, MatrixUnitReport? MatrixUnit, long PeakMemoryBytes,
        double Ratio, double LeastRatio, double MostRatio, double PerSecond, IReadOnlyList<OperatorTime>? Operators)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"{Work,-7} {Path,-15} {Seconds,8:0.000} s ({Least:0.000} to {Most:0.000})  {Gflops,6:0} GFLOP/s, {100 * ShareOfProducts,3:0} % of products{ShareOfUnit}  peak {PeakMemoryBytes / 1e9:0.0} GB  {Ratio:0.00} times the first one's speed ({LeastRatio:0.00} to {MostRatio:0.00})")
            + string.Concat((Operators ?? []).Select(time => string.Create(CultureInfo.InvariantCulture, $"\n  {1e3 * time.Seconds,10:0.00} ms {100 * time.Seconds / Seconds,5:0.0} %  {time.Calls,6} x {time.Name}")));

        // Of bfloat16's unit: its instruction alone, and with loading what it multiplies.
        private string ShareOfUnit => MatrixUnit is not { } unit || Path.Contains("fp32", StringComparison.Ordinal) ? ""
            : string.Create(CultureInfo.InvariantCulture, $", {100 * Gflops / unit.AloneGflops:0} % of {unit.Name} alone, {100 * Gflops / unit.LoadingGflops:0} % of it loading");
    }

    /// <summary>A way to do the work: the type of frozen weights, whether fused operators are used, whether blocks are computed again for their gradients, and tokens merged.</summary>
    private sealed record Way(string Name, DType Type, bool Fused, bool Recompute = false, int Merge = 0);

    private sealed class Bench(ClipConfig clip, int videos, int captions, int chunk, int repeats, Device device, IReadOnlyList<Way>? chosen, int merge, bool profile)
    {
        private const int Frames = 12;
        private const int Words = 32;
        private const int OperatorsShown = 20;
        private static readonly DType[] Types = [DType.Float32, DType.BFloat16];
        private static readonly Way[] Ways = [new("plain fp32", DType.Float32, false), new("fp32", DType.Float32, true), new("bf16", DType.BFloat16, true)];
        private static readonly Way[] TrainingWays = [.. Ways, new("fp32, recompute", DType.Float32, true, true), new("bf16, recompute", DType.BFloat16, true, true)];

        /// <summary>The ways as they are named on the command line, without their commas.</summary>
        public static IEnumerable<string> Names => TrainingWays.Select(way => Name(way.Name));

        /// <summary>The ways of these names, or null for all.</summary>
        public static IReadOnlyList<Way>? WaysOf(string? names) => names?.Split(',', StringSplitOptions.TrimEntries).Select(name =>
            TrainingWays.FirstOrDefault(way => Name(way.Name) == name) ?? throw new UsageException($"--paths has no '{TextForMessage.Quote(name, 40)}'; there are {string.Join(", ", Names)}")).ToList();

        private static string Name(string way) => way.Replace(",", "", StringComparison.Ordinal).Replace(' ', '-');

        public List<Timing> Run(IReadOnlyList<string> works, CancellationToken cancellation)
        {
            try
            {
                return [.. works.SelectMany(work => Measure(work, cancellation))];
            }
            finally
            {
                Fused.Enabled = true;
            }
        }

        private IEnumerable<Timing> Measure(string work, CancellationToken cancellation)
        {
            // A GPU has no operators of ours: the plain path is the only one in float32.
            var possible = (work == "train" ? TrainingWays : Ways).Where(way => way.Fused || device.IsCpu).ToArray();
            Way[] ways = chosen is null ? possible : [.. possible.Where(chosen.Contains)];
            if (merge > 0 && work != "text") ways = [.. ways, new Way($"bf16, merge {merge}", DType.BFloat16, true, Merge: merge)];
            if (ways.Length == 0) throw new UsageException($"--paths names no way of {work}");
            using var scope = new TensorScope();
            using var generator = new Generator(0);
            var pixels = work == "text" ? Tensor.Zeros([0]) : Tensor.RandN([videos, Frames, 3, clip.ImageSize, clip.ImageSize], generator).Upload(device);
            var ids = Tokens(work == "train" ? videos : captions).To(device);
            // Memory first, each type's model alone, as in use; it warms up as well.
            var peaks = new long[ways.Length];
            foreach (var type in Types.Where(type => ways.Any(way => way.Type == type)))
            {
                using var alone = new Subject(work, ModelBench.Model(clip, type, device));
                for (var i = 0; i < ways.Length; i++)
                {
                    if (ways[i].Type != type) continue;
                    TorchRuntime.ResetPeakMemory(device);
                    Time(ways[i], alone, pixels, ids, cancellation);
                    peaks[i] = TorchRuntime.Memory(device).Peak;
                }
            }
            var (seconds, products, unit, operators) = Alternate(work, ways, pixels, ids, cancellation);
            for (var i = 0; i < ways.Length; i++)
            {
                // The ratio of neighbours in time, whose machine was in one state.
                var ratios = seconds[0].Zip(seconds[i], (first, other) => first / other).ToList();
                var gflops = Flop(work) / BenchCommand.Median(seconds[i]) / 1e9;
                yield return new Timing(work, ways[i].Name, BenchCommand.Median(seconds[i]), seconds[i].Min(), seconds[i].Max(), gflops, gflops / products, unit, peaks[i],
                    BenchCommand.Median(ratios), ratios.Min(), ratios.Max(), (work == "text" ? captions : videos) / BenchCommand.Median(seconds[i]), operators?[i]);
            }
        }

        private (List<double>[] Seconds, double Products, MatrixUnitReport? Unit, IReadOnlyList<OperatorTime>[]? Operators) Alternate(string work, Way[] ways, Tensor pixels, Tensor ids, CancellationToken cancellation)
        {
            var subjects = Types.Where(type => ways.Any(way => way.Type == type)).ToDictionary(type => type, type => new Subject(work, ModelBench.Model(clip, type, device)));
            try
            {
                var seconds = ways.Select(_ => new List<double>()).ToArray();
                var products = 0.0;
                var units = new List<MatrixUnitReport>();
                for (var repeat = 0; repeat < repeats; repeat++)
                {
                    foreach (var type in subjects.Keys) products = Math.Max(products, ProductRate.Measure(device, type, cancellation));
                    if (device.IsCpu && MatrixUnitReport.Take() is { } unit) units.Add(unit);
                    for (var i = 0; i < ways.Length; i++) seconds[i].Add(Time(ways[i], subjects[ways[i].Type], pixels, ids, cancellation));
                }
                return (seconds, products, units.Count == 0 ? null : new MatrixUnitReport(units[0].Name, BenchCommand.Median(units.Select(unit => unit.AloneGflops)), BenchCommand.Median(units.Select(unit => unit.LoadingGflops))), !profile ? null
                    : [.. ways.Select(way => OperatorProfile.Take(device, () => Time(way, subjects[way.Type], pixels, ids, cancellation)).Take(OperatorsShown).ToList())]);
            }
            finally
            {
                foreach (var subject in subjects.Values) subject.Dispose();
            }
        }

        private double Time(Way way, Subject subject, Tensor pixels, Tensor ids, CancellationToken cancellation)
        {
            cancellation.ThrowIfCancellationRequested();
            Fused.Enabled = way.Fused;
            subject.Model.GradientCheckpointing = way.Recompute;
            subject.Model.MergeTokens = way.Merge;
            var clock = Stopwatch.StartNew();
            Once(subject, pixels, ids);
            TorchRuntime.Synchronize(device);
            return clock.Elapsed.TotalSeconds;
        }

        private void Once(Subject subject, Tensor pixels, Tensor ids)
        {
            using var scope = new TensorScope();
            if (subject.Step is { } step)
            {
                if (chunk == 0) step.Accumulate(new TrainingInput(FrameBatch.Padded(pixels, null), ids));
                else step.Accumulate([.. Enumerable.Range(0, videos).Chunk(chunk).Select(part => (Func<TrainingInput>)(() =>
                    new TrainingInput(FrameBatch.Padded(pixels.Narrow(0, part[0], part.Length), null), ids.Narrow(0, part[0], part.Length))))]);
                step.Step();
                return;
            }
            using var inference = new InferenceMode();
            _ = subject.Work == "encode" ? subject.Model.EncodeVideos(pixels, null) : subject.Model.EncodeTexts(ids);
        }

        /// <summary>A model at its work.</summary>
        private sealed record Subject(string Work, RetrievalModel Model) : IDisposable
        {
            public TrainingStep? Step { get; } = Work != "train" ? null
                : new TrainingStep(Model, new OptimizerGroups(), _ => 1, Model.Clip.Parameters["visual.proj"].DType);

            public void Dispose()
            {
                Step?.Dispose();
                Model.Dispose();
            }
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
            return work switch { "encode" => vision, "text" => Text(captions), _ => 2 * (vision + Text(videos)) };
        }

        private static double Block(double tokens, double width) => 2 * (12 * tokens * width * width + 2 * tokens * tokens * width);
    }
}
