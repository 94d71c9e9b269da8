using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using MvAdapter.Layers;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Adapters;

[Trait("Category", "Fixtures")]
public sealed class MvAdapterFixtureTests
{
    public static TheoryData<string> Cases => Fixtures.Names("mv_adapter");

    [SkippableTheory, MemberData(nameof(Cases))]
    public void Forward_is_the_published_codes(string name)
    {
        using var fixture = new Fixture(name);
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        var (frames, videos, texts, logits) = fixture.Forward();
        fixture.Expected.AssertClose("frame_features", frames, 1e-4);
        fixture.Expected.AssertClose("text_features", fixture.Model.Clip.Text.Forward(fixture.Inputs["input_ids"], fixture.Model.Method.Text, false), 1e-4);
        fixture.Expected.AssertClose("video_embeddings", videos, 1e-4);
        fixture.Expected.AssertClose("text_embeddings", texts, 1e-4);
        fixture.Expected.AssertClose("logits_per_text", logits, 1e-4);
        fixture.Expected.AssertClose("loss", ContrastiveLoss.Of(logits).View(1), 1e-4);
    }

    [SkippableTheory, MemberData(nameof(Cases))]
    public void Gradients_are_the_published_codes(string name)
    {
        using var fixture = new Fixture(name);
        using var scope = new TensorScope();
        fixture.TrainableParameters();
        var gradients = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/gradients.safetensors"));
        ContrastiveLoss.Of(fixture.Forward().Logits).Backward();
        Assert.Equal(gradients.Names.Order(), fixture.Model.TrainableParameters().Select(item => AdapterCheckpoint.ToPublished(item.Key)).Order());
        foreach (var (parameter, value) in fixture.Model.TrainableParameters())
            gradients.AssertClose(AdapterCheckpoint.ToPublished(parameter), value.Grad ?? Tensor.Zeros([.. value.Shape]), 1e-6, 1e-3);
    }

    [SkippableTheory, MemberData(nameof(Cases))]
    public void Four_steps_of_the_optimiser_are_the_published_codes(string name)
    {
        using var fixture = new Fixture(name);
        var settings = fixture.Config.GetProperty("optimizer");
        var (total, warmup) = (settings.GetProperty("total_steps").GetDouble(), settings.GetProperty("warmup").GetDouble());
        using var optimizer = new BertAdam(fixture.TrainableParameters(), step => Schedule(step / total, warmup));
        foreach (var loss in fixture.Config.GetProperty("losses").EnumerateArray())
        {
            using var scope = new TensorScope();
            var value = ContrastiveLoss.Of(fixture.Forward().Logits);
            Assert.Equal(loss.GetDouble(), value.ToDouble(), 1e-4);
            value.Backward();
            optimizer.Step();
            fixture.Model.ClampLogitScale();
        }
        var expected = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/after_4_steps.safetensors"));
        foreach (var (parameter, value) in fixture.Model.TrainableParameters())
            expected.AssertClose(AdapterCheckpoint.ToPublished(parameter), value, 1e-4);
    }

    private static double Schedule(double x, double warmup) => x < warmup ? x / warmup : 0.5 * (1 + Math.Cos(Math.PI * x));

    /// <summary>One folder of mv_adapter: the tiny CLIP with its adapter, and a batch.</summary>
    private sealed class Fixture : IDisposable
    {
        private readonly ClipModel clip;

        public Fixture(string name)
        {
            var configPath = Fixtures.Find($"mv_adapter/{name}/config.json");
            Config = JsonDocument.Parse(File.ReadAllText(configPath)).RootElement;
            Inputs = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/inputs.safetensors"));
            Expected = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/expected.safetensors"));
            clip = ClipCheckpoint.Load(Fixtures.Find("clip/backbone.safetensors"));
            Model = AdapterCheckpoint.Load(Fixtures.Find($"mv_adapter/{name}/adapter.safetensors"), clip,
                MvAdapterConfig.FromJson(File.ReadAllText(configPath), configPath));
        }

        public JsonElement Config { get; }
        public StoredTensors Inputs { get; }
        public StoredTensors Expected { get; }
        public RetrievalModel Model { get; }

        public (Tensor Frames, Tensor Videos, Tensor Texts, Tensor Logits) Forward()
        {
            var (pixels, mask) = (Inputs["pixels"], Inputs["frame_mask"]);
            var (videos, texts) = (Model.EncodeVideos(pixels, mask), Model.EncodeTexts(Inputs["input_ids"]));
            return (Model.EncodeFrames(pixels, mask), videos, texts, Model.Logits(texts, videos));
        }

        public IReadOnlyList<TrainedParameter> TrainableParameters()
        {
            var groups = Config.GetProperty("optimizer").GetProperty("groups");
            GroupSettings Group(string key) => new(groups.GetProperty(key).GetProperty("lr").GetDouble(), groups.GetProperty(key).GetProperty("weight_decay").GetDouble());
            var settings = new OptimizerGroups
            {
                AdapterDecay = Group("adapter_decay"), AdapterNoDecay = Group("adapter_no_decay"), ClipNoDecay = Group("clip_no_decay"),
            };
            var list = new List<TrainedParameter>();
            foreach (var (name, value) in Model.TrainableParameters())
            {
                value.RequiresGrad = true;
                list.Add(new TrainedParameter(name, value, settings.Of(name)));
            }
            return list;
        }

        public void Dispose()
        {
            Model.Dispose();
            clip.Dispose();
        }
    }
}
