using System.IO.Compression;
using System.Text;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>A checkpoint, vocabulary or adapter that cannot be used ends in one line, before any output exists.</summary>
[Collection("Command line")]
public sealed class BadCheckpointTests(TinyClip clip) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("missing", "there is no such file")]
    [InlineData("empty folder", "holds no model.safetensors")]
    [InlineData("empty", "is empty")]
    [InlineData("negative offsets", "data_offsets")]
    [InlineData("overlapping offsets", "overlaps")]
    [InlineData("enormous header", "1152921504606846976")]
    [InlineData("unknown type", "F8_E4M3")]
    [InlineData("missing name", "missing names (ln_final.weight)")]
    [InlineData("unknown name", "unknown names (surprise)")]
    [InlineData("other shape", "ln_final.weight is [3], not [64]")]
    public void A_bad_safetensors_is_one_line(string kind, string reason) => Refuse(MakeSafetensors(kind), reason);

    [Theory]
    [InlineData("truncated", "cut off")]
    [InlineData("text", "is not a PyTorch file")]
    [InlineData("os.system", "os.system")]
    [InlineData("unknown class", "sklearn.tree.Tree")]
    [InlineData("recursive", "hold one another without end")]
    [InlineData("gigabytes claimed", "2147483647 bytes are claimed")]
    [InlineData("bomb", "too large")]
    public void A_bad_pt_is_one_line_and_runs_nothing(string kind, string reason)
    {
        Refuse(MakeTorch(kind), reason);
        Assert.False(File.Exists(folder.File("owned")));
    }

    [Fact]
    public void An_adapter_of_another_CLIP_is_refused_by_what_differs()
    {
        var adapter = folder.File("adapter.pth");
        TinyClip.WriteAdapter(adapter, clip.Config with { VisionWidth = 128 });
        Refuse(clip.Checkpoint, "vision width is 128, this one's is 64", "--adapter", adapter, "--adapter-config", Settings());
        TinyClip.WriteAdapter(adapter, clip.Config with { TextLayers = 3, VisionLayers = 3 });
        Refuse(clip.Checkpoint, "layers is 3, this one's is 2", "--adapter", adapter, "--adapter-config", Settings());
    }

    [Fact]
    public void An_adapter_without_its_settings_asks_for_them()
    {
        var adapter = folder.File("adapter.pth");
        TinyClip.WriteAdapter(adapter, clip.Config);
        Refuse(clip.Checkpoint, "--preset", "--adapter", adapter);
    }

    [Theory]
    [InlineData("missing name", "missing names (visual.transformer.resblocks.0.mlp.adapter.down.weight)")]
    [InlineData("unknown name", "unknown names (surprise)")]
    public void An_adapter_of_other_names_is_refused_by_them(string kind, string reason)
    {
        var whole = folder.File("whole.safetensors");
        TinyClip.WriteAdapter(whole, clip.Config);
        var file = Safetensors.Read(whole);
        var tensors = file.Tensors.ToDictionary();
        if (kind == "missing name") Assert.True(tensors.Remove("clip.visual.transformer.resblocks.0.mlp.adapter.down.weight"));
        else tensors["clip.surprise"] = StoredTensor.FromFloats([1], 1);
        var adapter = folder.File("adapter.safetensors");
        Safetensors.Write(adapter, tensors, file.Metadata);
        Refuse(clip.Checkpoint, reason, "--adapter", adapter);
    }

    [Theory]
    [InlineData("not json", "not the settings of a method")]
    [InlineData("{\"frames\": \"many\"}", "not the settings of a method")]
    [InlineData("{\"tying\": \"sideways\"}", "sideways")]
    public void Bad_settings_are_named(string settings, string reason)
    {
        var adapter = folder.File("adapter.pth");
        TinyClip.WriteAdapter(adapter, clip.Config);
        Refuse(clip.Checkpoint, reason, "--adapter", adapter, "--adapter-config", folder.Write("settings.json", settings));
    }

    [Fact]
    public void A_vocabulary_of_another_model_is_refused()
    {
        var other = Directory.CreateDirectory(folder.File("other")).FullName;
        BpeTrainer.Train(["a few words"], 3).Save(other);
        Refuse(clip.Checkpoint, "tokens", "--vocabulary", other);
        Refuse(clip.Checkpoint, "no such vocabulary file", "--vocabulary", folder.File("absent"));
        var alone = folder.File("alone.safetensors");
        File.Copy(clip.Checkpoint, alone);
        Refuse(alone, "name one by --vocabulary");
    }

    private void Refuse(string checkpoint, string reason, params string[] more)
    {
        var output = folder.File("out.safetensors");
        CommandLine.Run(["embed", "--clip", checkpoint, "--videos", clip.Video, "--output", output, .. more]).Fails(1, reason);
        Assert.False(File.Exists(output));
    }

    private string Settings() => folder.Write("settings.json", TinyClip.AdapterSettings.ToJson());

    private string MakeSafetensors(string kind)
    {
        switch (kind)
        {
            case "missing": return folder.File("missing.safetensors");
            case "empty folder": return folder.Path;
            case "empty": return folder.Write("clip.safetensors", "");
            case "enormous header": return folder.Write("clip.safetensors", [.. BitConverter.GetBytes(1UL << 60), .. "{}"u8]);
            case "negative offsets": return WithHeader("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}}""");
            case "overlapping offsets": return WithHeader("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""");
            case "unknown type": return WithHeader("""{"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}}""");
        }
        var tensors = Safetensors.Read(clip.Checkpoint).Tensors.ToDictionary();
        if (kind == "missing name") tensors.Remove("ln_final.weight");
        else if (kind == "other shape") tensors["ln_final.weight"] = StoredTensor.FromFloats([1, 2, 3], 3);
        else tensors["surprise"] = StoredTensor.FromFloats([1], 1);
        var path = folder.File("clip.safetensors");
        Safetensors.Write(path, tensors);
        return path;
    }

    private string WithHeader(string header) =>
        folder.Write("clip.safetensors", [.. BitConverter.GetBytes((ulong)header.Length), .. Encoding.UTF8.GetBytes(header), .. new byte[8]]);

    private string MakeTorch(string kind)
    {
        const int large = 1 << 28;
        switch (kind)
        {
            case "truncated":
                var whole = folder.File("whole.pt");
                TorchArchive.Write(whole, Safetensors.Read(clip.Checkpoint).Tensors);
                return folder.Write("clip.pt", File.ReadAllBytes(whole)[..^1000]);
            case "text": return folder.Write("clip.pt", "hello");
            case "os.system": return Zip($"cos\nsystem\n(S'touch {folder.File("owned")}'\ntR.");
            case "unknown class": return Zip("csklearn.tree\nTree\n)R.");
            case "recursive": return Zip("c__torch__.m\nM\n)\u0081p0\n}S'child'\ng0\nsb.");
            case "gigabytes claimed": return Zip("X\u00ff\u00ff\u00ff\u007f.");
            default: return Zip(new string('N', large));
        }
    }

    private string Zip(string pickle)
    {
        var path = folder.File("clip.pt");
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        using var stream = zip.CreateEntry("m/data.pkl", CompressionLevel.Fastest).Open();
        stream.Write(Encoding.Latin1.GetBytes(pickle));
        return path;
    }
}
