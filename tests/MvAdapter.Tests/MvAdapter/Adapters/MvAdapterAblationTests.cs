using MvAdapter.Adapters;
using MvAdapter.Clip.Layers;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Adapters;

/// <summary>The parts of MV-Adapter that its paper takes away or varies.</summary>
public sealed class MvAdapterAblationTests
{
    public static TheoryData<string> Settings =>
    [
        """{"temporal": false}""",
        """{"temporal": false, "tying": "down out cls", "tied_layers": [1, 2]}""",
        """{"tying": null}""",
        """{"calibrate": []}""",
        """{"calibrate": ["c", "p"], "context_token": false}""",
        """{"tying": "up in", "tied_layers": [0]}""",
        """{"kronecker": 2, "tying": null}""",
        """{"kronecker": 4, "tying": "up out", "tied_layers": [2]}""",
        """{"bottleneck": 16}""",
        """{"bottleneck": 256}""",
        """{"branches": "video"}""",
        """{"branches": "text"}""",
    ];

    [Theory, MemberData(nameof(Settings))]
    public void It_starts_as_zero_shot_CLIP_trains_and_is_stored_whole(string settings)
    {
        using var folder = new TemporaryFolder();
        using var tiny = new TinyModel();
        using var model = tiny.Create("mv-adapter", settings);
        using var zeroShot = RetrievalModel.ZeroShot(tiny.Backbone);
        var (start, plain) = (tiny.Embed(model), tiny.Embed(zeroShot));
        Rounding.AssertSame(plain.Videos, start.Videos, Rounding.SumsOf(TinyModel.Layers), "videos");
        Rounding.AssertSame(plain.Texts, start.Texts, Rounding.SumsOf(TinyModel.Layers), "texts");

        var before = model.TrainableParameters().ToDictionary(item => item.Key, item => item.Value.ToFloats());
        tiny.Train(model, 3);
        Assert.All(model.TrainableParameters().Where(item => !IsIdle(item.Key)), item => Assert.NotEqual(before[item.Key], item.Value.ToFloats()));

        var path = folder.File("adapter.safetensors");
        AdapterCheckpoint.Save(path, model);
        using var loaded = AdapterCheckpoint.Load(path, tiny.Backbone);
        var (trained, read) = (tiny.Embed(model), tiny.Embed(loaded));
        Assert.Equal(trained.Videos, read.Videos);
        Assert.Equal(trained.Texts, read.Texts);
    }

    [Fact]
    public void Without_temporal_modelling_the_order_of_frames_is_not_seen()
    {
        using var tiny = new TinyModel();
        using var model = tiny.CreateMoved("mv-adapter", """{"temporal": false}""");
        using var order = Tensor.From<long>([3, 2, 1, 0], 4);
        using var reversed = tiny.Pixels.IndexSelect(1, order);
        using var whole = Tensor.Ones([3, 4]);
        Rounding.AssertSame(tiny.Embed(model, mask: whole).Videos, tiny.Embed(model, reversed, whole).Videos, Rounding.SumsOf(TinyModel.Layers));
        Assert.DoesNotContain(model.Method.Parameters.Names, name => name.StartsWith("visual.", StringComparison.Ordinal) && name.Contains(".block.", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("video")]
    [InlineData("text")]
    public void The_branch_that_is_not_adapted_stays_zero_shot(string branch)
    {
        using var tiny = new TinyModel();
        using var model = tiny.CreateMoved("mv-adapter", $$"""{"branches": "{{branch}}"}""");
        using var zeroShot = RetrievalModel.ZeroShot(tiny.Backbone);
        var (adapted, plain) = (tiny.Embed(model), tiny.Embed(zeroShot));
        Assert.Equal(branch == "text", adapted.Videos.SequenceEqual(plain.Videos));
        Assert.Equal(branch == "video", adapted.Texts.SequenceEqual(plain.Texts));
    }

    [Theory]
    [InlineData("""{"branches": "video", "tying": null, "kronecker": 4}""", "kronecker")]
    [InlineData("""{"branches": "audio"}""", "branches")]
    [InlineData("""{"branches": 1}""", "branches")]
    [InlineData("""{"kronecker": 3, "tying": null}""", "kronecker (3) must divide")]
    [InlineData("""{"kronecker": 4, "tying": "down in", "tied_layers": [1]}""", "kronecker")]
    [InlineData("""{"tying": "down in", "tied_layers": [3]}""", "0 to 2")]
    public void Parts_that_do_not_go_together_are_refused(string settings, string names)
    {
        var exception = Assert.ThrowsAny<MvAdapterException>(() => MvAdapterMethod.Definition.Create(TinyModel.Config, settings));
        Assert.Contains(names, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_kronecker_weight_is_the_sum_of_the_products()
    {
        using var scope = new TensorScope();
        using var generator = new Generator(4);
        using var parameters = new ParameterSet();
        var p = new ParameterBuilder(parameters, ParameterBuilder.Fresh, generator);
        var shared = KroneckerInteraction.CreateShared(p, 4);
        const double deviation = 0.02;
        var weight = new KroneckerInteraction(p, shared, 64, 512, deviation).Weight();
        var sum = Tensor.Zeros([64, 512]);
        for (var k = 0; k < 4; k++) sum = sum + Functional.Kronecker(shared.Select(0, k), parameters["kronecker_down"].Select(0, k));
        Rounding.AssertSame(sum, weight, sums: 1);
        var values = weight.ToFloats();
        Assert.InRange(Math.Sqrt(values.Average(value => (double)value * value)), deviation / 2, deviation * 2);
    }

    /// <summary>
    /// The context token stays in the checkpoint, unused, when the sequence does without; and what the last block does
    /// to patches reaches no class token.
    /// </summary>
    private static bool IsIdle(string name) =>
        name.EndsWith(".cc", StringComparison.Ordinal) || name.StartsWith("visual.transformer.resblocks.2.mlp.adapter.conv_rf_p.", StringComparison.Ordinal);
}
