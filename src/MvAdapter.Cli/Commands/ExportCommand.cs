using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Datasets;
using MvAdapter.Evaluation;
using MvAdapter.Video;
using Spectre.Console;

namespace MvAdapter.Cli;

/// <summary><c>export</c>: an adapter with narrower numbers, and what that costs.</summary>
internal static class ExportCommand
{
    private const int TensorsShown = 8;
    private static readonly string[] Precisions = ["bf16", "int8"];

    public static Command Create()
    {
        var command = new Command("export", """
            Packs an adapter to half its size (bf16) or to a quarter (int8). Every command takes the packed file by --adapter.
            With a dataset it is evaluated before and after.

            Examples:
              ./run export --adapter adapter.safetensors --precision int8 --output small.safetensors
              ./run export --adapter adapter.safetensors --precision int8 --output small.safetensors --clip ViT-B-16.pt --videos clips/ --captions captions.csv
            """);
        var precision = new Option<string>("--precision") { Description = "bf16: two bytes a number; int8: matrices in one byte a number with a scale a row, the rest in bf16", Required = true };
        precision.AcceptOnlyFromAmong(Precisions);
        var output = new Option<string>("--output") { Description = "The safetensors file to write", Required = true, HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print JSON, with every tensor's error" };
        var model = new ModelOptions(command, ModelChoices.Adapter | ModelChoices.Input, needsClip: false, needsAdapter: true);
        var dataset = new SplitOptions(command);
        foreach (var option in new Option[] { precision, output, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            var path = parsed.GetValue(output)!;
            OutputPath.Check(path);
            if (dataset.LacksAnnotations(parsed)) throw new UsageException("nothing to evaluate on: --dataset needs --annotations PATH");
            var data = dataset.TryLoad(parsed);
            var source = data is null ? null : model.Source(parsed);
            var export = AdapterExport.Write(model.Adapter(parsed)!, path, AdapterPrecisionNames.TryParse(parsed.GetValue(precision)!)!.Value, model.AdapterSettings(parsed));
            var (before, after) = source is null ? default : Evaluate(source, path, data!, cancellation);
            if (parsed.GetValue(json)) PrintJson(path, export, before, after);
            else Print(path, export, before, after);
            return after is { Missing.Count: > 0 } ? ExitCode.Partial : ExitCode.Success;
        });
        return command;
    }

    // Both see the same decoded frames.
    private static (RetrievalEvaluation Before, RetrievalEvaluation After) Evaluate(ModelSource source, string packed, Dataset data, CancellationToken cancellation)
    {
        const long framesInMemory = 2L << 30;
        FrameSource? frames = null;
        try
        {
            return (Of(source), Of(source with { Adapter = packed, AdapterConfig = null }));
        }
        finally
        {
            frames?.Dispose();
        }

        RetrievalEvaluation Of(ModelSource one)
        {
            using var encoder = ModelOptions.Load(one, cancellation);
            frames ??= FrameSource.Open(encoder.Reader, null, framesInMemory);
            using var bar = Terminal.Begin("videos", data.Samples.Count);
            return Evaluator.Evaluate(encoder, data, frames.Read, bar, cancellation);
        }
    }

    private static void Print(string output, AdapterExport export, RetrievalEvaluation? before, RetrievalEvaluation? after)
    {
        var table = new Table().Border(TableBorder.Rounded).AddColumn("").AddColumn(Right("file"));
        if (before is not null) table.AddColumn(Right("R@1 text to video")).AddColumn(Right("R@1 video to text"));
        Row(export.From.ToName(), Units.Bytes(export.BytesBefore), before);
        Row(export.To.ToName(), Units.Bytes(export.BytesAfter), after);
        if (before is not null)
            table.AddRow("loss", "", Number(before.TextToVideo.R1 - after!.TextToVideo.R1), Number(before.VideoToText.R1 - after.VideoToText.R1));
        Console.WriteLine(output);
        AnsiConsole.Write(table);
        if (before is not null) return;
        var errors = new Table().Border(TableBorder.Rounded).AddColumn("most changed tensors").AddColumn(Right("numbers")).AddColumn(Right("largest relative error"));
        foreach (var tensor in export.Tensors.Take(TensorsShown))
            errors.AddRow(Spectre.Console.Markup.Escape(TextForMessage.Quote(tensor.Name, 120)), Units.Count(tensor.Elements), Units.Format($"{tensor.RelativeError:0.00000}"));
        AnsiConsole.Write(errors);

        void Row(string name, string size, RetrievalEvaluation? result) =>
            table.AddRow(result is null ? [name, size] : [name, size, Number(result.TextToVideo.R1), Number(result.VideoToText.R1)]);
    }

    private static void PrintJson(string output, AdapterExport export, RetrievalEvaluation? before, RetrievalEvaluation? after) =>
        Console.WriteLine(JsonSerializer.Serialize(new
        {
            output,
            before = Describe(export.From, export.BytesBefore, before),
            after = Describe(export.To, export.BytesAfter, after),
            tensors = export.Tensors.Select(tensor => new { name = tensor.Name, elements = tensor.Elements, relative_error = tensor.RelativeError }),
        }));

    private static object Describe(AdapterPrecision precision, long bytes, RetrievalEvaluation? result) =>
        new { precision = precision.ToName(), bytes, text_to_video_r1 = result?.TextToVideo.R1, video_to_text_r1 = result?.VideoToText.R1 };

    private static TableColumn Right(string header) => new TableColumn(header).RightAligned();

    private static string Number(double value) => value.ToString("0.0", CultureInfo.InvariantCulture);
}
