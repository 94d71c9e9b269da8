using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using Spectre.Console;

namespace MvAdapter.Cli;

/// <summary><c>info</c>: how many parameters, and what a task costs to store.</summary>
internal static class InfoCommand
{
    private static readonly string[] UsualSizes = ["ViT-B/32", "ViT-B/16"];

    public static Command Create()
    {
        var command = new Command("info", """
            Counts parameters: CLIP, adapter, trainable, and the storage of one task; or describes a method.

            Examples:
              ./run info --clip ViT-B/16 --preset msrvtt
              ./run info --clip hf:openai/clip-vit-base-patch32 --adapter adapter.safetensors --json
              ./run info --method mv-adapter
            """);
        var clip = new Option<string?>("--clip") { Description = $"A checkpoint, hf:owner/name, or the name of a size: {string.Join(", ", ClipConfig.Presets.Keys)}", HelpName = "PATH|NAME" };
        var method = new Option<string?>("--method") { Description = $"Describe a method, on ViT-B/32 and ViT-B/16 unless --clip names another: {string.Join(", ", Methods.All.Select(known => known.Name))}", HelpName = "NAME" };
        var preset = new Option<string?>("--preset") { Description = $"Published settings: {string.Join(", ", MvAdapterConfig.Presets.Keys)}", HelpName = "NAME" };
        var adapterConfig = new Option<string?>("--adapter-config") { Description = "Settings from a JSON file", HelpName = "FILE" };
        var adapter = new Option<string?>("--adapter") { Description = "An adapter's checkpoint", HelpName = "FILE" };
        var activation = ModelOptions.ActivationOption();
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { clip, activation, method, preset, adapterConfig, adapter, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            var name = parsed.GetValue(clip);
            var function = ModelOptions.ParseActivation(parsed.GetValue(activation));
            if (parsed.GetValue(method) is { } described)
            {
                if (parsed.GetValue(preset) is not null || parsed.GetValue(adapterConfig) is not null || parsed.GetValue(adapter) is not null)
                    throw new UsageException("--method describes a method with its default settings; leave --preset, --adapter-config and --adapter out");
                string[] counted = name is null ? UsualSizes : [name];
                MethodDescription.Print(described, [.. counted.Select(size => (size, (Func<ClipModel>)(() => Load(size, function, null, cancellation))))], parsed.GetValue(json));
                return ExitCode.Success;
            }
            if (name is null) throw new UsageException("nothing to count: give --clip PATH|NAME, or --method NAME");
            var settings = ModelOptions.AdapterSettings(parsed.GetValue(preset), parsed.GetValue(adapterConfig));
            using var backbone = Load(name, function, parsed.GetValue(adapter), cancellation);
            using var model = parsed.GetValue(adapter) is { } file ? AdapterCheckpoint.Load(file, backbone, settings)
                : RetrievalModel.Create(backbone, new MvAdapterMethod(backbone.Config, settings ?? new MvAdapterConfig()));
            Print(name, model, parsed.GetValue(json));
            return ExitCode.Success;
        });
        return command;
    }

    private static ClipModel Load(string name, ActivationFunction? activation, string? adapter, CancellationToken cancellation) => ClipConfig.Presets.TryGetValue(name, out var config)
        ? ClipModel.CreateRandom(config, 0)
        : ClipCheckpoint.Load(ModelFiles.Resolve(name, null, cancellation), activation: activation, identity: AdapterCheckpoint.BackboneOf(adapter));

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
