using System.Text.Json.Nodes;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Checkpoints;

/// <summary>The forms of a CLIP's files: what is written is read, what is of another family is refused by name, nothing is guessed.</summary>
public sealed class ClipFormsTests : IDisposable
{
    private static readonly TrainedVocabulary Vocabulary = BpeTrainer.Train(["a red circle"], 20);

    // What the presets of larger towers differ in: heads that are not 64 wide, an MLP that is not four times as wide, other pictures.
    private static readonly ClipConfig Config = new(24, 32, 16, 80, 2, 32, 3, 16, ClipTokenizer.From(Vocabulary).VocabularySize)
    {
        VisionHeads = 2, TextHeads = 4, VisionMlpWidth = 349, Activation = ActivationFunction.Gelu,
        Preprocessing = new Preprocessing((0.5f, 0.25f, 0.125f), (0.5f, 0.5f, 0.5f), ResizeMode.Squash, Bilinear: true),
    };

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(ClipForm.HuggingFace)]
    [InlineData(ClipForm.OpenClip)]
    [InlineData(ClipForm.OpenClipCustomText)]
    public void A_CLIP_comes_back_as_it_was_written(ClipForm form)
    {
        using var clip = Write(form);
        using var loaded = ClipCheckpoint.Load(folder.Path);
        Assert.Equal(clip.Config, loaded.Config);
        Assert.Equal(clip.Identity, loaded.Identity);
        Assert.Equal(form, ClipCheckpoint.FormOf(folder.Path));
    }

    [Fact]
    public void Presets_have_the_sizes_of_the_published_models()
    {
        // Parameters as the models' pages give them, in millions.
        foreach (var (name, millions) in new[] { ("ViT-B/16", 149.6), ("ViT-L/14", 427.6), ("ViT-H-14", 986.1), ("ViT-g-14", 1366.7), ("ViT-bigG-14", 2539.6) })
            Assert.Equal(millions, Math.Round(Count(ClipConfig.Preset(name)) / 1e6, 1));
    }

    [Theory]
    [InlineData("""{"model_cfg": {"init_logit_bias": -10}}""", "model_cfg.init_logit_bias")]
    [InlineData("""{"model_cfg": {"vision_cfg": {"timm_model_name": "vit_base_patch16_siglip_224"}}}""", "vision_cfg.timm_model_name")]
    [InlineData("""{"model_cfg": {"vision_cfg": {"layers": [3, 4, 6, 3]}}}""", "a ResNet")]
    [InlineData("""{"model_cfg": {"vision_cfg": {"pool_type": "avg"}}}""", "vision_cfg.pool_type")]
    [InlineData("""{"model_cfg": {"vision_cfg": {"attentional_pool": true}}}""", "vision_cfg.attentional_pool")]
    [InlineData("""{"model_cfg": {"text_cfg": {"no_causal_mask": true}}}""", "text_cfg.no_causal_mask")]
    [InlineData("""{"model_cfg": {"text_cfg": {"hf_model_name": "xlm-roberta-base"}}}""", "xlm-roberta-base")]
    [InlineData("""{"model_cfg": {"vision_cfg": {"image_size": 64}}}""", "64 pixels")]
    [InlineData("""{"preprocess_cfg": {"mean": [1, 2]}}""", "preprocess_cfg.mean")]
    [InlineData("""{"preprocess_cfg": {"resize_mode": "longest"}}""", "preprocess_cfg.resize_mode")]
    [InlineData("""{"model_cfg": {"quick_gelu": "yes"}}""", "model_cfg.quick_gelu")]
    [InlineData("""{"model_cfg": {"vision_cfg": {"head_width": 3}}}""", "heads do not divide")]
    public void What_is_of_another_family_is_refused_by_the_name_of_the_field(string change, string named) =>
        RefusesChanged(ClipForm.OpenClip, "open_clip_config.json", change, named);

    [Theory]
    [InlineData("""{"model_type": "siglip"}""", "siglip")]
    [InlineData("""{"text_config": {"hidden_act": "quick_gelu"}}""", "differs between the towers")]
    [InlineData("""{"vision_config": {"hidden_act": "relu"}}""", "vision_config.hidden_act")]
    public void So_it_is_in_Hugging_Faces_form(string change, string named) =>
        RefusesChanged(ClipForm.HuggingFace, "config.json", change, named);

    [Fact]
    public void Nothing_is_guessed_of_weights_that_stand_alone()
    {
        using var clip = ClipModel.CreateRandom(Config with { Preprocessing = Preprocessing.Clip, VisionWidth = 64, VisionHeads = 1, TextHeads = 1 }, 3);
        var file = folder.File("weights.safetensors");
        Safetensors.Write(file, clip.Parameters.Items.ToDictionary(item => item.Key, item => StoredTensor.FromFloats(item.Value.ToFloats(), [.. item.Value.Shape])));
        Assert.Contains("--activation", Assert.Throws<InvalidFileException>(() => ClipCheckpoint.Load(file)).Message, StringComparison.Ordinal);
        using (var told = ClipCheckpoint.Load(file, activation: ActivationFunction.Gelu)) Assert.Equal(clip.Identity, told.Identity);
        using (var remembered = ClipCheckpoint.Load(file, identity: clip.Identity)) Assert.Equal(ActivationFunction.Gelu, remembered.Config.Activation);
        Assert.Throws<InvalidFileException>(() => ClipCheckpoint.Load(file, identity: "0123456789abcdef"));
    }

    [Fact]
    public void A_word_against_the_configuration_is_refused()
    {
        using (Write(ClipForm.OpenClip)) { }
        Assert.Contains("is gelu by its own configuration", Assert.Throws<InvalidFileException>(() =>
            ClipCheckpoint.Load(folder.Path, activation: ActivationFunction.QuickGelu)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"weight_map": {"a": "../model.safetensors"}}""", "no file of its folder")]
    [InlineData("""{"weight_map": {"a": "absent.safetensors"}}""", "absent.safetensors is missing")]
    [InlineData("""{"weight_map": {}}""", "names no shard")]
    [InlineData("""{"weight_map": {"a": 3}}""", "weight_map.a is no text")]
    [InlineData("""{}""", "weight_map is missing")]
    public void A_bad_index_of_shards_is_named(string index, string reason)
    {
        File.WriteAllText(folder.File("config.json"), "{\"model_type\": \"clip\"}");
        File.WriteAllText(folder.File("model.safetensors.index.json"), index);
        Assert.Contains(reason, Assert.Throws<InvalidFileException>(() => ClipCheckpoint.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    private void RefusesChanged(ClipForm form, string file, string change, string named)
    {
        using (Write(form)) { }
        var config = JsonNode.Parse(File.ReadAllText(folder.File(file)))!.AsObject();
        Merge(config, JsonNode.Parse(change)!.AsObject());
        File.WriteAllText(folder.File(file), config.ToJsonString());
        Assert.Contains(named, Assert.Throws<InvalidFileException>(() => ClipCheckpoint.Load(folder.Path)).Message, StringComparison.Ordinal);
    }

    private ClipModel Write(ClipForm form)
    {
        var clip = ClipModel.CreateRandom(Config, 3);
        ClipWriter.Write(folder.Path, clip, Vocabulary, form: form);
        return clip;
    }

    private static void Merge(JsonObject into, JsonObject change)
    {
        foreach (var (name, value) in change)
        {
            if (value is JsonObject inner && into[name] is JsonObject outer) Merge(outer, inner);
            else into[name] = value?.DeepClone();
        }
    }

    // Counted, not made: the largest would take ten gigabytes.
    private static double Count(ClipConfig c)
    {
        var vision = c.VisionWidth * (3L * c.PatchSize * c.PatchSize + 1 + 1 + c.Grid * c.Grid + 4 + c.EmbeddingWidth) + Blocks(c.VisionLayers, c.VisionWidth, c.VisionMlpWidth);
        var text = c.TextWidth * ((long)c.VocabularySize + c.ContextLength + 2 + c.EmbeddingWidth) + Blocks(c.TextLayers, c.TextWidth, c.TextMlpWidth);
        return vision + text + 1;

        static long Blocks(long layers, long width, long mlp) => layers * (4 * width + 4 * width * width + 4 * width + 2 * width * mlp + mlp + width);
    }
}
