using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Clip;

[Trait("Category", "Fixtures")]
public sealed class ClipFixtureTests
{
    [Fact]
    public void Image_and_text_features_are_the_published_codes()
    {
        using var clip = ClipCheckpoint.Load(Fixtures.Find("clip/backbone.safetensors"));
        var inputs = new StoredTensors(Fixtures.Find("clip/inputs.safetensors"));
        var expected = new StoredTensors(Fixtures.Find("clip/expected.safetensors"));
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        expected.AssertClose("image_features", clip.EncodeImages(inputs["pixels"]), 1e-5);
        expected.AssertClose("text_features", clip.EncodeTexts(inputs["input_ids"]), 1e-5);
    }
}
