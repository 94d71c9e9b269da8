using System.CommandLine;
using System.Globalization;
using MvAdapter.Datasets;

namespace MvAdapter.Cli;

/// <summary><c>make-dataset</c>: makes the files of the built-in benchmark.</summary>
internal static class MakeDatasetCommand
{
    private const string MovingShapesName = "moving-shapes";

    public static Command Create()
    {
        var defaults = new MovingShapesSettings();
        var command = new Command("make-dataset", """
            Makes the videos and captions of MovingShapes, the benchmark that only the order of frames solves.

            Examples:
              ./run make-dataset moving-shapes --output data/moving-shapes --videos 2000 --seed 0
              ./run make-dataset moving-shapes --output data/hard --videos 4000 --seed 1 --level hard --test-pairs 200

            The same options always give the same bytes. An interrupted call is taken up where it stopped: run it again.
            """);
        var name = new Argument<string>("name") { Description = $"The dataset: {MovingShapesName}" };
        var output = new Option<string>("--output") { Description = "The folder to make", Required = true, HelpName = "DIR" };
        var videos = new Option<int>("--videos") { Description = "Training videos", DefaultValueFactory = _ => defaults.Videos, HelpName = "N" };
        var seed = new Option<ulong>("--seed") { Description = "Which videos", DefaultValueFactory = _ => defaults.Seed, HelpName = "S" };
        var level = new Option<ShapeLevel>("--level") { Description = "easy: one shape before a plain background; hard: texture and other shapes", DefaultValueFactory = _ => defaults.Level, HelpName = "easy|hard" };
        var testPairs = new Option<int>("--test-pairs") { Description = "Test pairs, each a video and its reversal", DefaultValueFactory = _ => defaults.TestPairs, HelpName = "P" };
        var valPairs = new Option<int>("--val-pairs") { Description = "Validation pairs", DefaultValueFactory = _ => defaults.ValPairs, HelpName = "P" };
        command.Add(name);
        foreach (var option in new Option[] { output, videos, seed, level, testPairs, valPairs }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(name) is var asked && asked != MovingShapesName)
                throw new UsageException($"no dataset to make is called '{TextForMessage.Quote(asked ?? "", 80)}'; there is {MovingShapesName}");
            var settings = new MovingShapesSettings
            {
                Videos = parsed.GetValue(videos),
                Seed = parsed.GetValue(seed),
                Level = parsed.GetValue(level),
                TestPairs = parsed.GetValue(testPairs),
                ValPairs = parsed.GetValue(valPairs),
            };
            return Run(parsed.GetValue(output)!, settings, cancellation);
        });
        return command;
    }

    private static int Run(string folder, MovingShapesSettings settings, CancellationToken cancellation)
    {
        Make(folder, settings, cancellation);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{folder}: {settings.Videos} training videos, {settings.ValPairs} validation and {settings.TestPairs} test pairs"));
        return ExitCode.Success;
    }

    /// <summary>Makes the files that are not there yet, with a bar.</summary>
    public static void Make(string folder, MovingShapesSettings settings, CancellationToken cancellation)
    {
        if (folder.Length == 0) throw new UsageException("--output is empty");
        var total = settings.Videos + 2L * (settings.ValPairs + settings.TestPairs);
        using (var bar = Terminal.Begin("videos", total))
            MovingShapes.MakeAsync(folder, settings, new Display(bar), cancellation).GetAwaiter().GetResult();
    }

    // The makers report from several threads, and not in order.
    private sealed class Display(Terminal.Progress bar) : IProgress<(int Done, int Total)>
    {
        private int most;

        public void Report((int Done, int Total) value)
        {
            lock (bar)
            {
                most = Math.Max(most, value.Done);
                bar.Report(most);
            }
        }
    }
}
