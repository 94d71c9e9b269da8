using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Checkpoints;

public sealed class ClipWriterTests : IDisposable
{
    private static readonly TrainedVocabulary Vocabulary = BpeTrainer.Train(["a red circle", "a blue star on the left"], 20);

    private readonly TemporaryFolder folder = new();
    private readonly ClipModel clip = ClipModel.CreateRandom(
        new ClipConfig(24, 32, 16, 64, 2, 32, 3, 16, ClipTokenizer.From(Vocabulary).VocabularySize) { VisionHeads = 4, TextHeads = 2 }, 3);

    public void Dispose()
    {
        clip.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData(DType.Float32, 0)]
    [InlineData(DType.Float16, 2e-2)]
    [InlineData(DType.BFloat16, 2e-1)]
    public void What_was_written_has_the_same_features(DType storage, double tolerance)
    {
        ClipWriter.Write(folder.Path, clip, Vocabulary, storage);

        using var loaded = ClipCheckpoint.Load(folder.Path);

        Assert.Equal(clip.Config, loaded.Config);
        using var scope = new TensorScope();
        using var generator = new Generator(1);
        var pixels = Tensor.RandN([2, 3, 32, 32], generator);
        var ids = Tensor.From(ClipTokenizer.Load(folder.Path).EncodeBatch(["a red star", "blue on the left"], 12), 2, 12);
        AssertClose(clip.EncodeImages(pixels), loaded.EncodeImages(pixels), tolerance);
        AssertClose(clip.EncodeTexts(ids), loaded.EncodeTexts(ids), tolerance);
        Assert.Equal(clip.LogitScale.ToDouble(), loaded.LogitScale.ToDouble(), tolerance);
    }

    [Fact]
    public void Names_and_shapes_are_hugging_faces()
    {
        ClipWriter.Write(folder.Path, clip, Vocabulary);

        var tensors = Safetensors.Read(folder.File("model.safetensors")).Tensors;

        Assert.Equal([24, 32], tensors["text_projection.weight"].Shape);
        Assert.Equal([24, 64], tensors["visual_projection.weight"].Shape);
        Assert.Equal([64, 3, 16, 16], tensors["vision_model.embeddings.patch_embedding.weight"].Shape);
        Assert.Equal([64, 64], tensors["vision_model.encoder.layers.1.self_attn.v_proj.weight"].Shape);
        Assert.Equal([32], tensors["text_model.encoder.layers.2.self_attn.out_proj.bias"].Shape);
        Assert.Contains("vision_model.pre_layrnorm.weight", tensors.Keys);
        Assert.DoesNotContain(tensors.Keys, name => name.Contains("resblocks", StringComparison.Ordinal) || name.Contains("in_proj", StringComparison.Ordinal));
    }

    [Fact]
    public void The_configuration_says_the_sizes()
    {
        ClipWriter.Write(folder.Path, clip, Vocabulary, DType.Float16);

        using var config = JsonDocument.Parse(File.ReadAllText(folder.File("config.json")));
        var (text, vision) = (config.RootElement.GetProperty("text_config"), config.RootElement.GetProperty("vision_config"));
        Assert.Equal("float16", config.RootElement.GetProperty("torch_dtype").GetString());
        Assert.Equal((32, 3, 2, 16), (Number(text, "hidden_size"), Number(text, "num_hidden_layers"), Number(text, "num_attention_heads"), Number(text, "max_position_embeddings")));
        Assert.Equal((64, 2, 4, 16), (Number(vision, "hidden_size"), Number(vision, "num_hidden_layers"), Number(vision, "num_attention_heads"), Number(vision, "patch_size")));
        Assert.Equal(ClipTokenizer.Load(folder.Path).EndOfText, Number(text, "eos_token_id"));
        Assert.Equal("quick_gelu", text.GetProperty("hidden_act").GetString());
        using var preprocessing = JsonDocument.Parse(File.ReadAllText(folder.File("preprocessor_config.json")));
        Assert.Equal(32, Number(preprocessing.RootElement.GetProperty("size"), "shortest_edge"));

        static int Number(JsonElement element, string name) => element.GetProperty(name).GetInt32();
    }

    [Fact]
    public void Another_model_s_vocabulary_is_refused() =>
        Assert.Contains("tokens, but the model", Assert.Throws<MvAdapterException>(() =>
            ClipWriter.Write(folder.Path, clip, BpeTrainer.Train(["a"], 0))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_file_in_the_folder_s_place_is_one_line() =>
        Assert.Contains("cannot be written", Assert.Throws<InvalidFileException>(() =>
            ClipWriter.Write(folder.Write("file", ""), clip, Vocabulary)).Message, StringComparison.Ordinal);

    private static void AssertClose(Tensor expected, Tensor actual, double tolerance)
    {
        var (e, a) = (expected.ToFloats(), actual.ToFloats());
        Assert.Equal(e.Length, a.Length);
        for (var i = 0; i < e.Length; i++) Assert.Equal(e[i], a[i], tolerance);
    }
}
