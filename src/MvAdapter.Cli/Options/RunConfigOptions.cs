using System.CommandLine;
using MvAdapter.Adapters;
using MvAdapter.Datasets;
using MvAdapter.Training;

namespace MvAdapter.Cli;

/// <summary>A run's config from the command line: a preset, then a YAML file, then flags, each over the one before.</summary>
internal sealed class RunConfigOptions
{
    private static readonly Dictionary<string, string> Descriptions = new(StringComparer.Ordinal)
    {
        ["dataset"] = string.Join(", ", DatasetSource.All.Select(source => source.Name)),
        ["annotations"] = "The folder of the annotation files, or the caption file",
        ["videos"] = "The folder of the videos (by default that of the annotations)",
        ["clip"] = "CLIP: OpenAI's .pt, a folder of Hugging Face's or OpenCLIP's form, a .safetensors, or hf:openai/clip-vit-base-patch16",
        ["activation"] = "Activation of the CLIP's blocks, gelu or quick_gelu, where its files do not say it",
        ["vocabulary"] = "BPE vocabulary, where it does not lie beside the CLIP",
        ["method"] = $"What adapts CLIP: {string.Join(", ", Methods.All.Select(method => method.Name))}",
        ["frames"] = "Most frames of a video",
        ["words"] = "Most tokens of a caption",
        ["sampling"] = "Which frames are taken: uniform, floor, head, tail or symmetric",
        ["fps"] = "Candidate frames per second, or all",
        ["frame_rule"] = "Candidates counted as the published extraction does (published), or by time",
        ["frame_rate"] = "Pictures per second of folders of pictures that stand for videos",
        ["batch_size"] = "Pairs in a contrastive batch (0: 16, or all of a smaller dataset)",
        ["chunk_size"] = "Pairs of a batch in memory at once, 0 for all: a large batch then takes time, not memory",
        ["gradient_checkpointing"] = "Compute each block again for its gradient: a third more time, a fraction of the memory (true, false)",
        ["accumulation"] = "Batches whose gradients make one step",
        ["epochs"] = "Passes over the training pairs",
        ["steps"] = "Steps of the optimiser, in place of epochs; 0 for as many as the epochs have",
        ["adapter_lr"] = "Learning rate of what the method adds (also --lr)",
        ["clip_lr"] = "Learning rate of what trains of CLIP",
        ["weight_decay"] = "Weight decay",
        ["warmup"] = "Part of the run in which the learning rate rises",
        ["distinct_batches"] = "Whether a video or a caption may stand in a batch but once",
        ["precision"] = "fp32 or bf16",
        ["merge_tokens"] = "Patch tokens that each block of the vision tower merges with others alike (ToMe): faster, not the same; 0: none",
        ["seed"] = "Decides initial values, the order of the pairs, and dropout",
        ["evaluate_every"] = "Steps between evaluations on the validation split; 0: each epoch, -1: never",
        ["patience"] = "Evaluations without a better one after which training stops; 0: never",
    };

    private readonly Option<string?> preset = new("--preset") { Description = $"A published recipe: {string.Join(", ", RunConfig.Presets.Keys)}", HelpName = "NAME" };
    private readonly Option<string?> file = new("--config") { Description = "A YAML file of the fields below", HelpName = "FILE.yaml" };
    private readonly Option<string?> captions = new("--captions") { Description = "A CSV, TSV or JSONL of video, caption[, start, end, split]: short for --dataset captions --annotations FILE", HelpName = "FILE" };
    private readonly Option<string[]> set = new("--set") { Description = "A setting of the method, such as bottleneck=32", HelpName = "KEY=VALUE", AllowMultipleArgumentsPerToken = true };
    private readonly List<(string Field, Option<string?> Option)> fields = [];

    /// <summary>Adds the options to a command: one for every field of <see cref="RunConfig"/>, but for those that the command sets itself.</summary>
    public RunConfigOptions(Command command, params string[] without)
    {
        foreach (var option in new Option[] { preset, file, captions, set }) command.Add(option);
        foreach (var (field, description) in Descriptions.Where(item => !without.Contains(item.Key)))
        {
            var option = new Option<string?>("--" + field.Replace('_', '-')) { Description = description, HelpName = "VALUE" };
            if (field == "adapter_lr") option.Aliases.Add("--lr");
            fields.Add((field, option));
            command.Add(option);
        }
    }

    /// <summary>Whether settings of a method are given.</summary>
    public bool HasSettings(ParseResult parsed) => parsed.GetValue(set) is { Length: > 0 };

    /// <summary>Whether the batch is given by its own flag.</summary>
    public bool HasBatch(ParseResult parsed) => fields.Any(item => item.Field == "batch_size" && parsed.GetValue(item.Option) is not null);

    /// <summary>The config that the command line describes.</summary>
    /// <exception cref="MvAdapterException">A preset, file, field or value is wrong.</exception>
    public RunConfig Read(ParseResult parsed)
    {
        var config = new RunConfig();
        if (parsed.GetValue(preset) is { } name)
            config = RunConfig.Presets.TryGetValue(name, out var recipe) ? recipe
                : throw new UsageException($"no preset is called '{TextForMessage.Quote(name, 60)}'; did you mean {NearestName.Of(name, RunConfig.Presets.Keys)}? Known: {string.Join(", ", RunConfig.Presets.Keys)}");
        if (parsed.GetValue(file) is { } path) config = RunConfigFile.Read(path, config);
        if (parsed.GetValue(captions) is { } captionFile) config = config with { Dataset = "captions", Annotations = captionFile };
        foreach (var (field, option) in fields)
            if (parsed.GetValue(option) is { } text) config = RunConfigFile.With(config, field, text);
        foreach (var setting in parsed.GetValue(set) ?? [])
        {
            var equals = setting.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1) throw new UsageException($"--set takes KEY=VALUE, not '{TextForMessage.Quote(setting, 60)}'");
            config = config.WithSetting(setting[..equals], RunConfigFile.ToJson(setting[(equals + 1)..]));
        }
        return config;
    }
}
