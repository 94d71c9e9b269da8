using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Adapters;
using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

public sealed class RunConfigFileTests
{
    private static readonly Gen<string> Texts = Gen.Elements(
        "", "plain", "a: b", "- list", "# no comment", "true", "12", "1e-3", "null", "~", "'", "\"", "C:\\videos\\new", "tab\tand\nline\r",
        "vidéos/映像 🎬", "{a: 1}", "[x]", " spaces ", "*alias", "&anchor", "%TAG", "\u0001\u0085\u2028\uFEFF", "hf:openai/clip-vit-base-patch16");

    private static readonly Gen<RunConfig> Configs =
        from texts in Texts.ArrayOf(5)
        from numbers in Gen.Choose(int.MinValue, int.MaxValue).ArrayOf(6)
        from rates in ArbMap.Default.GeneratorFor<NormalFloat>().ArrayOf(4)
        from flag in Gen.Elements(true, false)
        from seed in ArbMap.Default.GeneratorFor<long>()
        from settings in Gen.Elements("", """{"bottleneck": 32}""", """{"tied_layers":[10,11],"tying":"down out","scale":0.1,"ln_in":true,"rank":null}""")
        select new RunConfig
        {
            Dataset = texts[0], Annotations = texts[1], Videos = texts[2], Clip = texts[3], Vocabulary = texts[4], Settings = settings,
            Frames = numbers[0], Words = numbers[1], BatchSize = numbers[2], Steps = numbers[3], EvaluateEvery = numbers[4], Patience = numbers[5],
            AdapterLr = rates[0].Item, ClipLr = rates[1].Item, WeightDecay = rates[2].Item, Warmup = rates[3].Item, DistinctBatches = flag, Seed = seed,
        };

    [Fact]
    public void What_is_written_reads_back_the_same() => Prop.ForAll(Configs.ToArbitrary(), config =>
    {
        var read = RunConfigFile.Parse(RunConfigFile.ToYaml(config), "test");
        // Settings are JSON: the same value may be spelt with other spaces.
        return RunConfigFile.Differences(config, read).Count == 0 && config with { Settings = "" } == read with { Settings = "" };
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void The_presets_read_back_the_same() => Assert.All(RunConfig.Presets.Values, preset =>
        Assert.Empty(RunConfigFile.Differences(preset, RunConfigFile.Parse(RunConfigFile.ToYaml(preset), "test"))));

    [Fact]
    public void Differences_name_the_fields()
    {
        var a = new RunConfig { Settings = """{"bottleneck": 32}""" };
        Assert.Equal(["adapter_lr", "seed"], RunConfigFile.Differences(a, a with { AdapterLr = 1, Seed = 2, Settings = """{ "bottleneck":32 }""" }));
        Assert.Equal(["settings"], RunConfigFile.Differences(a, a with { Settings = """{"bottleneck": 16}""" }));
    }

    [Fact]
    public void A_file_stands_over_its_base()
    {
        var config = RunConfigFile.Parse("steps: 7\nsettings:\n  bottleneck: 16\n  tied_layers: [1, 2]\n", "test", RunConfig.Presets["msrvtt"]);
        Assert.Equal((7, 12, "msrvtt"), (config.Steps, config.Frames, config.Dataset));
        Assert.Empty(RunConfigFile.Differences(config, config with { Settings = """{"bottleneck":16,"tied_layers":[1,2]}""" }));
    }

    [Fact]
    public void Another_method_does_not_inherit_settings_but_keeps_its_own()
    {
        Assert.Empty(RunConfigFile.Parse("method: lora", "test", RunConfig.Presets["msrvtt"]).Settings);
        Assert.NotEmpty(RunConfigFile.Parse("method: mv-adapter", "test", RunConfig.Presets["msrvtt"]).Settings);
        Assert.Equal("""{"rank":4}""", RunConfigFile.Parse("settings: {rank: 4}\nmethod: lora", "test", RunConfig.Presets["msrvtt"]).Settings);
    }

    [Theory]
    [InlineData("steps: 5\nstepz: 6", "line 2, field stepz: there is no field 'stepz'; did you mean steps?")]
    [InlineData("\nsteps: many", "line 2, field steps: steps takes a whole number, not 'many'")]
    [InlineData("adapter_lr: fast", "line 1, field adapter_lr: adapter_lr takes a number")]
    [InlineData("adapter_lr: .inf", "takes a number")]
    [InlineData("steps: 99999999999", "takes a whole number")]
    [InlineData("distinct_batches: perhaps", "takes true or false")]
    [InlineData("steps: [1, 2]", "line 1, field steps: takes one value, not a list")]
    [InlineData("steps: {a: 1}", "takes one value")]
    [InlineData("steps: &a 1\nepochs: *a", "line 2: a config is not nested so deeply")]
    [InlineData("- a\n- b", "line 1: a config is a list of 'key: value' lines")]
    [InlineData("just text", "line 1: a config is a list of 'key: value' lines")]
    [InlineData("a: b: c", "line 1: no YAML")]
    [InlineData("steps: 1\nsteps: 2", "no YAML")]
    [InlineData("clip: \"open", "no YAML")]
    [InlineData("? [a]\n: b", "there is no field")]
    [InlineData("settings: bottleneck", "settings take a JSON object")]
    [InlineData("settings: [1]", "takes one value")]
    [InlineData("settings:\n  a:\n    b: 1", "settings hold numbers, texts and lists")]
    public void A_malformed_file_is_one_line(string yaml, string reason)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("run.yaml", yaml);
        var error = Assert.Throws<InvalidFileException>(() => RunConfigFile.Read(path));
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Damaged_files_give_clear_lines() =>
        HostileInput.Check(System.Text.Encoding.UTF8.GetBytes(RunConfigFile.ToYaml(RunConfig.Presets["msrvtt"])), path => RunConfigFile.Read(path));

    [Fact]
    public void Deep_nesting_is_refused() =>
        Assert.Contains("nested", Assert.Throws<InvalidFileException>(() => RunConfigFile.Parse("settings: " + new string('[', 100_000), "test")).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("frames", "0", "frames")]
    [InlineData("batch_size", "1", "at least 2")]
    [InlineData("accumulation", "0", "accumulation")]
    [InlineData("warmup", "1", "warmup")]
    [InlineData("precision", "fp16", "fp32 or bf16")]
    [InlineData("words", "2", "words")]
    [InlineData("sampling", "random", "unknown strategy")]
    [InlineData("fps", "often", "fps is a number")]
    [InlineData("method", "mv-adaptor", "did you mean mv-adapter?")]
    [InlineData("evaluate_every", "-2", "evaluate_every")]
    [InlineData("adapter_lr", "-1", "adapter_lr")]
    public void What_cannot_be_run_is_refused_before_anything_is_loaded(string field, string value, string reason)
    {
        var config = RunConfigFile.With(new RunConfig { Clip = "absent", Annotations = "absent" }, field, value);
        Assert.Contains(reason, Assert.Throws<UsageException>(config.Validate).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_method_runs_with_its_default_settings() => Assert.All(Methods.All, method =>
        new RunConfig { Clip = "x", Annotations = "y", Method = method.Name, Settings = method.DefaultSettings }.Validate());
}
