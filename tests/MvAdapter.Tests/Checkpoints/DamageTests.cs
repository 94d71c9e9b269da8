using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using MvAdapter.Tests.Adapters;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Checkpoints;

/// <summary>One bit that flips, in every kind of file with weights: the file is refused, or what is read is what was written.</summary>
public sealed class DamageTests : IDisposable
{
    private const int Flips = 300;
    private static readonly TrainedVocabulary Vocabulary = BpeTrainer.Train(["a red circle"], 20);
    private readonly TemporaryFolder folder = new();
    private readonly TinyModel tiny = new();

    public void Dispose()
    {
        tiny.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void An_adapter() => Check(Adapter("adapter.safetensors"), Safetensors);

    [Fact]
    public void A_packed_adapter()
    {
        using var model = tiny.CreateMoved("lora");
        var path = folder.File("packed.safetensors");
        AdapterCheckpoint.Save(path, model, AdapterPrecision.Int8);
        Check(path, Safetensors);
    }

    [Fact]
    public void A_published_adapter() => Check(Adapter("adapter.pth"), TorchArchive.Read);

    [Theory]
    [InlineData(ClipForm.HuggingFace, "model.safetensors")]
    [InlineData(ClipForm.OpenClip, "open_clip_model.safetensors")]
    public void A_CLIP_that_was_written(ClipForm form, string weights)
    {
        using var clip = ClipModel.CreateRandom(new ClipConfig(8, 8, 4, 8, 1, 8, 1, 8, ClipTokenizer.From(Vocabulary).VocabularySize), 1);
        ClipWriter.Write(folder.Path, clip, Vocabulary, form: form);
        Check(folder.File(weights), Safetensors);
    }

    [Fact]
    public void A_runs_checkpoint()
    {
        using var model = tiny.CreateMoved("bitfit");
        using var step = new TrainingStep(model, new OptimizerGroups(), _ => 1);
        var path = folder.File("checkpoint.safetensors");
        RunCheckpoint.Save(path, new RunConfig(), model, step.Optimizer, new RunProgress { Step = 3 });
        Check(path, Safetensors);
    }

    [Fact]
    public void What_can_be_checked_is_said()
    {
        var (ours, published, others) = (Adapter("adapter.safetensors"), Adapter("adapter.pth"), folder.File("others.safetensors"));
        WriteWithoutDigest(others);
        Assert.Equal([true, true, false], new[] { ours, published, others }.Select(path => Assert.Single(FileCheck.Run(path)).Whole));
        Assert.Single(MvAdapter.Checkpoints.Safetensors.Read(others).Tensors);
    }

    [Fact]
    public void A_damaged_checkpoint_gives_way_to_the_one_before()
    {
        var run = new RunFolder(folder.Path);
        foreach (var text in new[] { "first", "second" }) run.ReplaceCheckpoint(path => File.WriteAllText(path, text));
        Assert.Equal(("second", "first"), (File.ReadAllText(run.Checkpoint), File.ReadAllText(run.PreviousCheckpoint)));
        List<string> lines = [];
        Assert.Equal("first", run.ReadCheckpoint(path => File.ReadAllText(path) is "second" ? throw new InvalidFileException(path, "is damaged") : File.ReadAllText(path), lines.Add));
        Assert.Contains("is damaged; going on from the checkpoint before it", Assert.Single(lines), StringComparison.Ordinal);
        // Killed between taking the old one away and putting the new one there.
        File.Move(run.Checkpoint, folder.File("checkpoint.next.safetensors"));
        Assert.Equal("second", run.ReadCheckpoint(File.ReadAllText));
        // Whoever deletes the checkpoint begins anew.
        File.Delete(folder.File("checkpoint.next.safetensors"));
        Assert.Null(run.ReadCheckpoint(File.ReadAllText));
    }

    private static IReadOnlyDictionary<string, StoredTensor> Safetensors(string path) => MvAdapter.Checkpoints.Safetensors.Read(path).Tensors;

    private static void Check(string path, Func<string, IReadOnlyDictionary<string, StoredTensor>> read)
    {
        var whole = File.ReadAllBytes(path);
        var expected = read(path);
        var random = new Random(5);
        var refused = 0;
        for (var i = 0; i < Flips; i++)
        {
            var damaged = (byte[])whole.Clone();
            damaged[random.Next(damaged.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(path, damaged);
            try
            {
                var actual = read(path);
                Assert.Equal(expected.Keys.Order(), actual.Keys.Order());
                Assert.All(expected, item => Assert.True(item.Value.Data.Span.SequenceEqual(actual[item.Key].Data.Span), $"{item.Key} was loaded with a wrong bit"));
            }
            catch (InvalidFileException)
            {
                refused++;
            }
        }
        Assert.InRange(refused, Flips / 10, Flips);
    }

    private string Adapter(string name)
    {
        using var model = tiny.CreateMoved("mv-adapter", """{"frames": 4, "words": 10, "bottleneck": 8, "factor_dim": 4, "tied_layers": [1]}""");
        AdapterCheckpoint.Save(folder.File(name), model);
        return folder.File(name);
    }

    private static void WriteWithoutDigest(string path)
    {
        var header = """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"""u8;
        using var file = File.Create(path);
        file.Write(BitConverter.GetBytes((long)header.Length));
        file.Write(header);
        file.Write(BitConverter.GetBytes(1f));
    }
}
