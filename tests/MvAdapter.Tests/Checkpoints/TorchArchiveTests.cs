using System.IO.Compression;
using System.Text;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Checkpoints;

public sealed class TorchArchiveTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_state_dict_of_views_and_types_is_read()
    {
        var tensors = TorchArchive.Read(Asset("nested.pth"));
        Assert.Equal(17, tensors.Count);
        Check("transposed", DType.Float32, [6, 4], [0, 6, 12, 18, 1, 7, 13, 19, 2, 8, 14, 20, 3, 9, 15, 21, 4, 10, 16, 22, 5, 11, 17, 23]);
        Check("shared_start", DType.Float32, [6], [0, 1, 2, 3, 4, 5]);
        Check("shared_middle", DType.Float32, [3, 4], [6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]);
        Check("every_second", DType.Float32, [12], [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23]);
        Check("expanded", DType.Float32, [2, 3], [5, 5, 5, 5, 5, 5]);
        Check("zero_dim", DType.Float32, [], [2.5f]);
        Check("empty", DType.Float32, [0, 3], []);
        Check("parameter", DType.Float32, [1], [3]);
        Check("boolean", DType.Bool, [2], [1, 0]);
        Check("float16", DType.Float16, [2], [1, -2]);
        Check("bfloat16", DType.BFloat16, [2], [1, -2]);
        Check("float64", DType.Float64, [2], [1, -2]);
        Check("int64", DType.Int64, [2], [1, -2]);
        Check("int32", DType.Int32, [2], [1, -2]);
        Check("int16", DType.Int16, [2], [1, -2]);
        Check("int8", DType.Int8, [2], [1, -2]);
        Check("uint8", DType.UInt8, [2], [1, 200]);

        void Check(string name, DType dtype, long[] shape, float[] values)
        {
            Assert.Equal(dtype, tensors[name].DType);
            Assert.Equal(shape, tensors[name].Shape);
            Assert.Equal(values, tensors[name].ToFloats());
        }
    }

    [Fact]
    public void A_state_dict_with_attributes_of_its_own_is_read() =>
        Assert.Equal(
            ["bias", "num_batches_tracked", "running_mean", "running_var", "weight"],
            TorchArchive.Read(Asset("batch_norm.pth")).Keys.Order(StringComparer.Ordinal));

    [Fact]
    public void A_script_module_gives_dotted_names_and_its_integers()
    {
        var tensors = TorchArchive.Read(Asset("script.pt"));
        Assert.Equal(
            ["blocks.0.bias", "blocks.0.weight", "context_length", "visual.conv1.weight", "visual.count"],
            tensors.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([1, 2], tensors["visual.conv1.weight"].ToFloats());
        Assert.Equal([2, 1, 1, 1], tensors["visual.conv1.weight"].Shape);
        Assert.Equal([77], tensors["context_length"].ToFloats());
    }

    [Fact]
    public void What_is_written_is_read_back()
    {
        var written = Enum.GetValues<DType>().ToDictionary(
            dtype => $"clip.{dtype}.weight",
            dtype => SafetensorsTests.RandomTensor(dtype, [3, 2, 5]));
        written["zero_dim"] = StoredTensor.FromFloats([2], []);
        written["empty"] = StoredTensor.FromFloats([], 3, 0);
        TorchArchive.Write(folder.File("1.pth"), written);
        TorchArchive.Write(folder.File("2.pth"), written.Reverse().ToDictionary());
        SafetensorsTests.AssertSame(written, TorchArchive.Read(folder.File("1.pth")));
        Assert.Equal(File.ReadAllBytes(folder.File("1.pth")), File.ReadAllBytes(folder.File("2.pth")));
    }

    [Fact]
    public void A_module_that_needs_code_is_refused_by_name() =>
        AssertRefused(Asset("whole_module.pth"), "torch.nn.modules.normalization.LayerNorm");

    [Fact]
    public void The_format_before_zip_is_refused_with_advice() =>
        AssertRefused(Asset("legacy.pth"), "load it with a current PyTorch and save it again");

    [Fact]
    public void A_file_that_is_none_is_named()
    {
        AssertRefused(folder.Path, "is a folder");
        AssertRefused(folder.File("missing"), "does not exist");
        AssertRefused(folder.Write("empty", []), "is empty");
        AssertRefused(folder.Write("text", "hello"), "is not a PyTorch file");
        AssertRefused(Zip(("readme", "x"u8.ToArray(), false)), "lacks data.pkl");
        AssertRefused(folder.Write("cut", File.ReadAllBytes(Asset("nested.pth"))[..^100]), "cut off");
    }

    [Theory]
    [InlineData("FloatStorage", 2, 0, 2, 1, 8, "")]
    [InlineData("FloatStorage", 2, 0, 2, 1, 4, "has 4 bytes")]
    [InlineData("FloatStorage", 2, 0, 2, 1, 12, "has 12 bytes")]
    [InlineData("FloatStorage", 2, 1, 2, 1, 8, "reaches beyond")]
    [InlineData("FloatStorage", 2, -1, 2, 1, 8, "reaches beyond")]
    [InlineData("FloatStorage", 2, 0, 2, 2, 8, "reaches beyond")]
    [InlineData("FloatStorage", 2, 1, 2, -1, 8, "reaches beyond")]
    [InlineData("FloatStorage", 2, long.MaxValue, 2, long.MaxValue, 8, "reaches beyond")]
    [InlineData("FloatStorage", 2, 0, long.MaxValue, 0, 8, "malformed shape")]
    [InlineData("FloatStorage", 2, 0, long.MaxValue / 4, 0, 8, "expand to far more")]
    [InlineData("FloatStorage", 2, 0, 1L << 28, 0, 8, "expand to far more")]
    [InlineData("FloatStorage", long.MaxValue, 0, 1, 1, 8, "has 8 bytes")]
    [InlineData("FloatStorage", -1, 0, 1, 1, 8, "reaches beyond")]
    [InlineData("ComplexFloatStorage", 1, 0, 1, 1, 8, "torch.ComplexFloatStorage")]
    public void A_tensor_must_fit_its_storage(string type, long count, long offset, long size, long stride, int bytes, string reason)
    {
        var pickle = $"}}S'w'\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\n{type}\nS'0'\nS'cpu'\nL{count}L\ntQL{offset}L\n(L{size}L\nt(L{stride}L\ntI00\nccollections\nOrderedDict\n)RtRs.";
        var path = Zip(("m/data.pkl", Encoding.Latin1.GetBytes(pickle), false), ("m/data/0", new byte[bytes], false));
        if (reason.Length > 0) AssertRefused(path, reason);
        else Assert.Equal([0, 0], TorchArchive.Read(path)["w"].ToFloats());
    }

    [Fact]
    public void A_zip_bomb_is_refused()
    {
        const int size = 1 << 28;
        var pickle = $"}}S'w'\nctorch._utils\n_rebuild_tensor_v2\n((S'storage'\nctorch\nByteStorage\nS'0'\nS'cpu'\nI{size}\ntQI0\n(I{size}\nt(I1\ntI00\nNtRs.";
        AssertRefused(Zip(("m/data.pkl", Encoding.Latin1.GetBytes(pickle), false), ("m/data/0", new byte[size], true)), "is compressed");
        AssertRefused(Zip(("m/data.pkl", new byte[size], true)), "too large");
    }

    [Fact]
    public void Modules_that_hold_themselves_are_refused()
    {
        var path = Zip(("m/data.pkl", Encoding.Latin1.GetBytes("c__torch__.m\nM\n)\u0081p0\n}S'child'\ng0\nsb."), false));
        AssertRefused(path, "hold one another without end");
    }

    [Fact]
    public void Big_endian_files_are_refused() =>
        AssertRefused(Zip(("m/data.pkl", "}."u8.ToArray(), false), ("m/byteorder", "big"u8.ToArray(), false)), "big-endian");

    [Theory]
    [InlineData("nested.pth")]
    [InlineData("script.pt")]
    public void Damaged_files_give_a_clear_line(string asset) =>
        HostileInput.Check(File.ReadAllBytes(Asset(asset)), path => TorchArchive.Read(path), cases: 2000);

    [Fact]
    [Trait("Category", "Fixtures")]
    public void A_published_adapter_is_read()
    {
        var tensors = TorchArchive.Read(Fixtures.Find("end_to_end/adapter.pth"));
        Assert.All(tensors.Keys, name => Assert.StartsWith("clip.", name, StringComparison.Ordinal));
        Assert.All(tensors.Values, tensor => Assert.All(tensor.ToFloats(), value => Assert.True(float.IsFinite(value))));
    }

    [Fact]
    [Trait("Category", "Fixtures")]
    public void OpenAIs_form_of_CLIP_holds_the_same_numbers_as_Hugging_Faces()
    {
        var path = Directory.GetFiles(Fixtures.Find("end_to_end/openai"), "*.pt").Single();
        var openAI = TorchArchive.Read(path);
        var huggingFace = Safetensors.Read(Fixtures.Find("end_to_end/huggingface/model.safetensors")).Tensors;
        Assert.Contains("input_resolution", openAI);
        Assert.Contains("context_length", openAI);
        Assert.Equal(openAI["token_embedding.weight"].Shape[0], (long)openAI["vocab_size"].ToFloats()[0]);
        var expected = huggingFace["vision_model.embeddings.patch_embedding.weight"].ToFloats();
        var actual = openAI["visual.conv1.weight"].ToFloats();
        // Stored in float16: each number is rounded to the nearest.
        Rounding.AssertWithin(expected, actual, expected.Max(Math.Abs) * Rounding.Float16Epsilon / 2);
    }

    private static string Asset(string name) =>
        Path.Combine(Fixtures.Repository, "tests", "MvAdapter.Tests", "Checkpoints", "Assets", name);

    private string Zip(params (string Name, byte[] Bytes, bool Compressed)[] entries)
    {
        var path = folder.File($"{Guid.NewGuid():N}.pth");
        using var zip = ZipFile.Open(path, ZipArchiveMode.Create);
        foreach (var (name, bytes, compressed) in entries)
        {
            using var stream = zip.CreateEntry(name, compressed ? CompressionLevel.Fastest : CompressionLevel.NoCompression).Open();
            stream.Write(bytes);
        }
        return path;
    }

    private static void AssertRefused(string path, string reason)
    {
        var exception = Assert.Throws<InvalidFileException>(() => TorchArchive.Read(path));
        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', exception.Message);
    }
}
