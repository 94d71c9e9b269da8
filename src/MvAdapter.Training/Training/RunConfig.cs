using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Datasets;
using MvAdapter.Video;

namespace MvAdapter.Training;

/// <summary>
/// Everything that decides the result of a run, as one immutable value: read from YAML, overridden by flags, printed
/// at the start and stored in every checkpoint. What changes speed alone (device, threads, folders of caches) is not in it.
/// </summary>
public sealed record RunConfig
{
    /// <summary>The dataset's name, as <see cref="Datasets.DatasetSource"/> lists it.</summary>
    public string Dataset { get; init; } = "captions";

    /// <summary>The folder of the annotation files, or the caption file.</summary>
    public string Annotations { get; init; } = "";

    /// <summary>The folder of the videos; empty for that of the annotations.</summary>
    public string Videos { get; init; } = "";

    /// <summary>The backbone: a file, a Hugging Face directory, or <c>hf:owner/name</c>.</summary>
    public string Clip { get; init; } = "";

    /// <summary>The activation of the backbone's blocks, gelu or quick_gelu, for files that do not say it; empty where they do.</summary>
    public string Activation { get; init; } = "";

    /// <summary>The vocabulary; empty to look beside the backbone.</summary>
    public string Vocabulary { get; init; } = "";

    /// <summary>The method's name.</summary>
    public string Method { get; init; } = "mv-adapter";

    /// <summary>The method's hyper-parameters, a JSON object; empty for its defaults.</summary>
    public string Settings { get; init; } = "";

    /// <summary>Most frames of a video.</summary>
    public int Frames { get; init; } = 12;

    /// <summary>Most tokens of a caption, start and end included.</summary>
    public int Words { get; init; } = 32;

    /// <summary>Which frames are taken: uniform, floor, head, tail or symmetric.</summary>
    public string Sampling { get; init; } = "uniform";

    /// <summary>Candidate frames per second, or <c>all</c>.</summary>
    public string Fps { get; init; } = "1";

    /// <summary>What candidate frames are counted by: published or time (<see cref="Video.FrameRule"/>).</summary>
    public string FrameRule { get; init; } = Video.FrameSampling.Name(Video.FrameRule.Published);

    /// <summary>Pictures per second of folders of pictures that stand for videos.</summary>
    public double FrameRate { get; init; } = 1;

    /// <summary>Pairs in a contrastive batch; 0 for 16, or for all of a dataset that has fewer.</summary>
    public int BatchSize { get; init; }

    /// <summary>Batches whose gradients are summed before a step.</summary>
    public int Accumulation { get; init; } = 1;

    /// <summary>
    /// Pairs of a batch that are in memory at once; 0 for all. The loss is the whole batch's all the same: each part is encoded twice
    /// (<see cref="TrainingStep"/>), so that a large contrastive batch takes time, not memory.
    /// </summary>
    public int ChunkSize { get; init; }

    /// <summary>Whether each block is computed again for its gradient (<see cref="RetrievalModel.GradientCheckpointing"/>).</summary>
    public bool GradientCheckpointing { get; init; }

    /// <summary>Passes over the training pairs.</summary>
    public int Epochs { get; init; } = 5;

    /// <summary>Steps of the optimiser; 0 for as many as the epochs have.</summary>
    public int Steps { get; init; }

    /// <summary>Learning rate of what the method adds.</summary>
    public double AdapterLr { get; init; } = 5e-6;

    /// <summary>Learning rate of what trains of CLIP.</summary>
    public double ClipLr { get; init; } = 1e-7;

    /// <summary>Weight decay.</summary>
    public double WeightDecay { get; init; } = 0.2;

    /// <summary>Part of the run in which the learning rate rises.</summary>
    public double Warmup { get; init; } = 0.1;

    /// <summary>
    /// Whether two captions of one video, or one caption of two videos, may not meet in a batch, where they would count
    /// as wrong answers to each other. The published code does not care.
    /// </summary>
    public bool DistinctBatches { get; init; } = true;

    /// <summary>fp32, or bf16 for products in bfloat16.</summary>
    public string Precision { get; init; } = "fp32";

    /// <summary>Patch tokens of each frame that every block of the vision tower merges with others alike; 0 for none (<see cref="RetrievalModel.MergeTokens"/>).</summary>
    public int MergeTokens { get; init; }

    /// <summary>Decides initial values, the order of the pairs, and dropout.</summary>
    public long Seed { get; init; }

    /// <summary>Steps between evaluations on the validation split; 0 for once an epoch, -1 for never.</summary>
    public int EvaluateEvery { get; init; }

    /// <summary>Evaluations without a better one after which training stops; 0 for never.</summary>
    public int Patience { get; init; }

    /// <summary>The published recipes by benchmark (model.md section 9), on one worker.</summary>
    public static IReadOnlyDictionary<string, RunConfig> Presets { get; } = MvAdapterConfig.Presets.ToDictionary(
        preset => preset.Key,
        preset => new RunConfig
        {
            Dataset = preset.Key,
            Settings = preset.Value.ToJson(),
            Frames = preset.Value.Frames,
            Words = preset.Value.Words,
            BatchSize = preset.Value.Frames > 12 ? 8 : 16,
            Epochs = preset.Value.Frames > 12 ? 15 : 5,
        }, StringComparer.OrdinalIgnoreCase);

    /// <summary>The activation that the config names; null where it names none.</summary>
    /// <exception cref="UsageException">There is no such activation.</exception>
    public MvAdapter.Clip.Layers.ActivationFunction? ActivationFunction() => Activation.Length == 0 ? null : MvAdapter.Clip.Layers.Activation.Parse(Activation);

    /// <summary>The frames' sampling.</summary>
    public FrameSampling FrameSampling() => Video.FrameSampling.Parse($"{Sampling} max_frames={Frames} fps={Fps} rule={FrameRule}") with { PictureRate = FrameRate };

    /// <summary>Loads a split of the dataset.</summary>
    /// <param name="split">The part.</param>
    /// <param name="strict">Whether a single missing video is an error.</param>
    /// <exception cref="MvAdapterException">The annotations are malformed, or no video is found.</exception>
    public Datasets.Dataset Load(Split split, bool strict = false) => DatasetSource.Load(Dataset, new DatasetOptions
    {
        Annotations = Annotations,
        Videos = Videos.Length > 0 ? Videos : null,
        Split = split,
        Strict = strict,
    });

    /// <summary>The optimiser's groups.</summary>
    public OptimizerGroups Groups() => new()
    {
        AdapterDecay = new(AdapterLr, WeightDecay),
        AdapterNoDecay = new(AdapterLr, 0),
        ClipNoDecay = new(ClipLr, WeightDecay),
        ClipDecay = new(ClipLr, WeightDecay),
    };

    /// <summary>The settings with one more field, as a flag such as <c>--set bottleneck=32</c> gives it.</summary>
    public RunConfig WithSetting(string name, JsonElement value)
    {
        var fields = ParseSettings(Settings);
        fields[name] = value;
        return this with { Settings = JsonSerializer.Serialize(fields) };
    }

    /// <summary>Settings as the JSON object that they must be.</summary>
    internal static Dictionary<string, JsonElement> ParseSettings(string settings)
    {
        if (settings.Length == 0) return [];
        try
        {
            if (JsonSerializer.Deserialize<Dictionary<string, JsonElement>>(settings) is { } fields) return fields;
        }
        catch (JsonException)
        {
            // The line below says what is wanted.
        }
        throw new UsageException($"settings take a JSON object such as {{\"bottleneck\": 32}}, not '{TextForMessage.Quote(settings, 60)}'");
    }

    /// <summary>Refuses what cannot be run, before anything is loaded.</summary>
    /// <exception cref="MvAdapterException">The line names the field.</exception>
    public void Validate()
    {
        _ = ActivationFunction();
        Require(Clip.Length > 0, "clip", "names no backbone; give a path or hf:openai/clip-vit-base-patch16");
        Require(Annotations.Length > 0, "annotations", "names no folder or file");
        Require(BatchSize is 0 or > 1, "batch_size", "must be at least 2: a pair is compared with the others of its batch");
        Require(Accumulation > 0, "accumulation", "must be at least 1");
        Require(ChunkSize >= 0, "chunk_size", "must not be negative; 0 is the whole batch");
        Require(Epochs > 0, "epochs", "must be at least 1");
        Require(Steps >= 0, "steps", "must not be negative");
        Require(Frames > 0, "frames", "must be at least 1");
        Require(Words > 2, "words", "must be at least 3: start, one token, end");
        Require(AdapterLr >= 0 && ClipLr >= 0 && WeightDecay >= 0, "adapter_lr, clip_lr, weight_decay", "must not be negative");
        Require(Warmup is >= 0 and < 1, "warmup", "is a part of the run: from 0 up to, but not including, 1");
        Require(Precision is "fp32" or "bf16", "precision", "is fp32 or bf16");
        Require(MergeTokens >= 0, "merge_tokens", "must not be negative; 0 merges none");
        Require(EvaluateEvery >= -1, "evaluate_every", "is a number of steps, 0 for every epoch, or -1 for never");
        Require(Patience >= 0, "patience", "must not be negative");
        FrameSampling();
        Methods.Find(Method);
        ParseSettings(Settings);

        static void Require(bool holds, string field, string why)
        {
            if (!holds) throw new UsageException($"{field} {why}");
        }
    }
}
