using System.CommandLine;
using System.Globalization;
using MvAdapter.Comparing;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary>
/// <c>measure</c>: one run of a comparison, in a process of its own so that its memory is its own. It ends when whoever
/// started it does, which it knows by the end of its standard input.
/// </summary>
internal static class MeasureCommand
{
    private static readonly TimeSpan LockPatience = TimeSpan.FromSeconds(20);

    public static Command Create()
    {
        var command = new Command("measure", "Trains and measures one run of a comparison in the folder of its config.yaml; compare starts it.") { Hidden = true };
        var folder = new Option<string>("--folder") { Required = true };
        var row = new Option<string>("--row") { Required = true };
        var cache = new Option<string>("--cache") { Required = true };
        var device = new Option<string>("--device") { Required = true };
        var threads = new Option<int?>("--threads");
        var jobs = new Option<int>("--jobs") { Required = true };
        var minutes = new Option<double?>("--minutes");
        var checkpointSeconds = new Option<double>("--checkpoint-seconds") { DefaultValueFactory = _ => 60 };
        var workerOptions = new WorkerOptions(command);
        foreach (var option in new Option[] { folder, row, cache, device, threads, jobs, minutes, checkpointSeconds }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            var run = new RunFolder(parsed.GetValue(folder)!);
            return workerOptions.Run(parsed, parsed.GetValue(device)!, WorkerOptions.Alike(parsed), cancellation, (workers, ending) =>
            {
                using var exclusive = workers is { IsFirst: false } ? null : Lock(run, ending);
                return Run(parsed, run, workers, ending);
            });
        });
        return command;

        int Run(ParseResult parsed, RunFolder run, Workers? workers, CancellationToken cancellation)
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            var config = RunConfigFile.Read(run.Config);
            var outcome = MeasuredRun.Run(config, new TrainerOptions
            {
                Output = run.Path,
                Cache = parsed.GetValue(cache),
                Device = ModelOptions.ParseDevice(parsed.GetValue(device)!),
                CheckpointInterval = TimeSpan.FromSeconds(parsed.GetValue(checkpointSeconds)),
                TimeLimit = parsed.GetValue(minutes) is { } limit ? TimeSpan.FromMinutes(limit) : TimeSpan.MaxValue,
                Workers = workers,
                OnMessage = Terminal.Say,
                OnStep = step => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{step.Step} {step.Total} {step.Loss:0.0000}")),
            }, cancellation);
            if (workers is { IsFirst: false }) return ExitCode.Success;
            new RunResult
            {
                Report = outcome.Report with { Method = parsed.GetValue(row)! },
                Config = RunConfigFile.ToYaml(config),
                TotalSteps = outcome.TotalSteps,
                Complete = outcome.Complete,
                Device = parsed.GetValue(device)!,
                Threads = TorchRuntime.Threads,
                Jobs = parsed.GetValue(jobs),
                Workers = workers?.Count ?? 1,
                Curve = LearningCurves.Smooth(outcome.Log),
            }.Write(run);
            return ExitCode.Success;
        }
    }

    // One that was orphaned by a kill may still be on its way out of the folder.
    private static FileStream Lock(RunFolder run, CancellationToken cancellation)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        while (true)
        {
            try
            {
                return new FileStream(run.File(".measure.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
            }
            catch (IOException) when (clock.Elapsed < LockPatience)
            {
                cancellation.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(200));
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }
}
