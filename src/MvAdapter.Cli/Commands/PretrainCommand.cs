using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using MvAdapter.Clip;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary><c>pretrain</c>: trains the small CLIP that MovingShapes starts from.</summary>
internal static class PretrainCommand
{
    private const int EvaluationPictures = 500;
    private const int StepsBetweenLines = 100;

    public static Command Create()
    {
        var defaults = new PretrainConfig();
        var command = new Command("pretrain", """
            Trains a small CLIP from nothing on still pictures of coloured shapes and their captions, and writes it as a
            Hugging Face folder. It knows colours, shapes, sizes and places, and no motion: what MovingShapes is built on.

            Examples:
              ./run pretrain --output clip --seed 0
              ./run pretrain --output clip --steps 500 --log pretrain.jsonl

            The same options and --threads give the same weights.
            """);
        var output = new Option<string>("--output") { Description = "The folder to write", Required = true, HelpName = "DIR" };
        var steps = new Option<int>("--steps") { Description = "Steps of the optimiser", DefaultValueFactory = _ => defaults.Steps, HelpName = "N" };
        var batch = new Option<int>("--batch") { Description = "Pictures a step", DefaultValueFactory = _ => defaults.Batch, HelpName = "N" };
        var seed = new Option<ulong>("--seed") { Description = "Decides pictures and first weights", DefaultValueFactory = _ => defaults.Seed, HelpName = "S" };
        var threads = new Option<int?>("--threads") { Description = "Threads of the model's work, and decoders at once (by default one a core)", HelpName = "N" };
        var log = new Option<string?>("--log") { Description = "Append step, loss and seconds to this file, as a line of JSON each", HelpName = "FILE" };
        foreach (var option in new Option[] { output, steps, batch, seed, threads, log }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            var folder = parsed.GetValue(output)!;
            OutputPath.CheckFolder(folder);
            var config = defaults with { Steps = parsed.GetValue(steps), Batch = parsed.GetValue(batch), Seed = parsed.GetValue(seed) };
            using var lines = parsed.GetValue(log) is { } file ? new JsonLinesWriter(file) : null;
            return Run(config, folder, lines, cancellation);
        });
        return command;
    }

    private static int Run(PretrainConfig config, string folder, JsonLinesWriter? log, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        using var pretrainer = new Pretrainer(config);
        Terminal.Say(string.Create(CultureInfo.InvariantCulture, $"{pretrainer.Clip.Parameters.ElementCount:N0} parameters, {config.Steps} steps of {config.Batch} pictures"));
        var loss = double.NaN;
        using (var bar = Terminal.Begin("steps", config.Steps))
        {
            for (var step = 1; step <= config.Steps; step++)
            {
                cancellation.ThrowIfCancellationRequested();
                loss = pretrainer.Step();
                bar.Report(step, string.Create(CultureInfo.InvariantCulture, $"loss {loss:0.000}"));
                if (step % StepsBetweenLines == 0 || step == config.Steps)
                    log?.Append(new { Step = step, Loss = loss, Seconds = Math.Round(clock.Elapsed.TotalSeconds, 1) });
            }
        }
        ClipWriter.Write(folder, pretrainer.Clip, pretrainer.Vocabulary, DType.Float16);
        var accuracies = pretrainer.Accuracies(EvaluationPictures);
        log?.Append(new { Step = config.Steps, Accuracies = accuracies });
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{folder}: loss {loss:0.000} after {config.Steps} steps, {clock.Elapsed.TotalSeconds:0} s"));
        Console.WriteLine("right caption among those that differ in one attribute, new pictures: " + string.Join(", ",
            accuracies.Select(item => string.Create(CultureInfo.InvariantCulture, $"{item.Key} {100 * item.Value:0.0} %"))));
        return ExitCode.Success;
    }
}
