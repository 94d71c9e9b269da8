using System.Text;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Checkpoints;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void What_is_written_is_read_back()
    {
        var tensors = Gen.Elements(Enum.GetValues<DType>()).SelectMany(dtype =>
            Gen.Choose(0, 4).Select(size => (long)size).ListOf().Where(shape => shape.Count < 5)
                .Select(shape => RandomTensor(dtype, [.. shape])));
        var files = ArbMap.Default.GeneratorFor<NonNull<string>>().Zip(tensors).ListOf()
            .Select(pairs => pairs.DistinctBy(pair => pair.Item1.Get).ToDictionary(pair => WellFormed(pair.Item1.Get), pair => pair.Item2));

        Prop.ForAll(files.ToArbitrary(), written =>
        {
            var path = folder.File("round-trip.safetensors");
            var metadata = new Dictionary<string, string> { ["config"] = "line\nline", ["ü"] = "\"" };
            Safetensors.Write(path, written, metadata);
            var read = Safetensors.Read(path);
            Assert.Equal(metadata, read.Metadata);
            AssertSame(written, read.Tensors);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void The_same_content_gives_the_same_aligned_bytes()
    {
        var a = StoredTensor.FromFloats([1, 2], 2);
        var b = new StoredTensor(DType.UInt8, [3], new byte[] { 1, 2, 3 });
        Safetensors.Write(folder.File("1"), new Dictionary<string, StoredTensor> { ["b"] = b, ["a"] = a });
        Safetensors.Write(folder.File("2"), new Dictionary<string, StoredTensor> { ["a"] = a, ["b"] = b });
        var bytes = File.ReadAllBytes(folder.File("1"));
        Assert.Equal(bytes, File.ReadAllBytes(folder.File("2")));
        Assert.Equal(0UL, BitConverter.ToUInt64(bytes) % 8);
    }

    [Fact]
    public void Metadata_is_read_without_the_tensors()
    {
        var path = folder.File("file");
        Safetensors.Write(path, new Dictionary<string, StoredTensor>(), new Dictionary<string, string> { ["k"] = "v" });
        Assert.Equal("v", Safetensors.ReadMetadata(path)["k"]);
    }

    [Fact]
    public void A_file_may_be_larger_than_an_array()
    {
        // Sparse: 3 GB on paper, a few KB on disk.
        const long size = 1_500_000_000;
        var header = $"{{\"a\":{{\"dtype\":\"U8\",\"shape\":[{size}],\"data_offsets\":[0,{size}]}},\"b\":{{\"dtype\":\"U8\",\"shape\":[{size}],\"data_offsets\":[{size},{2 * size}]}},\"__metadata__\":{{\"k\":\"v\"}}}}";
        var path = folder.Write("large", [.. BitConverter.GetBytes((ulong)header.Length), .. Encoding.UTF8.GetBytes(header)]);
        using (var file = File.OpenWrite(path)) file.SetLength(file.Length + 2 * size);
        Assert.Equal("v", Safetensors.ReadMetadata(path)["k"]);
    }

    [Theory]
    [InlineData("not JSON", "not valid JSON")]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{\"a\":1}", "lacks a proper")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", "does not fit its shape")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":[0,8]}}", "does not fit its shape")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "lacks a proper")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", "lacks a proper")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "lies at bytes")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "cut off")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "hole")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "end at byte 4 of 8")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "overlaps")]
    [InlineData("{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}", "F8_E4M3")]
    [InlineData("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "not valid JSON")]
    [InlineData("{\"__metadata__\":{\"a\":1}}", "is not text")]
    [InlineData("{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "not valid JSON")]
    public void A_malformed_header_is_named(string header, string reason)
    {
        var path = folder.Write("bad", [.. BitConverter.GetBytes((ulong)header.Length), .. Encoding.UTF8.GetBytes(header), .. new byte[8]]);
        var exception = Assert.Throws<InvalidFileException>(() => Safetensors.Read(path));
        Assert.Contains(reason, exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_none_is_named()
    {
        Check(folder.Path, "is a folder");
        Check(folder.File("missing"), "does not exist");
        Check(folder.Write("empty", []), "is empty");
        Check(folder.Write("short", [1, 2, 3]), "too short");
        Check(folder.Write("huge", [.. BitConverter.GetBytes(1UL << 60), .. "{}"u8]), "1152921504606846976");

        static void Check(string path, string reason) =>
            Assert.Contains(reason, Assert.Throws<InvalidFileException>(() => Safetensors.Read(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_files_give_a_clear_line()
    {
        var path = folder.File("valid");
        Safetensors.Write(path, new Dictionary<string, StoredTensor>
        {
            ["weight"] = StoredTensor.FromFloats([1, 2, 3, 4], 2, 2),
            ["count"] = StoredTensor.FromIntegers([7]),
        });
        HostileInput.Check(File.ReadAllBytes(path), file => Safetensors.Read(file), cases: 1000);
    }

    [Fact]
    [Trait("Category", "Fixtures")]
    public void A_published_file_is_read()
    {
        var file = Safetensors.Read(Fixtures.Find("clip/backbone.safetensors"));
        Assert.Empty(file.Tensors["logit_scale"].Shape);
        Assert.All(file.Tensors, pair => Assert.All(pair.Value.ToFloats(), value => Assert.True(float.IsFinite(value))));
    }

    internal static void AssertSame(IReadOnlyDictionary<string, StoredTensor> expected, IReadOnlyDictionary<string, StoredTensor> actual)
    {
        Assert.Equal(expected.Keys.Order(StringComparer.Ordinal), actual.Keys.Order(StringComparer.Ordinal));
        foreach (var (name, tensor) in expected)
        {
            Assert.Equal(tensor.DType, actual[name].DType);
            Assert.Equal(tensor.Shape, actual[name].Shape);
            Assert.True(tensor.Data.Span.SequenceEqual(actual[name].Data.Span), $"the bytes of {name} changed");
        }
    }

    internal static StoredTensor RandomTensor(DType dtype, long[] shape)
    {
        var bytes = new byte[shape.Aggregate(1L, (product, size) => product * size) * dtype.ElementSize()];
        new Random(bytes.Length).NextBytes(bytes);
        return new StoredTensor(dtype, shape, bytes);
    }

    // A lone surrogate cannot be written as UTF-8, and would come back as another name.
    private static string WellFormed(string text) => Convert.ToHexString(Encoding.BigEndianUnicode.GetBytes(text)) + Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));
}
