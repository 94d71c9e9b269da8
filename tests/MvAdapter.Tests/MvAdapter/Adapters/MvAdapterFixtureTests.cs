using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Adapters;

[Trait("Category", "Fixtures")]
public sealed class MvAdapterFixtureTests
{
    public static TheoryData<string> Cases => Fixtures.Names("mv_adapter");

    [Theory, MemberData(nameof(Cases))]
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

    [Theory, MemberData(nameof(Cases))]
    public void Gradients_are_the_published_codes(string name)
    {
        using var fixture = new Fixture(name);
        using var scope = new TensorScope();
        var gradients = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/gradients.safetensors"));
        using var step = fixture.CreateStep();
        fixture.Accumulate(step);
        Assert.Equal(gradients.Names.Order(), fixture.Model.TrainableParameters().Select(item => AdapterFile.ToPublished(item.Key)).Order());
        foreach (var (parameter, value) in fixture.Model.TrainableParameters())
            gradients.AssertClose(AdapterFile.ToPublished(parameter), value.Grad ?? Tensor.Zeros([.. value.Shape]), 1e-6, 1e-3);
    }

    [Theory, MemberData(nameof(Cases))]
    public void Four_steps_of_training_are_the_published_codes(string name)
    {
        using var fixture = new Fixture(name);
        using var step = fixture.CreateStep();
        foreach (var loss in fixture.Config.GetProperty("losses").EnumerateArray())
        {
            Assert.Equal(loss.GetDouble(), fixture.Accumulate(step), 1e-4);
            step.Step();
        }
        var expected = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/after_4_steps.safetensors"));
        foreach (var (parameter, value) in fixture.Model.TrainableParameters())
            expected.AssertClose(AdapterFile.ToPublished(parameter), value, 1e-4);
    }

    // See the same of CLIP's features. A gradient has twice the products behind it; of a parameter that hardly matters to the loss, most is noise.
    [Theory, MemberData(nameof(Cases))]
    public void In_bfloat16_embeddings_and_gradients_are_alike(string name)
    {
        using var fixture = new Fixture(name, DType.BFloat16);
        using var scope = new TensorScope();
        using (new InferenceMode())
        {
            var (_, videos, texts, _) = fixture.Forward();
            fixture.Expected.AssertAlike("video_embeddings", videos, 0.999);
            fixture.Expected.AssertAlike("text_embeddings", texts, 0.999);
        }
        using var step = fixture.CreateStep();
        fixture.Accumulate(step);
        var gradients = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/gradients.safetensors"));
        var (dot, ours, theirs) = (0.0, 0.0, 0.0);
        foreach (var (parameter, value) in fixture.Model.TrainableParameters())
        {
            foreach (var (a, b) in (value.Grad ?? Tensor.Zeros([.. value.Shape])).ToFloats().Zip(gradients.Values(AdapterFile.ToPublished(parameter))))
                (dot, ours, theirs) = (dot + (double)a * b, ours + (double)a * a, theirs + (double)b * b);
        }
        Assert.True(dot / Math.Sqrt(ours * theirs) > 0.99, $"the cosine of all gradients is {dot / Math.Sqrt(ours * theirs)}");
    }

    /// <summary>One folder of mv_adapter: the tiny CLIP with its adapter, and a batch.</summary>
    private sealed class Fixture : IDisposable
    {
        private readonly ClipModel clip;

        public Fixture(string name, DType precision = DType.Float32)
        {
            var configPath = Fixtures.Find($"mv_adapter/{name}/config.json");
            Config = JsonDocument.Parse(File.ReadAllText(configPath)).RootElement;
            Inputs = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/inputs.safetensors"));
            Expected = new StoredTensors(Fixtures.Find($"mv_adapter/{name}/expected.safetensors"));
            clip = ClipCheckpoint.Load(Fixtures.Find("clip/backbone.safetensors"), TestDevice.Current, precision);
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

        /// <summary>Training with the optimiser's settings of the config.</summary>
        public TrainingStep CreateStep()
        {
            var optimizer = Config.GetProperty("optimizer");
            var (total, warmup) = (optimizer.GetProperty("total_steps").GetInt64(), optimizer.GetProperty("warmup").GetDouble());
            var groups = new OptimizerGroups
            {
                AdapterDecay = Group("adapter_decay"), AdapterNoDecay = Group("adapter_no_decay"), ClipNoDecay = Group("clip_no_decay"),
            };
            return new TrainingStep(Model, groups, step => WarmupCosine.Factor(step, total, warmup));

            GroupSettings Group(string key)
            {
                var group = optimizer.GetProperty("groups").GetProperty(key);
                return new GroupSettings(group.GetProperty("lr").GetDouble(), group.GetProperty("weight_decay").GetDouble());
            }
        }

        /// <summary>Forward and backward of the batch; returns the loss.</summary>
        public double Accumulate(TrainingStep step)
        {
            using var scope = new TensorScope();
            return step.Accumulate(new TrainingInput(FrameBatch.Padded(Inputs["pixels"], Inputs["frame_mask"]), Inputs["input_ids"])).ToDouble();
        }

        public void Dispose()
        {
            Model.Dispose();
            clip.Dispose();
        }
    }
}
