using System.Text.Json;
using System.Text.Json.Nodes;
using MvAdapter.Clip;
using MvAdapter.Torch;

namespace MvAdapter.Checkpoints;

/// <summary>
/// Writes a CLIP with its vocabulary as a Hugging Face directory, which <see cref="ClipCheckpoint"/> reads and
/// transformers does.
/// </summary>
public static class ClipWriter
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes the directory; it is made if need be, and files of the same names are replaced.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="clip">The model.</param>
    /// <param name="vocabulary">What its texts are spelt with.</param>
    /// <param name="storage">The type that weights are stored in; Float16 halves the file.</param>
    /// <exception cref="MvAdapterException">The vocabulary is another model's, or the folder cannot be written.</exception>
    public static void Write(string folder, ClipModel clip, TrainedVocabulary vocabulary, DType storage = DType.Float32)
    {
        var tokenizer = ClipTokenizer.From(vocabulary);
        if (tokenizer.VocabularySize != clip.Config.VocabularySize)
            throw new MvAdapterException($"the vocabulary has {tokenizer.VocabularySize} tokens, but the model {clip.Config.VocabularySize}");
        try
        {
            Directory.CreateDirectory(folder);
            vocabulary.Save(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(folder, $"cannot be written: {TextForMessage.Quote(e.Message)}", e);
        }
        WriteJson("config.json", Configuration(clip.Config, tokenizer, storage));
        WriteJson("preprocessor_config.json", Preprocessing(clip.Config.ImageSize));
        Safetensors.Write(Path.Combine(folder, "model.safetensors"),
            ClipNames.ToHuggingFace(clip.Parameters.Items.Select(item => KeyValuePair.Create(item.Key, Store(item.Value, storage)))),
            new Dictionary<string, string> { ["format"] = "pt" });

        void WriteJson(string name, JsonObject json) => AtomicFile.WriteText(Path.Combine(folder, name), json.ToJsonString(Indented) + "\n");
    }

    private static StoredTensor Store(Tensor tensor, DType storage)
    {
        using var scope = new TensorScope();
        return new StoredTensor(storage, [.. tensor.Shape], tensor.Detach().To(storage).ToBytes());
    }

    private static JsonObject Configuration(ClipConfig config, ClipTokenizer tokenizer, DType storage)
    {
        var text = Transformer("clip_text_model", config.TextWidth, config.TextLayers, config.TextHeads);
        text["vocab_size"] = config.VocabularySize;
        text["max_position_embeddings"] = config.ContextLength;
        text["bos_token_id"] = tokenizer.StartOfText;
        text["eos_token_id"] = tokenizer.EndOfText;
        text["pad_token_id"] = 0;
        var vision = Transformer("clip_vision_model", config.VisionWidth, config.VisionLayers, config.VisionHeads);
        vision["image_size"] = config.ImageSize;
        vision["patch_size"] = config.PatchSize;
        vision["num_channels"] = 3;
        return new JsonObject
        {
            ["architectures"] = new JsonArray("CLIPModel"),
            ["model_type"] = "clip",
            ["projection_dim"] = config.EmbeddingWidth,
            ["logit_scale_init_value"] = Math.Log(1 / 0.07),
            ["torch_dtype"] = storage.ToString().ToLowerInvariant(),
            ["text_config"] = text,
            ["vision_config"] = vision,
        };

        JsonObject Transformer(string type, int width, int layers, int heads) => new()
        {
            ["model_type"] = type,
            ["hidden_size"] = width,
            ["intermediate_size"] = 4 * width,
            ["num_hidden_layers"] = layers,
            ["num_attention_heads"] = heads,
            ["hidden_act"] = "quick_gelu",
            ["layer_norm_eps"] = 1e-5,
            ["projection_dim"] = config.EmbeddingWidth,
        };
    }

    private static JsonObject Preprocessing(int size) => new()
    {
        ["image_processor_type"] = "CLIPImageProcessor",
        ["do_convert_rgb"] = true,
        ["do_resize"] = true,
        ["size"] = new JsonObject { ["shortest_edge"] = size },
        ["resample"] = 3,   // Pillow's number of bicubic
        ["do_center_crop"] = true,
        ["crop_size"] = new JsonObject { ["height"] = size, ["width"] = size },
        ["do_rescale"] = true,
        ["rescale_factor"] = 1 / 255.0,
        ["do_normalize"] = true,
        ["image_mean"] = Numbers(ImageProcessor.ClipMean),
        ["image_std"] = Numbers(ImageProcessor.ClipStandardDeviation),
    };

    private static JsonArray Numbers(IEnumerable<float> values) => [.. values.Select(value => JsonValue.Create(value))];
}
