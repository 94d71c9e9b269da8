using System.CommandLine;
using System.Globalization;
using MvAdapter.Clip;
using MvAdapter.Datasets;
using MvAdapter.Evaluation;
using MvAdapter.Search;
using MvAdapter.Torch;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary><c>demo</c>: the paper's claim on videos made here, from nothing to a table and a page.</summary>
internal static class DemoCommand
{
    private const string Backbone = "assets/moving-shapes-clip";

    public static Command Create()
    {
        var defaults = DemoRecipe.Settings;
        var command = new Command("demo", """
            Shows in some minutes what an adapter learns that CLIP alone cannot: makes videos in which only time tells the
            caption, measures zero-shot CLIP, trains MV-Adapter and full fine-tuning with mean pooling, and prints the table.

            Everything is kept, so an interrupted demo goes on when it is called again, and a finished one is shown at once.

            Examples:
              ./run demo
              ./run demo --output /tmp/demo --seeds 0,1,2
            """);
        var output = new Option<string>("--output") { Description = "The folder of videos, runs, results.json and report.html", DefaultValueFactory = _ => "runs/demo", HelpName = "DIR" };
        var videos = new Option<int>("--videos") { Description = "Training videos", DefaultValueFactory = _ => defaults.Videos, HelpName = "N" };
        var testPairs = new Option<int>("--test-pairs") { Description = "Test pairs, each a video and its reversal", DefaultValueFactory = _ => defaults.TestPairs, HelpName = "N" };
        var steps = new Option<int>("--steps") { Description = "Steps of training", DefaultValueFactory = _ => DemoRecipe.Steps, HelpName = "N" };
        var seed = new Option<long>("--seed") { Description = "Which videos", HelpName = "S" };
        var seeds = new Option<string>("--seeds") { Description = "Seeds of training, such as 0,1,2: each method is trained with each of them", DefaultValueFactory = _ => "0", HelpName = "S,..." };
        var threads = new Option<int?>("--threads") { Description = "Threads of the model's work, and decoders at once (by default one a core)", HelpName = "N" };
        var device = new Option<string>("--device") { Description = "cpu, cuda or cuda:N", DefaultValueFactory = _ => "cpu" };
        var workers = WorkerOptions.OfEachRun();
        foreach (var option in new Option[] { output, videos, testPairs, steps, seed, seeds, threads, device, workers }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            if (parsed.GetValue(steps) < 1) throw new UsageException("--steps must be at least 1");
            if (parsed.GetValue(seed) < 0) throw new UsageException("--seed must not be negative");
            var workersOfEach = WorkerOptions.OfEachRun(parsed, workers);
            var settings = defaults with { Videos = parsed.GetValue(videos), TestPairs = parsed.GetValue(testPairs), Seed = (ulong)parsed.GetValue(seed) };
            return Run(parsed.GetValue(output)!, settings, parsed.GetValue(steps), SeedList.Parse(parsed.GetValue(seeds)!), ModelOptions.ParseDevice(parsed.GetValue(device)!),
                workersOfEach > 1 ? ["--workers", workersOfEach.ToString(CultureInfo.InvariantCulture), "--device", parsed.GetValue(device)!] : null, cancellation);
        });
        return command;
    }

    private static int Run(string folder, MovingShapesSettings settings, int steps, IReadOnlyList<long> seeds, Device device, string[]? together, CancellationToken cancellation)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var clip = FindBackbone();
        var data = Path.Combine(folder, "data");
        MakeDatasetCommand.Make(data, settings, cancellation);
        var basis = DemoRecipe.Config(clip, data, steps, MachineReport.FasterPrecision(device));
        var cache = Path.Combine(folder, "frames");
        ImageProcessor processor;
        long parameters;
        using (var backbone = ClipCheckpoint.Load(clip)) (processor, parameters) = (backbone.Config.CreateImageProcessor(), backbone.Parameters.ElementCount);
        if (FramePreparation.Prepare(basis, cache, processor, strict: true, cancellation) is [var first, ..]) throw first;

        var outcomes = new List<Outcome>();
        foreach (var seed in seeds)
            foreach (var config in DemoRecipe.Methods(basis with { Seed = seed })) outcomes.Add(Train(config, folder, cache, device, together, cancellation));

        var page = Path.Combine(folder, "report.html");
        using (var frames = FrameSource.Open(FramePreparation.Reader(basis, processor), cache))
        {
            ExperimentPage.Write(page, "MV-Adapter on MovingShapes", DemoRecipe.Introduction(settings), outcomes, basis.Load(Split.Test, strict: true), frames, processor.Size, parameters);
        }
        var index = Index(basis with { Seed = seeds[0] }, folder, device, cancellation);
        Console.WriteLine(ResultTable.From(outcomes.Select(outcome => outcome.Report), parameters).ToText());
        Console.WriteLine(ProgramName.In(string.Create(CultureInfo.InvariantCulture, $"""
            Order %: given a video, its own caption scores above that of the video played backwards. Averaging frames cannot
            tell the two apart, so it stays at 50 % whatever it learns.

            {clock.Elapsed.TotalMinutes:0.0} minutes. In {folder}: report.html (open it in a browser), results.json, runs/, videos.db.
            Search in the test videos with what was trained, on a page ("a red circle grows and then moves left"):
              ./run serve --index {index}
            Next, on your own videos (a CSV of video,caption):
              ./run train --clip hf:openai/clip-vit-base-patch16 --videos DIR --captions FILE.csv --lr 1e-4 --output adapter.safetensors
              ./run eval  --clip hf:openai/clip-vit-base-patch16 --videos DIR --captions FILE.csv --adapter adapter.safetensors
            """)));
        return ExitCode.Success;
    }

    private static Outcome Train(RunConfig config, string folder, string cache, Device device, string[]? together, CancellationToken cancellation)
    {
        Terminal.Say($"{config.Method}, seed {config.Seed}:");
        if (together is not null && config.Method != Adapters.ZeroShot.Definition.Name) TrainTogether(config, folder, cache, together, cancellation);
        using var bar = Terminal.Begin($"{config.Method} steps", config.Steps);
        var experiment = new Experiment(folder, new TrainerOptions
        {
            Output = folder,
            Cache = cache,
            Device = device,
            Strict = true,
            OnMessage = message => { bar.Clear(); Terminal.Say("  " + message); },
            OnStep = step => bar.Report(step.Step, string.Create(CultureInfo.InvariantCulture, $"loss {step.Loss:0.000}, {step.VideosPerSecond:0} videos/s")),
        });
        var outcome = experiment.Run(config, cancellation);
        bar.Clear();
        Terminal.Say(string.Create(CultureInfo.InvariantCulture,
            $"  test: R@1 {outcome.Report.TextToVideo.R1:0.0} % text to video, {outcome.Report.VideoToText.R1:0.0} % video to text, order accuracy {outcome.Report.OrderAccuracy:0.0} %"));
        return outcome;
    }

    // By workers, to its end; then there is nothing left to train for the run itself.
    private static void TrainTogether(RunConfig config, string folder, string cache, string[] together, CancellationToken cancellation)
    {
        var run = new RunFolder(new Experiment(folder, new TrainerOptions { Output = folder }).RunFolder(config));
        if (run.TryReadProgress(config) is { } reached && reached.Step >= config.Steps) return;
        Directory.CreateDirectory(run.Path);
        Files.AtomicFile.WriteText(run.Config, RunConfigFile.ToYaml(config));
        var start = OwnProgram.With(["train", "--config", run.Config, "--output", run.Path, "--cache", cache, "--strict", .. together]);
        start.RedirectStandardOutput = true;
        using var process = System.Diagnostics.Process.Start(start)!;
        using var told = cancellation.Register(process.StandardInput.Close);
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (process.ExitCode != ExitCode.Success) throw new MvAdapterException($"the workers of {config.Method} ended with code {process.ExitCode}; the line above says why");
    }

    // The test videos, whole, by what MV-Adapter has learnt. Nothing is done again for what is there.
    private static string Index(RunConfig basis, string folder, Device device, CancellationToken cancellation)
    {
        var config = DemoRecipe.Methods(basis).Single(config => config.Method == "mv-adapter");
        var run = new RunFolder(new Experiment(folder, new TrainerOptions { Output = folder }).RunFolder(config));
        var source = new ModelSource(config.Clip) { Adapter = run.Adapter, Device = device };
        var path = Path.Combine(folder, "videos.db");
        using var encoder = VideoTextEncoder.Load(source, cancellation: cancellation);
        using var store = ClipStore.Open(path, StoreAccess.Create);
        var model = CollectionModel.Of(source, encoder, ClipSplitting.Whole);
        // One collection: that of the adapter trained last.
        foreach (var old in store.Collections().Where(old => old.Model.Identity != model.Identity)) store.RemoveCollection(old);
        var files = config.Load(Split.Test, strict: true).Samples.Select(sample => sample.Clip.Path).Distinct(StringComparer.Ordinal).Select(Path.GetFullPath).ToList();
        using var bar = Terminal.Begin("videos indexed", files.Count);
        var done = 0;
        new Indexer(store, store.AddCollection(model), encoder).Index(files, _ => bar.Report(++done), cancellation);
        return path;
    }

    // Beside the program, or beside its sources, from wherever it is called.
    private static string FindBackbone()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (Directory.Exists(Path.Combine(folder, Backbone))) return Path.Combine(folder, Backbone);
        throw new MvAdapterException($"{Backbone} is missing beside the program; make one with ./run pretrain --output {Backbone}");
    }
}
