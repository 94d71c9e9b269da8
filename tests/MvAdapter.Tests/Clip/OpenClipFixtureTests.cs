using MvAdapter.Clip;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Clip;

/// <summary>CLIPs of the OpenCLIP family against numbers of the published PyTorch code, in every form that their files have.</summary>
[Collection(Alone.Name)]   // the switch of fused operators is the process's
[Trait("Category", "Fixtures")]
public sealed class OpenClipFixtureTests
{
    public static TheoryData<string> Models => Fixtures.Names("open_clip");

    [Theory]
    [MemberData(nameof(Models))]
    public void Features_are_those_of_the_published_code_whatever_the_form(string name)
    {
        var folder = Fixtures.Find($"open_clip/{name}");
        var inputs = new StoredTensors(Path.Combine(folder, "inputs.safetensors"));
        var expected = new StoredTensors(Path.Combine(folder, "expected.safetensors"));
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        string[] forms = [folder, .. Directory.GetFiles(folder, "open_clip_*.bin"), .. Directory.GetFiles(folder, "open_clip_*.safetensors"), .. Directory.GetDirectories(folder)];
        var identities = new HashSet<string>();
        foreach (var form in forms)
        {
            using var clip = ClipCheckpoint.Load(form, TestDevice.Current);
            identities.Add(clip.Identity);
            foreach (var fused in new[] { true, false })
            {
                Fused.Enabled = fused;
                try
                {
                    expected.AssertClose("image_features", clip.EncodeImages(inputs["pixels"]), 1e-5);
                    expected.AssertClose("text_features", clip.EncodeTexts(inputs["ids"]), 1e-5);
                }
                finally
                {
                    Fused.Enabled = true;
                }
            }
        }
        Assert.Single(identities);
    }
}
