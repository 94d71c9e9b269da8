using System.Text.Json;
using System.Text.Json.Nodes;
using MvAdapter.Checkpoints;
using MvAdapter.Clip.Layers;
using MvAdapter.Files;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Clip;

/// <summary>
/// Writes a CLIP with its vocabulary as a folder of Hugging Face's form, which transformers reads, or of OpenCLIP's, which OpenCLIP does;
/// <see cref="ClipCheckpoint"/> reads both.
/// </summary>
public static class ClipWriter
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    /// <summary>Writes the directory; it is made if need be, and files of the same names are replaced.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="clip">The model.</param>
    /// <param name="vocabulary">What its texts are spelt with.</param>
    /// <param name="storage">The type that weights are stored in; Float16 halves the file.</param>
    /// <param name="form">The form; OpenAI's, which is no folder, becomes Hugging Face's.</param>
    /// <exception cref="MvAdapterException">The vocabulary is another model's, or the folder cannot be written.</exception>
    public static void Write(string folder, ClipModel clip, TrainedVocabulary vocabulary, DType storage = DType.Float32, ClipForm form = ClipForm.HuggingFace)
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
        var tensors = clip.Parameters.Items.ToDictionary(item => item.Key, item => Store(item.Value, storage));
        if (form is ClipForm.OpenClip or ClipForm.OpenClipCustomText)
        {
            var customText = form == ClipForm.OpenClipCustomText;
            WriteJson("open_clip_config.json", OpenClipConfiguration(clip.Config, customText));
            WriteWeights("open_clip_model.safetensors", ClipNames.ToOpenClip(tensors, customText));
            return;
        }
        WriteJson("config.json", Configuration(clip.Config, tokenizer, storage));
        WriteJson("preprocessor_config.json", Preprocessor(clip.Config));
        WriteWeights("model.safetensors", ClipNames.ToHuggingFace(tensors));

        void WriteWeights(string name, Dictionary<string, StoredTensor> weights) =>
            Safetensors.Write(Path.Combine(folder, name), weights, new Dictionary<string, string> { ["format"] = "pt" });

        void WriteJson(string name, JsonObject json) => AtomicFile.WriteText(Path.Combine(folder, name), json.ToJsonString(Indented) + "\n");
    }

    private static StoredTensor Store(Tensor tensor, DType storage)
    {
        using var scope = new TensorScope();
        return new StoredTensor(storage, [.. tensor.Shape], tensor.Detach().To(storage).ToBytes());
    }

    private static JsonObject Configuration(ClipConfig config, ClipTokenizer tokenizer, DType storage)
    {
        var text = Transformer("clip_text_model", config.TextWidth, config.TextMlpWidth, config.TextLayers, config.TextHeads);
        text["vocab_size"] = config.VocabularySize;
        text["max_position_embeddings"] = config.ContextLength;
        text["bos_token_id"] = tokenizer.StartOfText;
        text["eos_token_id"] = tokenizer.EndOfText;
        text["pad_token_id"] = 0;
        var vision = Transformer("clip_vision_model", config.VisionWidth, config.VisionMlpWidth, config.VisionLayers, config.VisionHeads);
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

        JsonObject Transformer(string type, int width, int mlpWidth, int layers, int heads) => new()
        {
            ["model_type"] = type,
            ["hidden_size"] = width,
            ["intermediate_size"] = mlpWidth,
            ["num_hidden_layers"] = layers,
            ["num_attention_heads"] = heads,
            ["hidden_act"] = Activation.Name(config.Activation),
            ["layer_norm_eps"] = 1e-5,
            ["projection_dim"] = config.EmbeddingWidth,
        };
    }

    private static JsonObject OpenClipConfiguration(ClipConfig config, bool customText)
    {
        var model = new JsonObject
        {
            ["embed_dim"] = config.EmbeddingWidth,
            ["quick_gelu"] = config.Activation == ActivationFunction.QuickGelu,
            ["vision_cfg"] = new JsonObject
            {
                ["image_size"] = config.ImageSize,
                ["layers"] = config.VisionLayers,
                ["width"] = config.VisionWidth,
                ["head_width"] = config.VisionWidth / config.VisionHeads,
                ["mlp_ratio"] = Ratio(config.VisionWidth, config.VisionMlpWidth),
                ["patch_size"] = config.PatchSize,
            },
            ["text_cfg"] = new JsonObject
            {
                ["context_length"] = config.ContextLength,
                ["vocab_size"] = config.VocabularySize,
                ["width"] = config.TextWidth,
                ["heads"] = config.TextHeads,
                ["layers"] = config.TextLayers,
                ["mlp_ratio"] = Ratio(config.TextWidth, config.TextMlpWidth),
            },
        };
        if (customText) model["custom_text"] = true;
        var pictures = config.Preprocessing;
        return new JsonObject
        {
            ["model_cfg"] = model,
            ["preprocess_cfg"] = new JsonObject
            {
                ["size"] = config.ImageSize,
                ["mean"] = Numbers(pictures.Mean),
                ["std"] = Numbers(pictures.StandardDeviation),
                ["interpolation"] = pictures.Bilinear ? "bilinear" : "bicubic",
                ["resize_mode"] = pictures.Resize == ResizeMode.Squash ? "squash" : "shortest",
            },
        };

        // Who reads it takes the whole part of width times ratio, so a ratio is rounded up: 4.3637 for 6144 of 1408.
        static double Ratio(int width, int mlpWidth) => Math.Ceiling(10000.0 * mlpWidth / width) / 10000;
    }

    private static JsonObject Preprocessor(ClipConfig config)
    {
        var (size, pictures) = (config.ImageSize, config.Preprocessing);
        var square = new JsonObject { ["height"] = size, ["width"] = size };
        var squash = pictures.Resize == ResizeMode.Squash;
        return new JsonObject
        {
            ["image_processor_type"] = "CLIPImageProcessor",
            ["do_convert_rgb"] = true,
            ["do_resize"] = true,
            ["size"] = squash ? square.DeepClone() : new JsonObject { ["shortest_edge"] = size },
            ["resample"] = pictures.Bilinear ? 2 : 3,   // Pillow's numbers of bilinear and bicubic
            ["do_center_crop"] = !squash,
            ["crop_size"] = square,
            ["do_rescale"] = true,
            ["rescale_factor"] = 1 / 255.0,
            ["do_normalize"] = true,
            ["image_mean"] = Numbers(pictures.Mean),
            ["image_std"] = Numbers(pictures.StandardDeviation),
        };
    }

    private static JsonArray Numbers((float Red, float Green, float Blue) channels) => [channels.Red, channels.Green, channels.Blue];
}
