using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Adapters;

/// <summary>What holds for whatever stands in the list of methods.</summary>
public class EveryMethodTests
{
    /// <summary>The methods that see the order of frames.</summary>
    private static readonly string[] Temporal = ["mv-adapter", "st-adapter", "seq-transf"];

    private static readonly int Sums = Rounding.SumsOf(TinyModel.Layers);

    /// <summary>The backbone that the methods stand on.</summary>
    private protected virtual TinyModel Tiny() => new();

    public static TheoryData<string> Names => [.. Methods.All.Select(method => method.Name)];

    /// <summary>Those that add something beside CLIP, starting as nothing; seq-transf is no residual delta.</summary>
    public static TheoryData<string> StartingAtZero => [.. Methods.All.Select(method => method.Name).Where(name => name != "seq-transf")];

    [Theory, MemberData(nameof(StartingAtZero))]
    public void Untrained_it_is_zero_shot_CLIP(string name)
    {
        using var tiny = Tiny();
        using var model = tiny.Create(name);
        using var zeroShot = tiny.ZeroShot();
        var (expected, actual) = (tiny.Embed(zeroShot), tiny.Embed(model));
        Rounding.AssertSame(expected.Videos, actual.Videos, Sums, "videos");
        Rounding.AssertSame(expected.Texts, actual.Texts, Sums, "texts");
    }

    [Theory, MemberData(nameof(Names))]
    public void Training_moves_what_it_trains_and_nothing_else(string name)
    {
        using var tiny = Tiny();
        using var model = tiny.Create(name);
        using var clipBefore = ClipModel.CreateRandom(TinyModel.Config, 1);
        var before = model.TrainableParameters().ToDictionary(item => item.Key, item => item.Value.ToFloats());
        if (before.Count > 0) Assert.All(tiny.Train(model, 3), loss => Assert.True(double.IsFinite(loss)));
        Assert.All(model.TrainableParameters(), item => Assert.NotEqual(before[item.Key], item.Value.ToFloats()));
        Assert.All(clipBefore.Parameters.Items, item => Assert.Equal(item.Value.ToFloats(), tiny.Backbone.Parameters[item.Key].ToFloats()));
        Assert.All(model.Clip.Parameters.Items.Where(item => !model.Method.Trains(item.Key)),
            item => Assert.Equal(clipBefore.Parameters[item.Key].ToFloats(), item.Value.ToFloats()));
    }

    [Theory, MemberData(nameof(Names))]
    public void It_trains_in_bfloat16_over_float32_weights(string name)
    {
        using var tiny = Tiny();
        using var model = tiny.Create(name);
        if (!model.TrainableParameters().Any()) return;
        var losses = tiny.Train(model, 5, bfloat16: true);
        Assert.All(losses, loss => Assert.True(double.IsFinite(loss)));
        Assert.True(losses[^1] < losses[0], $"{losses[0]} -> {losses[^1]}");
        Assert.All(model.TrainableParameters(), item => Assert.Equal(DType.Float32, item.Value.DType));
    }

    [Theory, MemberData(nameof(Names))]
    public void A_checkpoint_gives_the_same_embeddings_to_the_bit(string name)
    {
        using var folder = new TemporaryFolder();
        using var tiny = Tiny();
        using var model = tiny.CreateMoved(name);
        var path = folder.File("adapter.safetensors");
        AdapterCheckpoint.Save(path, model);
        using var loaded = tiny.Load(path);
        Assert.Equal(name, loaded.Method.Name);
        Assert.Equal(model.Method.Settings, loaded.Method.Settings);
        Assert.Equal(tiny.Embed(model), tiny.Embed(loaded), (a, b) => a.Videos.SequenceEqual(b.Videos) && a.Texts.SequenceEqual(b.Texts));
    }

    [Theory, MemberData(nameof(Names))]
    public void Only_a_temporal_method_sees_the_order_of_frames(string name)
    {
        using var tiny = Tiny();
        using var model = tiny.CreateMoved(name);
        using var reversed = tiny.Pixels.IndexSelect(1, Tensor.From<long>([3, 2, 1, 0], 4));
        using var whole = Tensor.Ones([3, 4]);
        var (forward, backward) = (tiny.Embed(model, mask: whole).Videos, tiny.Embed(model, reversed, whole).Videos);
        if (Temporal.Contains(name)) Assert.InRange(Rounding.Distance(forward, backward), 10 * Rounding.Bound(forward.Max(Math.Abs), Sums), double.MaxValue);
        else Rounding.AssertSame(forward, backward, Sums);
    }

    [Theory, MemberData(nameof(Names))]
    public void Padding_frames_change_nothing(string name)
    {
        using var tiny = Tiny();
        using var model = tiny.CreateMoved(name);
        using var other = (tiny.Pixels * tiny.Mask.View(3, 4, 1, 1, 1)).Unscoped();
        Rounding.AssertSame(tiny.Embed(model).Videos, tiny.Embed(model, other).Videos, Sums);
    }

    [Theory, MemberData(nameof(Names))]
    public void Frames_that_are_left_out_change_nothing(string name)
    {
        using var tiny = Tiny();
        using var model = tiny.CreateMoved(name);
        using var scope = new TensorScope();
        var (padded, leftOut) = (Gradients(() => model.Method.PoolFrames(model.EncodeFrames(tiny.Pixels, tiny.Mask), tiny.Mask, false)), Gradients(() => model.EncodeVideos(tiny.Pixels, tiny.Mask)));
        Assert.True(FrameBatch.Padded(tiny.Pixels, tiny.Mask).Pixels.Size(0) < tiny.Pixels.Size(0) * tiny.Pixels.Size(1));
        Rounding.AssertSameGradients(padded, leftOut, Sums);

        // The embeddings, and the gradients of what trains by them.
        Dictionary<string, float[]> Gradients(Func<Tensor> encode)
        {
            var trained = model.TrainableParameters().ToList();
            foreach (var (_, parameter) in trained) parameter.RequiresGrad = true;
            var videos = encode();
            if (videos.RequiresGrad) (videos * Tensor.Arange(videos.Size(1))).Sum().Backward();
            var found = trained.Where(item => item.Value.Grad is not null).ToDictionary(item => item.Key, item => item.Value.Grad!.ToFloats());
            foreach (var (_, parameter) in trained) (parameter.Grad, parameter.RequiresGrad) = (null, false);
            found["videos"] = videos.Detach().ToFloats();
            return found;
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Its_own_parameters_train_at_the_adapters_rate(string name)
    {
        using var method = Methods.Find(name).Create(TinyModel.Config);
        Assert.All(method.Parameters.Names, parameter => Assert.True(OptimizerGroups.IsAdapter(parameter), parameter));
    }

    [Theory, MemberData(nameof(Names))]
    public void A_setting_of_another_method_is_refused_by_name(string name)
    {
        var exception = Assert.Throws<MvAdapterException>(() => Methods.Find(name).Create(TinyModel.Config, """{"wheels": 4}"""));
        Assert.Contains("'wheels'", exception.Message, StringComparison.Ordinal);
        Assert.Contains(name, exception.Message, StringComparison.Ordinal);
    }
}

/// <summary>The same over a backbone whose blocks have exact GELU, as most of the OpenCLIP family have.</summary>
public sealed class EveryMethodOverGeluTests : EveryMethodTests
{
    private protected override TinyModel Tiny() => new(ActivationFunction.Gelu);
}

/// <summary>The same with patch tokens merged: 16, 13, 10 and 7 of them.</summary>
public sealed class EveryMethodWithMergingTests : EveryMethodTests
{
    private protected override TinyModel Tiny() => new(mergeTokens: 3);
}
