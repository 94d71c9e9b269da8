using MvAdapter.Clip;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Tests;

/// <summary>Many tasks over one CLIP.</summary>
public sealed class AdapterSetTests(TinyClip clip) : IClassFixture<TinyClip>, IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_mixed_batch_is_what_each_task_gives_alone()
    {
        using var set = AdapterSet.Load(new ModelSource(clip.Checkpoint), Adapters("mv-adapter", "lora", "full"));
        Assert.Equal(["full", "lora", "mv-adapter"], set.Tasks);
        string[] texts = ["a man is riding a bike", "the dog", "a woman is talking", "", "the dog"];
        string[] tasks = ["lora", "mv-adapter", "lora", "full", "full"];
        var mixed = set.EncodeTexts(texts, tasks);
        VideoClip[] clips = [.. tasks.Select((_, i) => new VideoClip(i == 2 ? folder.File("absent.mp4") : clip.Video))];
        var videos = set.EncodeVideos(clips, tasks);
        for (var i = 0; i < texts.Length; i++)
        {
            using var alone = VideoTextEncoder.Load(new ModelSource(clip.Checkpoint) { Adapter = Path(tasks[i]) });
            AssertClose(alone.EncodeTexts([texts[i]]), mixed[(i * set.Width)..((i + 1) * set.Width)]);
            Assert.Equal(clips[i], videos[i].Clip);
            if (i == 2) Assert.Contains("absent.mp4", videos[i].Error!.Message, StringComparison.Ordinal);
            else AssertClose(alone.EncodeVideos([clips[i]]).Single().Embedding, videos[i].Embedding);
        }
        Assert.NotEqual(videos[0].Embedding, videos[1].Embedding);
        Assert.Empty(set.EncodeTexts([], []));
    }

    [Fact]
    public void Tasks_share_the_frozen_weights_and_own_the_rest()
    {
        using var set = AdapterSet.Load(new ModelSource(clip.Checkpoint), Adapters("mv-adapter", "lora"));
        var (first, second) = (set["mv-adapter"].Model, set["lora"].Model);
        Assert.Same(set["mv-adapter"], set["mv-adapter"]);   // changing the task makes nothing
        foreach (var (name, weight) in first.Clip.Parameters.Items)
            Assert.Equal(!first.Method.Trains(name), Same(weight, second.Clip.Parameters[name]));

        static bool Same(Tensor a, Tensor b) => System.Runtime.CompilerServices.Unsafe.AreSame(ref a.AsSpan<float>()[0], ref b.AsSpan<float>()[0]);
    }

    [Fact]
    public void Tasks_come_and_go()
    {
        using var set = AdapterSet.Load(new ModelSource(clip.Checkpoint), Adapters("mv-adapter"));
        var before = set.EncodeTexts(["the dog"], ["mv-adapter"]);
        var added = Write("lora");
        set.Add("second", added);
        set.EncodeTexts(["the dog", "the dog"], ["second", "mv-adapter"]);
        set.Remove("second");
        Assert.Equal(["mv-adapter"], set.Tasks);
        Assert.Equal(before, set.EncodeTexts(["the dog"], ["mv-adapter"]));
        set.Add("second", added);   // the name is free again
        set.Remove("mv-adapter");
        set.Remove("second");
        Refused("the set is empty", () => set.EncodeTexts(["the dog"], ["second"]));
    }

    [Fact]
    public async Task Adding_and_removing_does_not_disturb_who_encodes()
    {
        using var set = AdapterSet.Load(new ModelSource(clip.Checkpoint), Adapters("mv-adapter"));
        var (path, expected) = (Write("lora"), set.EncodeTexts(["the dog"], ["mv-adapter"]));
        var others = Task.Run(() =>
        {
            for (var i = 0; i < 20; i++)
            {
                set.Add("other", path);
                _ = set.Tasks;
                set.Remove("other");
            }
        });
        while (!others.IsCompleted) Assert.Equal(expected, set.EncodeTexts(["the dog"], ["mv-adapter"]));
        await others;
    }

    [Fact]
    public void A_mistake_is_one_line_and_leaves_the_set_as_it_was()
    {
        using var set = AdapterSet.Load(new ModelSource(clip.Checkpoint), Adapters("mv-adapter", "lora"));
        Refused("did you mean lora?", () => set["lorra"]);
        Refused("did you mean mv-adapter?", () => set.EncodeTexts(["a", "b"], ["lora", "mv-adaptr"]));
        Refused("did you mean lora?", () => set.Remove("lorra"));
        Refused("already", () => set.Add("lora", Path("lora")));
        Refused("empty name", () => set.Add("", Path("lora")));
        Refused("2 items and 1 tasks", () => set.EncodeTexts(["a", "b"], ["lora"]));
        Refused("by a name", () => AdapterSet.Load(new ModelSource(clip.Checkpoint) { Adapter = Path("lora") }, []));
        Assert.Throws<InvalidFileException>(() => set.Add("new", folder.File("absent.safetensors")));
        Assert.Equal(["lora", "mv-adapter"], set.Tasks);
        KeyValuePair<string, string>[] twice = [new("a", Path("lora")), new("a", Path("lora"))];
        Refused("already", () => AdapterSet.Load(new ModelSource(clip.Checkpoint), twice));
    }

    [Fact]
    public void Adapters_of_another_backbone_are_refused_with_both_named()
    {
        using var set = AdapterSet.Load(new ModelSource(clip.Checkpoint), Adapters("mv-adapter"));
        using var sameSize = ClipModel.CreateRandom(clip.Config, 2);
        var other = Write("other", "lora", sameSize);
        var message = Assert.Throws<InvalidFileException>(() => set.Add("other", other)).Message;
        Assert.Contains(sameSize.Identity, message, StringComparison.Ordinal);
        Assert.Contains(set["mv-adapter"].Model.Identity.Backbone, message, StringComparison.Ordinal);

        using var wider = ClipModel.CreateRandom(clip.Config with { VisionWidth = 128 }, 1);
        Assert.Contains("vision width is 128, this one's is 64", Assert.Throws<InvalidFileException>(() => set.Add("wider", Write("wider", "mv-adapter", wider))).Message, StringComparison.Ordinal);
        Assert.Equal(["mv-adapter"], set.Tasks);
    }

    private string Path(string name) => folder.File(name + ".safetensors");

    private KeyValuePair<string, string>[] Adapters(params string[] methods) => [.. methods.Select(method => new KeyValuePair<string, string>(method, Write(method)))];

    private string Write(string method)
    {
        using var backbone = clip.Load();
        return Write(method, method, backbone);
    }

    private string Write(string name, string method, ClipModel backbone)
    {
        using var model = MovedAdapter.Create(backbone, method);
        AdapterCheckpoint.Save(Path(name), model);
        return Path(name);
    }

    private static void Refused(string reason, Func<object> act) => Refused(reason, () => { act(); });

    private static void Refused(string reason, Action act)
    {
        var message = Assert.Throws<UsageException>(act).Message;
        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    private static void AssertClose(float[] expected, float[] actual) =>
        Rounding.AssertSame(expected, actual, Rounding.SumsOf(TinyClip.Layers));
}
