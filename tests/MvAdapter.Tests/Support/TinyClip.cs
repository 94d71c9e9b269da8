using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;

namespace MvAdapter.Tests.Support;

/// <summary>A CLIP of random weights that takes no time to load, with its vocabulary beside it: a test's own model.</summary>
public sealed class TinyClip : IDisposable
{
    /// <summary>The blocks of each tower.</summary>
    public const int Layers = 2;

    private const int Merges = 40;
    private readonly TemporaryFolder folder = new();

    public TinyClip()
    {
        string[] texts = ["a man is riding a bike", "a woman is talking", "the dog is running in the park"];
        BpeTrainer.Train(texts, Merges).Save(folder.Path);
        Tokenizer = ClipTokenizer.Load(folder.Path);
        Config = new ClipConfig(32, 32, 8, 64, Layers, 64, Layers, 77, Tokenizer.VocabularySize);
        using var model = ClipModel.CreateRandom(Config, 1);
        Write(model, Checkpoint);
        Video = Ffmpeg.Make(folder.File("video.mp4"), "testsrc=d=3:s=64x48:r=10", "-pix_fmt", "yuv420p");
    }

    /// <summary>The sizes.</summary>
    public ClipConfig Config { get; }

    /// <summary>The tokenizer of its vocabulary.</summary>
    public ClipTokenizer Tokenizer { get; }

    /// <summary>Settings of an adapter that fits it.</summary>
    public static MvAdapterConfig AdapterSettings { get; } = new() { Bottleneck = 8, FactorDim = 4, Tying = Tying.Parse("down out"), TiedLayers = [1] };

    /// <summary>The checkpoint, under OpenAI's names.</summary>
    public string Checkpoint => folder.File("clip.safetensors");

    /// <summary>A video of three seconds.</summary>
    public string Video { get; }

    /// <summary>The model of the checkpoint.</summary>
    public ClipModel Load() => ClipCheckpoint.Load(Checkpoint);

    /// <summary>Writes an adapter of fresh weights for a CLIP of that size, in the form that the name's ending asks for.</summary>
    public static void WriteAdapter(string path, ClipConfig config)
    {
        using var clip = ClipModel.CreateRandom(config, 1);
        using var model = RetrievalModel.Create(clip, new MvAdapterMethod(config, AdapterSettings));
        AdapterCheckpoint.Save(path, model);
    }

    public void Dispose() => folder.Dispose();

    // OpenAI's files hold the biases of queries, keys and values as one.
    private static void Write(ClipModel model, string path)
    {
        const string first = "q_proj.bias";
        var tensors = new Dictionary<string, StoredTensor>();
        foreach (var (name, value) in model.Parameters.Items)
        {
            if (name.EndsWith("k_proj.bias", StringComparison.Ordinal) || name.EndsWith("v_proj.bias", StringComparison.Ordinal)) continue;
            if (name.EndsWith(first, StringComparison.Ordinal))
            {
                var block = name[..^first.Length];
                float[] joined = [.. new[] { "q", "k", "v" }.SelectMany(part => model.Parameters[$"{block}{part}_proj.bias"].ToFloats())];
                tensors[block + "in_proj_bias"] = StoredTensor.FromFloats(joined, joined.Length);
            }
            else tensors[name] = StoredTensor.FromFloats(value.ToFloats(), [.. value.Shape]);
        }
        Safetensors.Write(path, tensors, new Dictionary<string, string> { ["activation"] = "quick_gelu" });
    }
}

/// <summary>The tests that start the program: one after another, since each would take the whole machine.</summary>
[CollectionDefinition("Command line")]
public sealed class CommandLineCollection : ICollectionFixture<TinyClip>;

/// <summary>Those of the command line that last: beside the others, since each waits more than it computes.</summary>
[CollectionDefinition("Command line at length")]
public sealed class LongCommandLineCollection : ICollectionFixture<TinyClip>;
