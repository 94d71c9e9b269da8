using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>Videos that cannot be read end in one line and no file; unusual ones that can be read are embedded.</summary>
[Collection("Command line")]
public sealed class BadVideoTests(TinyClip clip) : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("missing", "no such file")]
    [InlineData("folder", "is a folder")]
    [InlineData("empty", "empty")]
    [InlineData("garbage", "not a video")]
    [InlineData("truncated", "moov atom not found")]
    [InlineData("half", "frames can be decoded")]
    [InlineData("audio only", "audio only")]
    public void A_bad_video_is_one_line(string kind, string reason)
    {
        var path = Make(kind);
        Embed(path).Fails(1, reason);
        Assert.False(File.Exists(Output));
        Assert.Empty(Directory.EnumerateFiles(folder.Path, ".*"));
    }

    [Fact]
    public void When_no_video_of_several_can_be_read_nothing_is_written()
    {
        Embed(Make("garbage"), Make("missing")).Fails(1, "none of the 2 videos can be read");
        Assert.False(File.Exists(Output));
    }

    [Fact]
    public void Bad_videos_among_good_ones_are_skipped_and_named_at_the_end()
    {
        string[] bad = [Make("missing"), Make("empty"), Make("garbage"), Make("truncated"), Make("audio only"), folder.Path];
        var result = Embed([bad[0], clip.Video, .. bad[1..], clip.Video]).Succeeds(3);
        var lines = result.Error.TrimEnd('\n').Split('\n');
        Assert.Equal(bad.Length, lines.Length);
        Assert.All(lines.Zip(bad), pair => Assert.StartsWith($"warning: skipped {pair.Second}: ", pair.First, StringComparison.Ordinal));
        Assert.Equal(2, Safetensors.Read(Output).Tensors["video_embeddings"].Shape[0]);
    }

    [Fact]
    public void Unusual_videos_are_embedded()
    {
        var rotated = Ffmpeg.Turn(clip.Video, folder.File("rotated.mp4"));
        string[] videos =
        [
            Ffmpeg.Make(folder.File("one frame.mp4"), "testsrc=s=64x48:r=10:d=0.1"),
            Ffmpeg.Make(folder.File("short.mp4"), "testsrc=s=64x48:r=25:d=0.2"),
            Ffmpeg.Make(folder.File("varying.mp4"), "testsrc=d=4:s=64x48:r=20,select='lt(t,2)+not(mod(n,10))'", "-vsync", "vfr"),
            rotated,
            Ffmpeg.Make(folder.File("odd.mkv"), "testsrc=s=37x53:r=10:d=0.2", "-c:v", "ffv1"),
            Ffmpeg.Make(folder.File("1x1.mkv"), "testsrc=s=1x1:r=10:d=0.1", "-c:v", "ffv1"),
            Ffmpeg.Make(folder.File("8K.mp4"), "testsrc=s=7680x4320:r=10:d=0.1", "-c:v", "mjpeg"),
        ];
        Embed(videos).Succeeds();
        var tensor = Safetensors.Read(Output).Tensors["video_embeddings"];
        Assert.Equal(videos.Length, tensor.Shape[0]);
        Assert.All(tensor.ToFloats(), value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void A_name_may_be_anything()
    {
        string[] names = ["with space.mp4", "quote's \"two\".mp4", "new\nline.mp4", "видео 映像 é.mp4", "%03d.mp4", "$(id);`id`.mp4", "concat:a|b.mp4"];
        var videos = Array.ConvertAll(names, name => folder.File(name));
        foreach (var video in videos) File.Copy(clip.Video, video);
        Embed(videos).Succeeds();
        Assert.Equal(videos, System.Text.Json.JsonSerializer.Deserialize<string[]>(Safetensors.Read(Output).Metadata["videos"]));
    }

    [Fact]
    public void A_name_that_is_not_UTF_8_is_told_as_what_it_is()
    {
        using (var copy = System.Diagnostics.Process.Start("bash", ["-c", "cp \"$1\" \"$2\"/$'caf\\xe9.mp4'", "bash", clip.Video, folder.Path])) copy.WaitForExit();
        var name = Assert.Single(Directory.GetFiles(folder.Path));
        try
        {
            Embed(name).Fails(1, "the name is not UTF-8");
            Assert.Contains("the name is not UTF-8", CommandLine.Run("index", "add", folder.Path, "--index", folder.File("index.db"), "--clip", clip.Checkpoint).Error, StringComparison.Ordinal);
        }
        finally
        {
            // .NET cannot delete what it cannot name.
            using var remove = System.Diagnostics.Process.Start("bash", ["-c", "rm \"$1\"/caf*.mp4", "bash", folder.Path]);
            remove.WaitForExit();
        }
    }

    [Theory]
    [InlineData("photo.webp", "RIFF1234WEBPVP8 ", "is a WebP picture")]
    [InlineData("list.m3u8", "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", "is a playlist (HLS)")]
    [InlineData("list.txt", "ffconcat version 1.0\nfile a.mp4\n", "is a list for ffmpeg")]
    [InlineData("page.html", "<!DOCTYPE html><html></html>", "is a web page")]
    [InlineData("paper.pdf", "%PDF-1.7\n", "is a PDF document")]
    public void A_file_of_another_kind_is_called_what_it_is(string name, string content, string what) => Embed(folder.Write(name, content)).Fails(1, what);

    [Fact]
    public void A_name_that_looks_like_an_option_comes_from_a_list()
    {
        // In the folder itself, so that the name really begins with the dash.
        File.Copy(clip.Video, folder.File("-i.mp4"));
        var list = folder.Write("list.txt", "-i.mp4\n");
        CommandLine.RunIn(folder.Path, "embed", "--clip", clip.Checkpoint, "--video-list", list, "--output", Output).Succeeds();
        CommandLine.RunIn(folder.Path, "embed", "--clip", clip.Checkpoint, "--videos=-i.mp4", "--output", Output).Succeeds();
    }

    [Fact]
    public void The_name_of_a_bad_file_cannot_reach_the_terminal()
    {
        var path = folder.Write("bad\n\u001b[31m.mp4", "no video");
        Embed(path).Fails(1, "bad\\x0a\\x1b[31m.mp4");
    }

    private string Output => folder.File("out.safetensors");

    private CommandResult Embed(params string[] videos) =>
        CommandLine.Run(["embed", "--clip", clip.Checkpoint, "--output", Output, "--videos", .. videos]);

    private string Make(string kind)
    {
        var path = folder.File(kind + ".mp4");
        switch (kind)
        {
            case "missing":
                return path;
            case "folder":
                return folder.Path;
            case "empty":
                return folder.Write(kind + ".mp4", "");
            case "garbage":
                var bytes = new byte[100_000];
                new Random(4).NextBytes(bytes);
                return folder.Write(kind + ".mp4", bytes);
            case "truncated":
                return folder.Write(kind + ".mp4", Part(File.ReadAllBytes(clip.Video)));
            case "half":
                return folder.Write(kind + ".mp4", Part(File.ReadAllBytes(Ffmpeg.Make(path, "testsrc=d=6:s=64x48:r=10", "-movflags", "faststart"))));
            default:
                return Ffmpeg.Make(path, "sine=d=1");
        }

        static byte[] Part(byte[] whole) => whole[..(whole.Length * 6 / 10)];
    }
}
