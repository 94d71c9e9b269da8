using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary><c>--hwaccel</c>, with an ffmpeg that claims to have one device and decodes by the processor.</summary>
[Collection("Command line")]
public sealed class HardwareDecodingTests : IDisposable
{
    private readonly TinyClip clip;
    private readonly TemporaryFolder folder = new();
    private readonly string path;

    public HardwareDecodingTests(TinyClip clip)
    {
        this.clip = clip;
        var real = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(place => Path.Combine(place, "ffmpeg")).First(File.Exists);
        Directory.CreateDirectory(folder.File("bin"));
        Script.Write(folder, "bin/ffmpeg", $"""
            echo "$*" >> "{folder.File("calls")}"
            case "$*" in
              *-hwaccels*) printf 'Hardware acceleration methods:\nvdpau\nvaapi\n'; exit 0 ;;
              *"-init_hw_device vaapi"*) exit 0 ;;
              *"-init_hw_device"*) echo 'Device creation failed: -1.' >&2; exit 1 ;;
            esac
            for word; do
              shift
              case "$word" in -hwaccel|vaapi) ;; *) set -- "$@" "$word" ;; esac
            done
            exec "{real}" "$@"
            """);
        path = folder.File("bin") + ":" + Environment.GetEnvironmentVariable("PATH");
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("vaapi")]
    [InlineData("auto")]
    public void The_device_decodes_and_the_embedding_is_the_same(string name)
    {
        var plain = Embed([]);
        Assert.DoesNotContain("-hwaccel ", Calls(), StringComparison.Ordinal);
        Assert.Equal(plain, Embed(["--hwaccel", name]));
        Assert.Contains("-hwaccel vaapi ", Calls(), StringComparison.Ordinal);
        Assert.DoesNotContain("-hwaccel vdpau ", Calls(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_environment_variable_does_the_same()
    {
        Embed([], ("MVADAPTER_HWACCEL", "auto"));
        Assert.Contains("-hwaccel vaapi ", Calls(), StringComparison.Ordinal);
    }

    [Fact]
    public void What_there_is_not_is_refused_before_anything_is_read()
    {
        Run([("PATH", path)], "--hwaccel", "vdpau").Fails(1, "there is no device for decoding by vdpau (Device creation failed: -1.); auto takes what there is");
        Run([("PATH", path)], "--hwaccel", "\u0007cuda").Fails(1, "it knows vaapi, vdpau, auto");
    }

    [Fact]
    public void Without_any_device_the_processor_decodes_and_says_so()
    {
        Script.Write(folder, "bin/ffmpeg", $"""
            case "$*" in *-hwaccels*) printf 'Hardware acceleration methods:\n'; exit 0 ;; esac
            PATH="{Environment.GetEnvironmentVariable("PATH")}" exec ffmpeg "$@"
            """);
        Assert.Contains("decoded by the processor", Run([("PATH", path)], "--hwaccel", "auto").Succeeds().Error, StringComparison.Ordinal);
    }

    private string Calls() => File.ReadAllText(folder.File("calls"));

    private float[] Embed(string[] arguments, params (string Name, string Value)[] environment)
    {
        Run([("PATH", path), .. environment], arguments).Succeeds();
        return Safetensors.Read(folder.File("out.safetensors")).Tensors["video_embeddings"].ToFloats();
    }

    private CommandResult Run((string Name, string Value)[] environment, params string[] arguments) => CommandLine.RunWith(environment,
        ["embed", "--clip", clip.Checkpoint, "--videos", clip.Video, "--output", folder.File("out.safetensors"), .. arguments]);
}
