using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Adapters;

public sealed class MethodsTests
{
    [Fact]
    public void Names_are_found_in_any_case_and_are_all_different()
    {
        Assert.Same(AdaptFormer.Definition, Methods.Find("AdaptFormer"));
        Assert.Equal(Methods.All.Count, Methods.All.Select(method => method.Name).Distinct().Count());
    }

    [Fact]
    public void An_unknown_name_suggests_the_nearest()
    {
        var exception = Assert.Throws<UsageException>(() => Methods.Find("adaptfromer"));
        Assert.Contains("did you mean adaptformer?", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("adaptformer", """{"bottleneck": 0}""", "bottleneck")]
    [InlineData("adaptformer", """{"bottleneck": 2000000000}""", "bottleneck")]
    [InlineData("adaptformer", """{"bottleneck": "wide"}""", "bottleneck")]
    [InlineData("adaptformer", """{"dropout": 1}""", "dropout")]
    [InlineData("adaptformer", """{"bottlenek": 8}""", "did you mean bottleneck?")]
    [InlineData("adaptformer", "[]", "settings")]
    [InlineData("adaptformer", "null", "settings")]
    [InlineData("convpass", "{", "settings")]
    [InlineData("st-adapter", """{"kernel": [3, 1]}""", "kernel")]
    [InlineData("st-adapter", """{"kernel": [2, 1, 1]}""", "kernel")]
    [InlineData("st-adapter", """{"kernel": null}""", "kernel")]
    [InlineData("lora", """{"rank": -1}""", "rank")]
    [InlineData("seq-transf", """{"layers": 0}""", "layers")]
    [InlineData("mv-adapter", """{"frames": 2000000000}""", "frames")]
    [InlineData("mv-adapter", """{"calibrate": null}""", "calibrate")]
    [InlineData("mv-adapter", """{"tying": "sideways"}""", "sideways")]
    public void Wrong_settings_are_refused_in_one_line(string method, string settings, string names)
    {
        var exception = Assert.ThrowsAny<MvAdapterException>(() => Methods.Find(method).Create(TinyModel.Config, settings));
        Assert.Contains(names, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }

    [Fact]
    public void A_checkpoint_of_an_unknown_method_says_so()
    {
        using var folder = new TemporaryFolder();
        using var tiny = new TinyModel();
        var path = folder.File("adapter.safetensors");
        Safetensors.Write(path, new Dictionary<string, StoredTensor>(), new Dictionary<string, string> { ["method"] = "lorra", ["settings"] = "{}" });
        var exception = Assert.Throws<InvalidFileException>(() => AdapterCheckpoint.Load(path, tiny.Backbone));
        Assert.Contains("did you mean lora?", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_published_form_is_for_MvAdapter_alone()
    {
        using var folder = new TemporaryFolder();
        using var tiny = new TinyModel();
        using var model = tiny.Create("lora");
        Assert.Throws<UsageException>(() => AdapterCheckpoint.Save(folder.File("adapter.pth"), model));
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
    }

    [Theory]
    [InlineData("lora", """{"rank": 4, "alpha": 6}""")]
    [InlineData("bitfit", "{}")]
    [InlineData("linear", "{}")]
    [InlineData("full", "{}")]
    public void What_is_merged_is_the_same_model(string method, string settings)
    {
        using var tiny = new TinyModel();
        using var model = tiny.CreateMoved(method, settings);
        using var clip = model.Merge();
        using var merged = RetrievalModel.ZeroShot(clip);
        using var plain = RetrievalModel.ZeroShot(tiny.Backbone);
        var (expected, actual, untrained) = (tiny.Embed(model), tiny.Embed(merged), tiny.Embed(plain));
        Rounding.AssertSame(expected.Videos, actual.Videos, Rounding.SumsOf(TinyModel.Layers), "videos");
        Rounding.AssertSame(expected.Texts, actual.Texts, Rounding.SumsOf(TinyModel.Layers), "texts");
        Assert.True(Rounding.Distance(expected.Videos, untrained.Videos) > 1e-3 && Rounding.Distance(expected.Texts, untrained.Texts) > 1e-3);
    }

    [Theory]
    [InlineData("mv-adapter", """{"frames": 4, "words": 10, "tied_layers": [1]}""")]
    [InlineData("adaptformer", "{}")]
    [InlineData("convpass", "{}")]
    [InlineData("st-adapter", "{}")]
    [InlineData("seq-transf", "{}")]
    public void What_adds_layers_is_not_merged(string method, string settings)
    {
        using var tiny = new TinyModel();
        using var model = tiny.Create(method, settings);
        Assert.Contains("use export", Assert.Throws<UsageException>(model.Merge).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_sequential_transformer_begins_as_the_text_towers_first_layers()
    {
        using var tiny = new TinyModel();
        using var model = tiny.Create("seq-transf", """{"layers": 2, "frames": 5}""");
        var (own, clip) = (model.Method.Parameters, tiny.Backbone.Parameters);
        using var positions = clip["positional_embedding"].Narrow(0, 0, 5);
        Assert.Equal(positions.ToFloats(), own["visual.adapter.positional_embedding"].ToFloats());
        foreach (var name in clip.Names.Where(name => name.StartsWith("transformer.resblocks.0.", StringComparison.Ordinal) || name.StartsWith("transformer.resblocks.1.", StringComparison.Ordinal)))
            Assert.Equal(clip[name].ToFloats(), own["visual.adapter." + name].ToFloats());
    }
}
