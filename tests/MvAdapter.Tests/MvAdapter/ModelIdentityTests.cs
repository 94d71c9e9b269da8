using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Tests.Adapters;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Tests;

public sealed class ModelIdentityTests
{
    [Fact]
    public void A_model_keeps_its_identity_through_files_and_precisions()
    {
        using var tiny = new TinyModel();
        using var folder = new TemporaryFolder();
        using var model = tiny.CreateMoved("mv-adapter", """{"frames": 4, "words": 10, "bottleneck": 8, "factor_dim": 4, "tied_layers": [1]}""");
        Assert.Matches("^[0-9a-f]{16}$", model.Identity.Backbone);
        Assert.Matches("^[0-9a-f]{16}$", model.Identity.Adapter);
        Assert.Equal(tiny.Backbone.Identity, model.Identity.Backbone);   // though its biases have moved

        foreach (var precision in new[] { AdapterPrecision.Float32, AdapterPrecision.BFloat16 })
        {
            AdapterCheckpoint.Save(folder.File("adapter.safetensors"), model, precision);
            using var loaded = AdapterCheckpoint.Load(folder.File("adapter.safetensors"), tiny.Backbone);
            Assert.Equal(model.Identity, loaded.Identity);
        }
        var narrow = folder.File("clip.safetensors");
        Safetensors.Write(narrow, tiny.Backbone.Parameters.Items.ToDictionary(item => item.Key, item => StoredTensor.FromFloats(item.Value.ToFloats(), [.. item.Value.Shape])));
        using var inBFloat16 = ClipCheckpoint.Load(narrow, precision: DType.BFloat16, activation: ActivationFunction.QuickGelu);
        Assert.Equal(tiny.Backbone.Identity, inBFloat16.Identity);
    }

    [Fact]
    public void Other_weights_other_settings_or_other_sizes_have_another_identity()
    {
        using var tiny = new TinyModel();
        using var other = ClipModel.CreateRandom(TinyModel.Config, 2);
        using var heads = ClipModel.CreateRandom(TinyModel.Config with { VisionHeads = 3 }, 1);
        using var gelu = ClipModel.CreateRandom(TinyModel.Config with { Activation = ActivationFunction.Gelu }, 1);
        using var squashed = ClipModel.CreateRandom(TinyModel.Config with { Preprocessing = Preprocessing.Clip with { Resize = ResizeMode.Squash } }, 1);
        Assert.Equal(5, new[] { tiny.Backbone.Identity, other.Identity, heads.Identity, gelu.Identity, squashed.Identity }.Distinct().Count());

        using var untrained = tiny.Create("lora");
        using var trained = tiny.CreateMoved("lora");
        using var louder = tiny.Create("lora", """{"alpha": 16}""");
        using var zeroShot = RetrievalModel.ZeroShot(tiny.Backbone);
        var models = new[] { untrained, trained, louder, zeroShot };
        Assert.Equal(models.Length, models.Select(model => model.Identity.Adapter).Distinct().Count());
        Assert.Single(models.Select(model => model.Identity.Backbone).Distinct());

        using var merged = ((Lora)trained.Method).Merge(trained.Clip);
        Assert.NotEqual(tiny.Backbone.Identity, merged.Identity);
    }

    [Fact]
    public void An_adapter_is_refused_by_another_backbone_of_the_same_size()
    {
        using var tiny = new TinyModel();
        using var other = ClipModel.CreateRandom(TinyModel.Config, 2);
        using var folder = new TemporaryFolder();
        using var model = tiny.Create("lora");
        AdapterCheckpoint.Save(folder.File("adapter.safetensors"), model);
        var message = Assert.Throws<InvalidFileException>(() => AdapterCheckpoint.Load(folder.File("adapter.safetensors"), other)).Message;
        Assert.Contains(tiny.Backbone.Identity, message, StringComparison.Ordinal);
        Assert.Contains(other.Identity, message, StringComparison.Ordinal);

        // Files of before the identity was recorded still load.
        var file = Safetensors.Read(folder.File("adapter.safetensors"));
        Safetensors.Write(folder.File("old.safetensors"), file.Tensors, file.Metadata.Where(item => item.Key != "backbone").ToDictionary());
        AdapterCheckpoint.Load(folder.File("old.safetensors"), other).Dispose();
    }

    [Fact]
    [Trait("Category", "Slow")]
    public void The_identity_of_a_whole_CLIP_is_that_of_its_copy()
    {
        using var clip = ClipModel.CreateRandom(ClipConfig.Presets["ViT-B/32"], 0);
        using var view = clip.Derive(static (_, _) => null);
        Assert.Equal(clip.Identity, view.Identity);
    }
}
