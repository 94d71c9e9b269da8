using System.Text.Json;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>The parameter counts of the paper's table, exactly.</summary>
[Collection("Command line")]
public sealed class InfoTests
{
    private const long ViTB16 = 149_620_737;
    private const long ViTB32 = 151_277_313;

    [Theory]
    [InlineData("ViT-B/16", "msrvtt", ViTB16, 3_325_696, 3_496_704, 2.337)]
    [InlineData("ViT-B/32", "activitynet", ViTB32, 3_445_472, 3_616_480, null)]
    public void The_command_prints_the_published_counts(string name, string preset, long clip, long adapter, long trainable, double? percent)
    {
        var result = CommandLine.Run("info", "--clip", name, "--preset", preset, "--json").Succeeds();
        Assert.Empty(result.Error);
        using var json = JsonDocument.Parse(result.Output);
        Assert.Equal(clip, json.RootElement.GetProperty("clip_parameters").GetInt64());
        Assert.Equal(adapter, json.RootElement.GetProperty("adapter_parameters").GetInt64());
        Assert.Equal(trainable, json.RootElement.GetProperty("trainable_parameters").GetInt64());
        Assert.Equal(percent ?? 100.0 * trainable / clip, json.RootElement.GetProperty("trainable_percent").GetDouble(), 3);
    }

    [Theory]
    [Trait("Category", "Slow")]
    [InlineData("ViT-B/16", ViTB16)]
    [InlineData("ViT-B/32", ViTB32)]
    public void Every_preset_has_the_published_counts(string name, long clip)
    {
        using var backbone = ClipModel.CreateRandom(ClipConfig.Preset(name), 0);
        Assert.Equal(clip, backbone.Parameters.ElementCount);
        Check("msrvtt", 3_325_696, 3_496_704);
        Check("msvd", 3_401_728, 3_572_736);
        Check("lsmdc", 3_444_000, 3_615_008);
        Check("didemo", 3_380_992, 3_552_000);
        Check("activitynet", 3_445_472, 3_616_480);

        void Check(string preset, long adapter, long trainable)
        {
            using var model = RetrievalModel.Create(backbone, new MvAdapterMethod(backbone.Config, MvAdapterConfig.Preset(preset)));
            Assert.Equal(adapter, model.Method!.Parameters.ElementCount);
            Assert.Equal(trainable, model.TrainableParameters().Sum(item => item.Value.ElementCount));
        }
    }

    [Theory]
    [Trait("Category", "Slow")]
    [InlineData("mv-adapter", "temporal=on", "on the MLP's output")]
    [InlineData("convpass", "bottleneck=8", "beside attention and beside the MLP")]
    [InlineData("zero-shot", ": none", "nothing")]
    public void A_method_is_described(string method, string setting, string place)
    {
        var output = CommandLine.Run("info", "--method", method).Succeeds().Output;
        Assert.Contains(setting, output, StringComparison.Ordinal);
        Assert.Contains($"in a block of the vision transformer: {place};", output, StringComparison.Ordinal);
        Assert.Contains("on ViT-B/32", output, StringComparison.Ordinal);
        Assert.Contains("on ViT-B/16", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_description_as_json_has_the_published_count_and_every_setting()
    {
        using var json = JsonDocument.Parse(CommandLine.Run("info", "--method", "mv-adapter", "--clip", "ViT-B/16", "--json").Succeeds().Output);
        Assert.Equal(3_496_704, Assert.Single(json.RootElement.GetProperty("trainable").EnumerateArray()).GetProperty("parameters").GetInt64());
        Assert.Equal(64, json.RootElement.GetProperty("settings").GetProperty("bottleneck").GetInt32());
    }

    [Theory]
    [InlineData("did you mean lora?", "--method", "lorra")]
    [InlineData("give --clip PATH|NAME, or --method NAME")]
    [InlineData("leave --preset", "--method", "lora", "--preset", "msrvtt")]
    public void What_cannot_be_described_is_one_line(string reason, params string[] options) =>
        CommandLine.Run(["info", .. options]).Fails(2, reason);

    [Fact]
    public void The_table_is_all_that_is_printed()
    {
        var result = CommandLine.Run("info", "--clip", "ViT-B/32").Succeeds();
        Assert.Contains("151,277,313", result.Output, StringComparison.Ordinal);
        Assert.Empty(result.Error);
    }
}
