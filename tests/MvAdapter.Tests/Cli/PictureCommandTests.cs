using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>Pictures in the place of videos, from the command line.</summary>
[Collection("Command line")]
public sealed class PictureCommandTests : IDisposable
{
    private readonly TinyClip clip;
    private readonly TemporaryFolder folder = new();
    private readonly string video;

    public PictureCommandTests(TinyClip clip)
    {
        this.clip = clip;
        Directory.CreateDirectory(folder.File("videos/first"));
        Directory.CreateDirectory(folder.File("videos/second"));
        video = Ffmpeg.Make(folder.File("video.mkv"), "testsrc2=d=12:s=64x48:r=1", "-c:v", "ffv1", "-pix_fmt", "gbrp");
        Ffmpeg.Run(["-i", video, "-vsync", "0", folder.File("videos/first/%d.png")]);
        Ffmpeg.Run(["-f", "lavfi", "-i", "smptebars=d=3:s=64x48:r=1", "-vsync", "0", folder.File("videos/second/%d.jpg")]);
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void A_folder_embeds_as_the_video_that_it_was_and_a_picture_as_one_frame()
    {
        var output = folder.File("out.safetensors");
        CommandLine.Run("embed", "--clip", clip.Checkpoint, "--videos", video, folder.File("videos/first"), folder.File("videos/first/3.png"), "--output", output).Succeeds();
        var rows = Safetensors.Read(output).Tensors["video_embeddings"].ToFloats().Chunk(32).ToList();
        Rounding.AssertSame(rows[0], rows[1], Rounding.SumsOf(TinyClip.Layers));
        Assert.NotEqual(rows[0], rows[2]);
    }

    [Fact]
    public void Folders_are_found_by_id_and_by_the_published_form()
    {
        var captions = folder.File("captions.csv");
        File.WriteAllLines(captions, ["video,caption", "first.mp4,a test pattern", "second,bars of colour"]);
        var byName = Evaluate("captions", captions);
        var list = folder.File("list.json");
        File.WriteAllText(list, JsonSerializer.Serialize(new[] { ("first", "png", 12, "a test pattern"), ("second", "jpg", 3, "bars of colour") }.Select((item, i) =>
            new { vid = item.Item1, id = i, caption = item.Item4, frames = Enumerable.Range(1, item.Item3).Select(n => $"{item.Item1}/{n}.{item.Item2}") })));
        Assert.Equal(byName.GetRawText().Length > 0, Evaluate("frames", list).GetRawText().Length > 0);

        JsonElement Evaluate(string dataset, string annotations) => JsonDocument.Parse(CommandLine.Run("eval", "--clip", clip.Checkpoint, "--dataset", dataset,
            "--annotations", annotations, "--videos", folder.File("videos"), "--json").Succeeds().Output).RootElement;
    }

    [Fact]
    public void Films_and_photos_are_searched_together_where_that_is_asked()
    {
        var mixed = folder.File("mixed");
        Directory.CreateDirectory(mixed);
        File.Copy(video, Path.Combine(mixed, "film.mkv"));
        File.Copy(folder.File("videos/second/1.jpg"), Path.Combine(mixed, "photo.jpg"));
        string[] model = ["--clip", clip.Checkpoint, "--json"];
        Assert.Equal(1, Added("without.db", mixed));   // the photo is passed over
        Assert.Equal(2, Added("with.db", mixed, "--pictures"));
        Assert.Equal(2, Added("folders.db", folder.File("videos")));   // two folders of nothing but pictures
        Assert.Equal(15, Added("each.db", folder.File("videos"), "--pictures"));
        Assert.Contains("no fault", CommandLine.Run("index", "verify", "--index", folder.File("folders.db")).Succeeds().Output, StringComparison.Ordinal);

        int Added(string index, string path, params string[] more) => JsonDocument.Parse(CommandLine.Run(["index", "add", path, "--index", folder.File(index), .. model, .. more])
            .Succeeds().Output).RootElement.GetProperty("added").GetInt32();
    }

    [Theory]
    [InlineData("""[{"vid": "", "id": 0, "caption": "a", "frames": ["first/1.png"]}]""", "record 1, field vid")]
    [InlineData("""[{"vid": "a", "id": 0, "caption": " ", "frames": ["first/1.png"]}]""", "record 1, field caption")]
    [InlineData("""[{"vid": "a", "id": 0, "caption": "b", "frames": []}]""", "record 1, field frames")]
    [InlineData("""[{"vid": "a", "id": 0, "caption": "b", "frames": ["first/99.png"]}]""", "no video of frames")]
    [InlineData("""{"vid": "a"}""", "list.json")]
    public void A_bad_list_is_one_line(string json, string reason)
    {
        File.WriteAllText(folder.File("list.json"), json);
        CommandLine.Run("eval", "--clip", clip.Checkpoint, "--dataset", "frames", "--annotations", folder.File("list.json"), "--videos", folder.File("videos")).Fails(1, reason);
    }
}
