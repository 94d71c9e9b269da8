using MvAdapter.Adapters;
using MvAdapter.Clip;

namespace MvAdapter.Tests.Adapters;

/// <summary>How many weights a method adds to ViT-B/16, by the formulas of its paper.</summary>
public sealed class ParameterCountTests
{
    private const long Layers = 12;
    private const long Video = 768;
    private const long Text = 512;

    [Theory]
    [InlineData("msrvtt", 3_325_696)]
    [InlineData("msvd", 3_401_728)]
    [InlineData("lsmdc", 3_444_000)]
    [InlineData("didemo", 3_380_992)]
    [InlineData("activitynet", 3_445_472)]
    public void MvAdapter_has_the_published_number(string preset, long published)
    {
        using var method = new MvAdapterMethod(ClipConfig.ViTB16, MvAdapterConfig.Preset(preset));
        Assert.Equal(published, method.Parameters.ElementCount);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(64)]
    public void AdaptFormer_has_two_projections_a_block(int m)
    {
        Assert.Equal(Layers * (AdaptFormer(Video, m) + AdaptFormer(Text, m)), Count("adaptformer", $$"""{"bottleneck": {{m}}}"""));
    }

    [Fact]
    public void Convpass_has_two_bypasses_a_block()
    {
        const long m = 8;
        Assert.Equal(Layers * 2 * (Bottleneck(Video, m) + 9 * m * m + m + Bottleneck(Text, m)), Count("convpass"));
    }

    [Theory]
    [InlineData("[3, 1, 1]", 3)]
    [InlineData("[3, 3, 3]", 27)]
    public void StAdapter_has_a_depthwise_convolution_between_its_projections(string kernel, long taps)
    {
        const long m = 384;
        Assert.Equal(Layers * (Bottleneck(Video, m) + taps * m + m + AdaptFormer(Text, 64)), Count("st-adapter", $$"""{"kernel": {{kernel}}}"""));
    }

    [Fact]
    public void Lora_has_two_pairs_of_factors_a_block()
    {
        const long r = 8;
        Assert.Equal(Layers * 2 * (2 * r * Video + 2 * r * Text), Count("lora"));
    }

    [Fact]
    public void The_sequential_transformer_has_positions_and_four_blocks()
    {
        const long width = 512;
        const long block = 12 * width * width + 13 * width;   // 3 E^2 + E^2 of attention, 8 E^2 of the MLP, biases and LayerNorms
        Assert.Equal(12 * width + 4 * block, Count("seq-transf"));
    }

    [Theory]
    [InlineData("bitfit")]
    [InlineData("linear")]
    [InlineData("full")]
    [InlineData("zero-shot")]
    public void The_rest_add_nothing(string name) => Assert.Equal(0, Count(name));

    [Fact]
    public void What_trains_of_CLIP_is_counted_by_its_layers()
    {
        var config = TinyModel.Config;
        using var tiny = new TinyModel();
        // A block has biases of 3 D + D in attention, 4 D + D in the MLP and 2 D in its LayerNorms; outside are three LayerNorms.
        Assert.Equal(config.VisionWidth * (11 * config.VisionLayers + 2) + config.TextWidth * (11 * config.TextLayers + 1), Trained("bitfit"));
        Assert.Equal(config.EmbeddingWidth * (config.VisionWidth + config.TextWidth), Trained("linear"));
        Assert.Equal(tiny.Backbone.Parameters.ElementCount, Trained("full"));
        Assert.Equal(0, Trained("zero-shot"));

        long Trained(string name)
        {
            using var model = tiny.Create(name);
            return model.TrainableParameters().Sum(item => item.Value.ElementCount);
        }
    }

    private static long Bottleneck(long width, long m) => 2 * width * m + m + width;

    private static long AdaptFormer(long width, long m) => Bottleneck(width, m);

    private static long Count(string name, string? settings = null)
    {
        using var method = Methods.Find(name).Create(ClipConfig.ViTB16, settings);
        return method.Parameters.ElementCount;
    }
}
