using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Gpu;

/// <summary>The demo's training on a GPU: beside the CPU's, twice, and broken off.</summary>
[Collection(Alone.Name)]
[Trait("Category", "Gpu")]
public sealed class GpuTrainingTests(ShapeVideos shapes) : IClassFixture<ShapeVideos>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Fifty_steps_have_the_losses_of_the_CPU()
    {
        var gpu = Train("gpu", TestDevice.Gpu()).Losses;
        var cpu = Train("cpu", Device.Cpu).Losses;
        for (var i = 0; i < cpu.Count; i += 7) TestContext.Current.SendDiagnosticMessage($"step {i + 1}: CPU {cpu[i]:0.00000}, GPU {gpu[i]:0.00000}");
        // Before the first step only the order of float32 sums differs (some 1e-5). Each step multiplies what differs; a wrong
        // gradient shows within a few.
        Assert.Equal(cpu[0], gpu[0], 1e-4);
        for (var i = 1; i < 5; i++) Assert.Equal(cpu[i], gpu[i], 1e-2);
        Assert.Equal(cpu.TakeLast(10).Average(), gpu.TakeLast(10).Average(), 0.15);
        Assert.True(gpu.TakeLast(10).Average() < gpu.Take(5).Average() - 0.1, "the loss does not fall on the GPU");
    }

    [Fact]
    public void Two_runs_of_one_seed_are_equal()
    {
        using var watch = new TorchWatch(WatchKinds.Varying);
        var device = TestDevice.Gpu();
        var (first, second) = (Train("first", device), Train("second", device));
        Assert.True(first.Weights.SequenceEqual(second.Weights),
            $"not equal; losses differ from step {1 + first.Losses.Zip(second.Losses).TakeWhile(pair => pair.First == pair.Second).Count()} on; libtorch names as varying: {Names(watch)}");
    }

    [Fact]
    public void A_run_that_was_broken_off_ends_with_the_same_weights()
    {
        var device = TestDevice.Gpu();
        var whole = Train("whole", device).Weights;
        using (var stop = new CancellationTokenSource())
        using (var trainer = new Trainer(shapes.Config, Options("parts", device) with { OnStep = step => { if (step.Step == 23) stop.Cancel(); } }))
            Assert.Throws<OperationCanceledException>(() => trainer.Run(stop.Token));
        Assert.True(whole.SequenceEqual(Train("parts", device).Weights), "the weights differ; Two_runs_of_one_seed_are_equal says whether they vary anyway");
    }

    [Fact]
    public void In_bfloat16_the_loss_falls_as_in_float32()
    {
        var device = TestDevice.Gpu();
        var wide = Train("wide", device).Losses.TakeLast(10).Average();
        var narrow = Train("narrow", device, "bf16").Losses.TakeLast(10).Average();
        Assert.Equal(wide, narrow, 0.15);
    }

    private static string Names(TorchWatch watch) => watch.Notes.Count == 0 ? "nothing" : string.Join("; ", watch.Notes.Distinct());

    private (List<double> Losses, byte[] Weights) Train(string run, Device device, string precision = "fp32")
    {
        using (var trainer = new Trainer(shapes.Config with { Precision = precision }, Options(run, device))) trainer.Run();
        var losses = JsonLines.Read<TrainingLogEntry>(folder.File($"{run}/log.jsonl")).Where(entry => entry.Loss is not null).Select(entry => entry.Loss!.Value).ToList();
        return (losses, File.ReadAllBytes(folder.File($"{run}/adapter.safetensors")));
    }

    private TrainerOptions Options(string run, Device device) => new() { Output = folder.File(run), Device = device, Cache = shapes.Cache };
}
