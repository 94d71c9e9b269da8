using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Training;

namespace MvAdapter.Tests.Gpu;

/// <summary>Workers on GPUs, over NCCL.</summary>
[Collection(Alone.Name)]
[Trait("Category", "Gpu")]
public sealed class GpuWorkersTests(ShapeVideos shapes) : IClassFixture<ShapeVideos>, IDisposable
{
    private const int Steps = 20;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void One_worker_over_NCCL_has_the_losses_of_a_process_alone()
    {
        var device = TestDevice.Gpu();
        Assert.SkipUnless(ProcessGroup.IsAvailable(device), "this build of libmvtorch has no NCCL: nccl.h was not found");
        var alone = Train("alone", device, null);
        using var workers = Workers.Join(new WorkerEnvironment(0, 1, 0, 1) { File = folder.File("store") }, device, new Dictionary<string, string>());
        Assert.Equal([[3.5, 4.5]], workers.Gather(3.5, 4.5));
        AssertClose(alone, Train("workers", device, workers));
    }

    [Fact]
    public void A_worker_on_each_GPU_has_the_losses_of_one()
    {
        TestDevice.Gpu();
        var count = Math.Min(TorchRuntime.CudaDevices, 4);
        Assert.SkipUnless(count > 1, "there is one GPU");
        var alone = Train("alone", Device.Cuda(), null);
        CommandLine.Run("train", "--config", folder.Write("run.yaml", RunConfigFile.ToYaml(Config)), "--workers", count.ToString(System.Globalization.CultureInfo.InvariantCulture),
            "--device", "cuda", "--output", folder.File("together")).Succeeds();
        AssertClose(alone, Losses("together"));
    }

    private RunConfig Config => shapes.Config with { Steps = Steps, BatchSize = 12, EvaluateEvery = -1 };

    private List<double> Train(string name, Device device, Workers? workers)
    {
        using (var trainer = new Trainer(Config, new TrainerOptions { Output = folder.File(name), Device = device, Workers = workers })) trainer.Run();
        return Losses(name);
    }

    private List<double> Losses(string name) => [.. JsonLines.Read<TrainingLogEntry>(folder.File(name + "/log.jsonl")).Select(entry => entry.Loss).OfType<double>()];

    // Sums in another order; each step multiplies what differs.
    private static void AssertClose(List<double> expected, List<double> actual)
    {
        Assert.Equal(Steps, actual.Count);
        for (var i = 0; i < 5; i++) Assert.Equal(expected[i], actual[i], 1e-2);
        Assert.Equal(expected.TakeLast(5).Average(), actual.TakeLast(5).Average(), 0.15);
    }
}
