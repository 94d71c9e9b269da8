using System.CommandLine;
using System.Globalization;
using MvAdapter.Evaluation;
using MvAdapter.Torch;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary><c>eval</c>: retrieval measured as the paper does.</summary>
internal static class EvalCommand
{
    private const int WorstShown = 10;

    public static Command Create()
    {
        var command = new Command("eval", """
            Measures retrieval on a split: R@1, R@5, R@10, median and mean rank, text to video and video to text.

            Examples:
              ./run eval --clip hf:openai/clip-vit-base-patch16 --videos clips/ --captions captions.csv
              ./run eval --clip ViT-B-16.pt --adapter runs/msrvtt/adapter.safetensors --dataset msrvtt --annotations msrvtt/ --videos msrvtt/videos/ --json
            """);
        var model = new ModelOptions(command);
        var dataset = new SplitOptions(command);
        var cache = new Option<string?>("--cache") { Description = "A folder of frames that ./run prepare made", HelpName = "DIR" };
        var dualSoftmax = new Option<bool>("--dual-softmax") { Description = "Re-weight scores by a softmax over the other side; uses all queries at once, so it is not comparable with the plain table" };
        var temperature = new Option<double>("--temperature") { Description = "What scores are divided by in --dual-softmax", DefaultValueFactory = _ => 0.01 };
        var ranks = new Option<string?>("--ranks") { Description = "Write every query's rank and first five as CSV", HelpName = "FILE.csv" };
        var worst = new Option<bool>("--worst") { Description = "Print the worst queries with their first five" };
        var json = new Option<bool>("--json") { Description = "Print a JSON array, one object a method" };
        var workerOptions = new WorkerOptions(command);
        foreach (var option in new Option[] { cache, dualSoftmax, temperature, ranks, worst, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(ranks) is { } target) OutputPath.Check(target);
            return workerOptions.Run(parsed, model.DeviceName(parsed), WorkerOptions.Alike(parsed, "--device", "--threads", "--ranks"), cancellation, (workers, ending) => Run(parsed, workers, ending));
        });
        return command;

        int Run(ParseResult parsed, Workers? workers, CancellationToken cancellation)
        {
            var data = dataset.TryLoad(parsed) ?? throw new UsageException("nothing to evaluate: give --captions FILE, or --dataset NAME --annotations PATH");
            using var encoder = model.Load(parsed, cancellation);
            RetrievalEvaluation result;
            using (var frames = FrameSource.Open(encoder.Reader, parsed.GetValue(cache), warn: Terminal.Warn))
            using (var bar = Terminal.Begin("videos", data.Samples.Count))
                result = Evaluator.Evaluate(encoder, data, frames.Read, bar, cancellation, workers);
            if (workers is { IsFirst: false }) return ExitCode.Success;
            if (parsed.GetValue(dualSoftmax)) result = result.WithDualSoftmax(parsed.GetValue(temperature));
            if (parsed.GetValue(ranks) is { } file) RankedQuery.WriteCsv(file, result.Queries());
            Print(encoder, Report(encoder, model.Adapter(parsed), result), result, parsed.GetValue(json), parsed.GetValue(worst));
            return result.Missing.Count > 0 ? ExitCode.Partial : ExitCode.Success;
        }
    }

    // An adapter says which run made it; what that run cost stands in its folder, where it still is.
    private static RetrievalReport Report(VideoTextEncoder encoder, string? adapter, RetrievalEvaluation result)
    {
        var config = adapter is null ? null : RunConfigFile.TryReadFrom(adapter);
        var cost = config is null ? null : RunFolder.Of(adapter!).TryReadProgress(config);
        var report = Reports.Of(encoder.Model, config?.Seed ?? 0, result, cost?.TrainSeconds ?? 0, cost?.PeakMemory ?? TorchRuntime.Memory(encoder.Model.Device).Peak);
        return adapter is null ? report : report with { StorageBytes = new FileInfo(adapter).Length };   // as it was packed
    }

    private static void Print(VideoTextEncoder encoder, RetrievalReport report, RetrievalEvaluation result, bool json, bool worst)
    {
        if (json) Console.WriteLine(ResultsFile.ToJson([report]));
        else
        {
            Console.WriteLine(ResultTable.From([report], encoder.Model.Clip.Parameters.ElementCount).ToText());
            Console.WriteLine($"{result.Captions.Count} captions, {result.VideoIds.Count} videos");
        }
        if (result.Missing.Count > 0)
            Terminal.Warn($"{result.Missing.Count} of {result.Missing.Count + result.VideoIds.Count} videos are missing, so the numbers are not the benchmark's: {string.Join(", ", result.Missing.Take(10).Select(id => TextForMessage.Quote(id, 60)))}{(result.Missing.Count > 10 ? ", ..." : "")}");
        if (!worst) return;
        foreach (var query in RankedQuery.Worst(result.Queries(), WorstShown))
        {
            Terminal.Say(string.Create(CultureInfo.InvariantCulture, $"rank {query.Rank}: \"{TextForMessage.Quote(query.Caption, 100)}\" ({query.Video})"));
            foreach (var found in query.Top) Terminal.Say(string.Create(CultureInfo.InvariantCulture, $"    {found.Score:0.000}  {found.Id}"));
        }
    }
}
