using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Adapters;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Checkpoints;

/// <summary>Adapters in narrower numbers.</summary>
public sealed class AdapterPackingTests : IDisposable
{
    private const string Settings = """{"frames": 4, "words": 10, "bottleneck": 16, "factor_dim": 8, "tied_layers": [1]}""";
    private readonly TinyModel tiny = new();
    private readonly TemporaryFolder folder = new();

    public void Dispose()
    {
        tiny.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData(AdapterPrecision.BFloat16, 0.55, 0.9999)]
    [InlineData(AdapterPrecision.Int8, 0.45, 0.999)]
    public void A_packed_adapter_is_small_and_nearly_the_same(AdapterPrecision precision, double size, double cosine)
    {
        var (path, packed) = (Save("mv-adapter", Settings), folder.File("packed.safetensors"));
        var export = AdapterExport.Write(path, packed, precision);
        Assert.InRange(Data(packed) / (double)Data(path), 0.2, size);
        Assert.Equal((AdapterPrecision.Float32, precision, new FileInfo(packed).Length), (export.From, export.To, export.BytesAfter));
        Assert.All(export.Tensors, tensor => Assert.InRange(tensor.RelativeError, 0, precision == AdapterPrecision.Int8 ? 0.5 / 127 + 1e-6 : 1.0 / 256));

        using var before = AdapterCheckpoint.Load(path, tiny.Backbone);
        using var after = AdapterCheckpoint.Load(packed, tiny.Backbone);
        var (expected, actual) = (tiny.Embed(before), tiny.Embed(after));
        Assert.NotEqual(expected.Videos, actual.Videos);
        Assert.InRange(Dot(expected.Videos, actual.Videos) / 3, cosine, 1.0001);
        Assert.InRange(Dot(expected.Texts, actual.Texts) / 3, cosine, 1.0001);
        Assert.All(after.TrainableParameters(), item => Assert.Equal(DType.Float32, item.Value.DType));

        static double Dot(float[] a, float[] b) => a.Zip(b, (x, y) => (double)x * y).Sum();
        static long Data(string file) => Safetensors.Read(file).Tensors.Values.Sum(tensor => (long)tensor.Data.Length);
    }

    [Fact]
    public void Every_method_can_be_packed()
    {
        foreach (var name in Methods.All.Select(method => method.Name).Where(name => name != "zero-shot"))
        {
            var packed = folder.File("packed.safetensors");
            AdapterExport.Write(Save(name, "{}"), packed, AdapterPrecision.Int8);
            using var model = AdapterCheckpoint.Load(packed, tiny.Backbone);
            Assert.Equal(name, model.Method.Name);
            Assert.All(tiny.Embed(model).Videos, value => Assert.True(float.IsFinite(value)));
        }
    }

    [Fact]
    public void A_published_file_is_packed_with_the_settings_that_were_given()
    {
        var config = MvAdapterConfig.FromJson(Settings, "test");
        using var model = tiny.CreateMoved("mv-adapter", Settings);
        var path = folder.File("published.pth");
        AdapterCheckpoint.Save(path, model);
        Assert.Contains("--preset", Assert.Throws<InvalidFileException>(() => AdapterExport.Write(path, folder.File("a.safetensors"), AdapterPrecision.Int8)).Message, StringComparison.Ordinal);
        AdapterExport.Write(path, folder.File("b.safetensors"), AdapterPrecision.BFloat16, config);
        using var packed = AdapterCheckpoint.Load(folder.File("b.safetensors"), tiny.Backbone);   // it carries its settings now
        Assert.Equal(model.Identity, packed.Identity);
    }

    [Fact]
    public void Packing_gives_nothing_back()
    {
        var path = Save("lora", "{}");
        var (half, quarter) = (folder.File("half.safetensors"), folder.File("quarter.safetensors"));
        AdapterExport.Write(path, half, AdapterPrecision.BFloat16);
        AdapterExport.Write(half, quarter, AdapterPrecision.Int8);
        Refused("is stored as int8 already", () => AdapterExport.Write(quarter, folder.File("again.safetensors"), AdapterPrecision.BFloat16));
        Refused("is stored as bf16 already", () => AdapterExport.Write(half, folder.File("again.safetensors"), AdapterPrecision.BFloat16));
        Refused("is the adapter itself", () => AdapterExport.Write(path, path, AdapterPrecision.Int8));
        Refused("published form", () => AdapterExport.Write(path, folder.File("a.pth"), AdapterPrecision.Int8));
        Assert.False(File.Exists(folder.File("again.safetensors")));

        static void Refused(string reason, Action export) => Assert.Contains(reason, Assert.Throws<UsageException>(export).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unknown packing", "not known here")]
    [InlineData("no scales", "no scales")]
    [InlineData("short scales", "scales of")]
    [InlineData("matrix of scales", "scales of")]
    [InlineData("narrow scales", "scales of")]
    [InlineData("infinite scales", "scales of")]
    [InlineData("negative scales", "scales of")]
    [InlineData("stray scales", "unknown names")]
    [InlineData("twice", "twice")]
    public void A_damaged_packed_file_is_one_line(string damage, string reason)
    {
        var packed = folder.File("packed.safetensors");
        AdapterExport.Write(Save("lora", "{}"), packed, AdapterPrecision.Int8);
        var file = Safetensors.Read(packed);
        var tensors = new Dictionary<string, StoredTensor>(file.Tensors);
        var metadata = new Dictionary<string, string>(file.Metadata);
        var name = tensors.Keys.First(key => key.EndsWith("lora_A", StringComparison.Ordinal));
        var rows = tensors[name].Shape[0];
        var ones = Enumerable.Repeat(1f, (int)rows).ToArray();
        switch (damage)
        {
            case "unknown packing": metadata["packing"] = "int4\u001b"; break;
            case "no scales": tensors.Remove(name + "@scale"); break;
            case "short scales": tensors[name + "@scale"] = StoredTensor.FromFloats(ones[1..], rows - 1); break;
            case "matrix of scales": tensors[name + "@scale"] = StoredTensor.FromFloats(ones, rows, 1); break;
            case "narrow scales": tensors[name + "@scale"] = new StoredTensor(DType.BFloat16, [rows], new byte[2 * rows]); break;
            case "infinite scales": tensors[name + "@scale"] = StoredTensor.FromFloats([float.PositiveInfinity, .. ones[1..]], rows); break;
            case "negative scales": tensors[name + "@scale"] = StoredTensor.FromFloats([-1, .. ones[1..]], rows); break;
            case "stray scales": tensors["nobody@scale"] = StoredTensor.FromFloats(ones, rows); break;
            default: tensors[name["clip.".Length..]] = StoredTensor.FromFloats(ones, rows); break;
        }
        var damaged = folder.File("damaged.safetensors");
        Safetensors.Write(damaged, tensors, metadata);
        var message = Assert.Throws<InvalidFileException>(() => AdapterCheckpoint.Load(damaged, tiny.Backbone)).Message;
        Assert.Contains(reason, message, StringComparison.Ordinal);
        Assert.DoesNotContain(message, c => char.IsControl(c));
    }

    [Fact]
    public void Any_damage_is_one_line()
    {
        var packed = folder.File("packed.safetensors");
        AdapterExport.Write(Save("lora", """{"rank": 1}"""), packed, AdapterPrecision.Int8);
        HostileInput.Check(File.ReadAllBytes(packed), path =>
        {
            try
            {
                AdapterCheckpoint.Load(path, tiny.Backbone).Dispose();
            }
            catch (MvAdapterException e) when (e is not InvalidFileException)
            {
                Assert.DoesNotContain('\n', e.Message);   // settings are quoted with the file's name
            }
        });
    }

    [Fact]
    public void What_went_astray_is_not_stored()
    {
        var path = Save("lora", "{}");
        var file = Safetensors.Read(path);
        var tensors = new Dictionary<string, StoredTensor>(file.Tensors);
        var (name, tensor) = tensors.First();
        tensors[name] = StoredTensor.FromFloats([float.NaN, .. tensor.ToFloats()[1..]], tensor.Shape);
        Safetensors.Write(path, tensors, file.Metadata);
        Assert.Contains("not finite", Assert.Throws<MvAdapterException>(() => AdapterExport.Write(path, folder.File("a.safetensors"), AdapterPrecision.Int8)).Message, StringComparison.Ordinal);
    }

    private string Save(string method, string settings)
    {
        using var model = tiny.CreateMoved(method, settings);
        var path = folder.File($"{method}.safetensors");
        AdapterCheckpoint.Save(path, model);
        return path;
    }
}
