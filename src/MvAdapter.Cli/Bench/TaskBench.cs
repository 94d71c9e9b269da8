using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Evaluation;
using MvAdapter.Files;
using MvAdapter.Torch;

namespace MvAdapter.Cli;

/// <summary>What many tasks over one CLIP cost: on disk, to load, and to change between.</summary>
internal sealed class TaskBench(ClipConfig clip, int tasks, int repeats)
{
    private const int Captions = 64;
    private const int Words = 32;
    private static readonly int[] TasksInBatch = [1, 2, 8, 64];

    public static Command Create()
    {
        var command = new Command("tasks", """
            Many tasks over one CLIP: writes MV-Adapters of random weights into a temporary folder, loads them, and measures
            files, memory, and what changing from task to task costs.

            Example:
              ./run bench tasks --tasks 100
            """);
        var clip = new Option<string>("--clip") { Description = string.Join(", ", ClipConfig.Presets.Keys), DefaultValueFactory = _ => "ViT-B/16", HelpName = "NAME" };
        var tasks = new Option<int>("--tasks") { Description = "How many", DefaultValueFactory = _ => 10, HelpName = "N" };
        var repeats = new Option<int>("--repeats") { Description = "Measurements", DefaultValueFactory = _ => 5, HelpName = "N" };
        var threads = new Option<int?>("--threads") { Description = "Threads of the model's work (by default one a core)", HelpName = "N" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { clip, tasks, repeats, threads, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            if (parsed.GetValue(repeats) < 1 || parsed.GetValue(tasks) < 1) throw new UsageException("--repeats and --tasks must be at least 1");
            BenchCommand.Print(new TaskBench(ClipConfig.Preset(parsed.GetValue(clip)!), parsed.GetValue(tasks), parsed.GetValue(repeats)).Run(cancellation), parsed.GetValue(json));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>What was measured.</summary>
    internal sealed record Figures
    {
        public required int Tasks { get; init; }

        /// <summary>One task of full fine-tuning, float32.</summary>
        public required long FullBytes { get; init; }

        /// <summary>The files of all tasks, by precision.</summary>
        public required IReadOnlyDictionary<string, long> AdapterBytes { get; init; }

        public required double LoadSecondsPerTask { get; init; }

        /// <summary>One caption of the task of the caption before it, and of another. The two alternate.</summary>
        public required double CaptionSecondsSameTask { get; init; }
        public required double CaptionSecondsOtherTask { get; init; }

        /// <summary>A batch of captions by the number of tasks in it.</summary>
        public required IReadOnlyDictionary<int, double> BatchSeconds { get; init; }

        public override string ToString()
        {
            var text = new StringBuilder();
            Line($"full fine-tuning      {Units.Bytes(FullBytes)} a task, {Units.Bytes((double)Tasks * FullBytes)} for {Tasks}");
            foreach (var (precision, bytes) in AdapterBytes)
                Line($"adapters in {precision,-4}      {Units.Bytes((double)bytes / Tasks)} a task, {Units.Bytes(bytes)} for {Tasks}");
            Line($"loading               {1e3 * LoadSecondsPerTask:0} ms a task");
            Line($"one caption           {1e3 * CaptionSecondsSameTask:0.00} ms of the same task, {1e3 * CaptionSecondsOtherTask:0.00} ms of another");
            foreach (var (groups, seconds) in BatchSeconds)
                Line($"{Captions} captions           {1e3 * seconds:0} ms in {groups} tasks");
            return text.ToString().TrimEnd();

            void Line(FormattableString line) => text.AppendLine(line.ToString(CultureInfo.InvariantCulture));
        }
    }

    /// <summary>Writes, loads and times adapters of random weights.</summary>
    public Figures Run(CancellationToken cancellation)
    {
        using var folder = new ScratchFolder("mvadapter-bench");
        var loaded = new List<RetrievalModel>();
        using var backbone = ClipModel.CreateRandom(clip, 0);
        try
        {
            var full = Save(folder, backbone, "full", 0, AdapterPrecision.Float32);
            var fullBytes = full.Length;
            full.Delete();
            var bytes = Enum.GetValues<AdapterPrecision>().ToDictionary(precision => precision.ToName(), _ => 0L);
            var clock = new Stopwatch();
            using var bar = Terminal.Begin("adapters", tasks);
            for (var task = 0; task < tasks; task++)
            {
                cancellation.ThrowIfCancellationRequested();
                foreach (var precision in Enum.GetValues<AdapterPrecision>().Reverse())   // float32, which is loaded, at the end
                {
                    var file = Save(folder, backbone, "mv-adapter", (ulong)task, precision);
                    bytes[precision.ToName()] += file.Length;
                }
                clock.Start();
                loaded.Add(AdapterCheckpoint.Load(Path.Combine(folder.Path, "adapter.safetensors"), backbone));
                clock.Stop();
                bar.Report(task + 1);
            }
            var (same, other) = TimeCaptions(loaded);
            return new Figures
            {
                Tasks = tasks,
                FullBytes = fullBytes,
                AdapterBytes = bytes,
                LoadSecondsPerTask = clock.Elapsed.TotalSeconds / tasks,
                CaptionSecondsSameTask = same,
                CaptionSecondsOtherTask = other,
                BatchSeconds = TasksInBatch.Where(groups => groups <= tasks)
                    .ToDictionary(groups => groups, groups => Time(i => Encode(loaded[i], Captions / groups), groups) * groups),
            };
        }
        finally
        {
            foreach (var model in loaded) model.Dispose();
        }
    }

    private FileInfo Save(ScratchFolder folder, ClipModel backbone, string method, ulong seed, AdapterPrecision precision)
    {
        using var model = RetrievalModel.Create(backbone, Methods.Find(method).Create(clip, seed: seed));
        var path = Path.Combine(folder.Path, "adapter.safetensors");
        AdapterCheckpoint.Save(path, model, precision);
        return new FileInfo(path);
    }

    // Two captions of each task in turn: the first follows another task's, the second its own.
    private (double Same, double Other) TimeCaptions(List<RetrievalModel> models)
    {
        var (same, other) = (new List<double>(), new List<double>());
        for (var pair = -1; pair < repeats * Captions; pair++)
        {
            var model = models[(pair + 1) % models.Count];
            var (first, second) = (BenchCommand.Clock(() => Encode(model, 1)), BenchCommand.Clock(() => Encode(model, 1)));
            if (pair < 0) continue;
            other.Add(first);
            same.Add(second);
        }
        return (BenchCommand.Median(same), BenchCommand.Median(other));
    }

    /// <summary>The median over the repeats of the mean time of a call.</summary>
    private double Time(Action<int> once, int calls)
    {
        var seconds = new List<double>();
        for (var repeat = -1; repeat < repeats; repeat++)   // the first one warms up
        {
            var all = BenchCommand.Clock(() =>
            {
                for (var i = 0; i < calls; i++) once(i);
            });
            if (repeat >= 0) seconds.Add(all / calls);
        }
        return BenchCommand.Median(seconds);
    }

    private void Encode(RetrievalModel model, int captions)
    {
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        var ids = new long[captions * Words];
        for (var i = 0; i < ids.Length; i++) ids[i] = i % Words == Words - 1 ? clip.VocabularySize - 1 : 1 + i;
        model.EncodeTexts(Tensor.From(ids, captions, Words));
    }
}
