using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using Spectre.Console;

namespace MvAdapter.Cli;

/// <summary><c>info</c>: how many parameters, and what a task costs to store.</summary>
internal static class InfoCommand
{
    public static Command Create()
    {
        var command = new Command("info", """
            Counts parameters: CLIP, adapter, trainable, and the storage of one task.

            Examples:
              ./run info --clip ViT-B/16 --preset msrvtt
              ./run info --clip hf:openai/clip-vit-base-patch32 --adapter adapter.safetensors --json
            """);
        var clip = new Option<string>("--clip") { Description = $"A checkpoint, hf:owner/name, or the name of a size: {string.Join(", ", ClipConfig.Presets.Keys)}", Required = true, HelpName = "PATH|NAME" };
        var preset = new Option<string?>("--preset") { Description = $"Published settings: {string.Join(", ", MvAdapterConfig.Presets.Keys)}", HelpName = "NAME" };
        var adapterConfig = new Option<string?>("--adapter-config") { Description = "Settings from a JSON file", HelpName = "FILE" };
        var adapter = new Option<string?>("--adapter") { Description = "An adapter's checkpoint", HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { clip, preset, adapterConfig, adapter, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            var name = parsed.GetValue(clip)!;
            var settings = ModelOptions.AdapterSettings(parsed.GetValue(preset), parsed.GetValue(adapterConfig));
            using var backbone = ClipConfig.Presets.TryGetValue(name, out var config)
                ? ClipModel.CreateRandom(config, 0)
                : ClipCheckpoint.Load(ModelFiles.Resolve(name, null, cancellation));
            using var model = parsed.GetValue(adapter) is { } file ? AdapterCheckpoint.Load(file, backbone, settings)
                : RetrievalModel.Create(backbone, new MvAdapterMethod(backbone.Config, settings ?? new MvAdapterConfig()));
            Print(name, model, parsed.GetValue(json));
            return ExitCode.Success;
        });
        return command;
    }

    private static void Print(string name, RetrievalModel model, bool json)
    {
        var clip = model.Clip.Parameters.ElementCount;
        var adapter = model.Method.Parameters.ElementCount;
        var trainable = model.TrainableParameters().Sum(item => item.Value.ElementCount);
        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                clip = name,
                method = model.Method.Name,
                clip_parameters = clip,
                adapter_parameters = adapter,
                trainable_parameters = trainable,
                trainable_percent = Math.Round(100.0 * trainable / clip, 4),
                storage_bytes_fp32 = 4 * trainable,
                storage_bytes_bf16 = 2 * trainable,
                settings = JsonSerializer.Deserialize<JsonElement>(model.Method.Settings),
            }));
            return;
        }
        var table = new Table().Border(TableBorder.Rounded).AddColumn("").AddColumn(new TableColumn("parameters").RightAligned())
            .AddColumn(new TableColumn("of CLIP").RightAligned()).AddColumn(new TableColumn("fp32").RightAligned()).AddColumn(new TableColumn("bf16").RightAligned());
        Console.WriteLine($"{model.Method.Name} on {name}");
        Row("CLIP", clip);
        Row("adapter", adapter);
        Row("trainable, stored per task", trainable);
        AnsiConsole.Write(table);

        void Row(string what, long count) => table.AddRow(what, count.ToString("N0", CultureInfo.InvariantCulture),
            (100.0 * count / clip).ToString("0.000", CultureInfo.InvariantCulture) + " %", Megabytes(4 * count), Megabytes(2 * count));
    }

    private static string Megabytes(long bytes) => (bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " MB";
}
