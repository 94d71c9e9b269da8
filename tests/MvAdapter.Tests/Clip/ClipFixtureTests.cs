using MvAdapter.Clip;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Clip;

[Trait("Category", "Fixtures")]
public sealed class ClipFixtureTests
{
    [Fact]
    public void Image_and_text_features_are_the_published_codes()
    {
        using var clip = ClipCheckpoint.Load(Fixtures.Find("clip/backbone.safetensors"), TestDevice.Current);
        var inputs = new StoredTensors(Fixtures.Find("clip/inputs.safetensors"));
        var expected = new StoredTensors(Fixtures.Find("clip/expected.safetensors"));
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        expected.AssertClose("image_features", clip.EncodeImages(inputs["pixels"]), 1e-5);
        expected.AssertClose("text_features", clip.EncodeTexts(inputs["input_ids"]), 1e-5);
    }

    // A product in bfloat16 rounds to 2^-9 of each number, independently: after some ten of them one part in a hundred of the whole, which
    // turns it by less than its square.
    [Fact]
    public void In_bfloat16_the_features_are_alike()
    {
        using var clip = ClipCheckpoint.Load(Fixtures.Find("clip/backbone.safetensors"), TestDevice.Current, DType.BFloat16);
        var inputs = new StoredTensors(Fixtures.Find("clip/inputs.safetensors"));
        var expected = new StoredTensors(Fixtures.Find("clip/expected.safetensors"));
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        expected.AssertAlike("image_features", clip.EncodeImages(inputs["pixels"]), 0.999);
        expected.AssertAlike("text_features", clip.EncodeTexts(inputs["input_ids"]), 0.999);
    }
}
