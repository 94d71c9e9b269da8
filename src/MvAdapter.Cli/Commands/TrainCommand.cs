using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary><c>train</c>: a dataset and a CLIP in, an adapter out.</summary>
internal static class TrainCommand
{
    private static readonly string[] AdapterExtensions = [".safetensors", ".pth"];

    public static Command Create()
    {
        var command = new Command("train", """
            Trains an adapter on videos and captions. A run can be stopped at any time (Ctrl-C, kill, power) and goes on
            when the same command is given again.

            Examples:
              ./run train --clip hf:openai/clip-vit-base-patch16 --videos clips/ --captions captions.csv --lr 1e-4 --steps 500 --output adapter.safetensors
              ./run train --preset msrvtt --clip ViT-B-16.pt --annotations msrvtt/ --videos msrvtt/videos/ --output runs/msrvtt
              ./run train --config run.yaml --seed 1 --output runs/seed1
              ./run train --preset msrvtt --clip ViT-B-16.pt --annotations msrvtt/ --videos msrvtt/videos/ --workers 8 --device cuda --per-worker-batch 16 --output runs/msrvtt

            --output is a run folder (checkpoint, log.jsonl, TensorBoard events, adapter.safetensors, best.safetensors), or an
            adapter file, whose run folder is then FILE.run.
            """);
        var configOptions = new RunConfigOptions(command);
        var output = new Option<string>("--output") { Description = "The run folder, or the adapter file (.safetensors, or .pth for the published form)", Required = true, HelpName = "DIR|FILE" };
        var device = new Option<string>("--device") { Description = "cpu, cuda or cuda:N", DefaultValueFactory = _ => "cpu" };
        var threads = new Option<int?>("--threads") { Description = "Threads of the model's work, and decoders at once (by default one a core)", HelpName = "N" };
        var cache = new Option<string?>("--cache") { Description = "A folder of frames that ./run prepare made", HelpName = "DIR" };
        var strict = new Option<bool>("--strict") { Description = "Refuse a dataset with missing videos" };
        var checkpointSeconds = new Option<double>("--checkpoint-seconds") { Description = "Time between checkpoints: what a kill may cost", DefaultValueFactory = _ => 60, HelpName = "S" };
        var workerOptions = new WorkerOptions(command);
        var perWorkerBatch = WorkerOptions.PerWorkerBatch();
        command.Add(perWorkerBatch);
        var json = new Option<bool>("--json") { Description = "Print the outcome as JSON" };
        foreach (var option in new Option[] { output, device, threads, cache, strict, checkpointSeconds, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            var config = WorkerOptions.WithBatch(configOptions.Read(parsed), parsed.GetValue(perWorkerBatch), workerOptions.Count(parsed), configOptions.HasBatch(parsed));
            config.Validate();
            var target = parsed.GetValue(output)!;
            var isFile = AdapterExtensions.Contains(Path.GetExtension(target).ToLowerInvariant());
            if (isFile || target.Length == 0) OutputPath.Check(target);
            var seconds = parsed.GetValue(checkpointSeconds);
            if (seconds is not (>= 0 and <= 1e9)) throw new UsageException("--checkpoint-seconds must be from 0 to 1e9");
            return workerOptions.Run(parsed, parsed.GetValue(device)!, Agreement(config), cancellation, (workers, ending) =>
            {
                ModelOptions.SetThreads(parsed.GetValue(threads));
                var options = new TrainerOptions
                {
                    Output = isFile ? target + ".run" : target,
                    Device = ModelOptions.ParseDevice(parsed.GetValue(device)!),
                    Cache = parsed.GetValue(cache),
                    Strict = parsed.GetValue(strict),
                    CheckpointInterval = TimeSpan.FromSeconds(seconds),
                    Workers = workers,
                };
                return Run(config, options, isFile ? target : null, parsed.GetValue(json), ending);
            });
        });
        return command;
    }

    private static Dictionary<string, string> Agreement(RunConfig config) =>
        RunConfigFile.Fields.ToDictionary(field => field, field => RunConfigFile.Text(config, field));

    private static int Run(RunConfig config, TrainerOptions options, string? adapter, bool json, CancellationToken cancellation)
    {
        using var bar = Terminal.Begin("steps", 0);
        var loss = double.NaN;
        using var trainer = new Trainer(config, options with
        {
            OnMessage = message => { bar.Clear(); Terminal.Say(message); },
            OnStep = step =>
            {
                bar.Total = step.Total;
                loss = step.Loss;
                bar.Report(step.Step, string.Create(CultureInfo.InvariantCulture, $"loss {step.Loss:0.000}, {step.VideosPerSecond:0.0} videos/s"));
            },
        }, cancellation);
        Terminal.Say(RunConfigFile.ToYaml(config).TrimEnd());
        var progress = trainer.Run(cancellation);
        bar.Clear();
        var folder = new RunFolder(options.Output);
        if (options.Workers is { IsFirst: false }) return ExitCode.Success;
        if (adapter is not null) trainer.SaveAdapter(adapter);
        var result = adapter ?? folder.Adapter;
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                adapter = result,
                run = options.Output,
                steps = progress.Step,
                loss = double.IsNaN(loss) ? null : (double?)loss,
                train_seconds = Math.Round(progress.TrainSeconds, 3),
                peak_memory_bytes = progress.PeakMemory,
                skipped = progress.Skipped,
            }));
        }
        else
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{result}: {progress.Step} steps in {progress.TrainSeconds:0} s{(double.IsNaN(loss) ? "" : $", last loss {loss:0.0000}")}, peak memory {progress.PeakMemory / 1e9:0.0} GB"));
            if (File.Exists(folder.Best)) Console.WriteLine($"{folder.Best}: the best on the validation split");
        }
        foreach (var id in progress.Skipped) Terminal.Warn($"skipped in training: {TextForMessage.Quote(id)}");
        return progress.Skipped.Count > 0 ? ExitCode.Partial : ExitCode.Success;
    }
}
