using MvAdapter.Search;
using MvAdapter.Server;
using MvAdapter.Tests.Search;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Server;

/// <summary>The page over few clips and over very many, with thousands of captions. Pictures of it come to artifacts/screenshots.</summary>
[Trait("Category", "Slow")]
public sealed class PageOfManyTests(TinyClip clip) : IClassFixture<TinyClip>, IDisposable
{
    private const int ClipsOfAVideo = 100;
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(1, 0)]
    [InlineData(10_000, 500)]
    [InlineData(100_000, 5_000)]
    public async Task A_page_shows_searches_and_teaches(int clips, int captions)
    {
        Fill(clips, captions);
        await using var browser = await Browser.Open();
        using var running = new RunningServer(folder.File("i.db"), new ServerOptions
        {
            Writable = true, Teaching = new TeachingOptions(folder.File("runs"), (_, _) => throw new NotSupportedException(), (_, _) => throw new NotSupportedException()) { LeastClips = 10, LeastVideos = 5 },
        });
        await browser.Show(1280, 900);
        await browser.Go(running.Url + "/?q=a+dog+in+the+park&collection=1&all=");
        await browser.Until($"document.querySelectorAll('.film').length == {Math.Min(clips, 24)} && [...document.images].slice(0, 1).every(image => image.naturalWidth > 0)");
        await browser.Picture($"clips-{clips}");
        await browser.Value("document.getElementById('to-teach').click()");
        await browser.Until("document.getElementById('teach-name').textContent && document.getElementById('teach-progress').textContent.includes('caption')");
        Assert.StartsWith(captions.ToString("N0", System.Globalization.CultureInfo.InvariantCulture) + " caption", (await browser.Value("document.getElementById('teach-progress').textContent")).GetString(), StringComparison.Ordinal);
        await browser.Until("document.getElementById('teach-film').readyState > 1 && document.getElementById('more').hidden");
        await browser.Picture($"clips-{clips}-teach");
        await browser.Show(390, 844, dark: true);
        Assert.Equal(390, (await browser.Value("document.documentElement.scrollWidth")).GetInt32());
        await browser.Picture($"clips-{clips}-teach-phone-dark");
        await browser.Type("a caption among many");
        await browser.Press("Enter");
        await browser.Until($"document.getElementById('teach-progress').textContent.startsWith('{(captions + 1).ToString("N0", System.Globalization.CultureInfo.InvariantCulture)} ')");
        await browser.Value("document.getElementById('to-teach').click()");
        await browser.Picture($"clips-{clips}-phone-dark");
        Assert.Empty(browser.Complaints);
    }

    // Many copies of one film that differ by what follows its end, a second to a clip, with vectors made by chance.
    private void Fill(int clips, int captions)
    {
        var film = File.ReadAllBytes(Ffmpeg.Make(folder.File("film.mp4"), "testsrc=s=64x48:r=4:d=100", "-pix_fmt", "yuv420p", "-g", "4"));
        var hashes = new List<string>();
        Directory.CreateDirectory(folder.File("videos"));
        var source = new ModelSource(clip.Checkpoint) { Frames = 3 };
        using var store = ClipStore.Open(folder.File("i.db"), StoreAccess.Create);
        using var encoder = VideoTextEncoder.Load(source);
        var collection = store.AddCollection(CollectionModel.Of(source, encoder, new ClipSplitting { Seconds = 1 }));
        var random = new Random(1);
        for (var video = 0; video * ClipsOfAVideo < clips; video++)
        {
            var path = folder.File($"videos/film {video:0000}.mp4");
            File.WriteAllBytes(path, [.. film, 0, 0, 0, 12, (byte)'f', (byte)'r', (byte)'e', (byte)'e', .. BitConverter.GetBytes(video)]);
            var file = FileFingerprint.Of(path)!;
            hashes.Add(file.Hash);
            var count = Math.Min(ClipsOfAVideo, clips - video * ClipsOfAVideo);
            var vectors = RandomClips.Vectors(random, count, width: encoder.Width).Values;
            var entry = new VideoEntry(path) { Hash = file.Hash, Duration = 100, Modified = file.Modified, Size = file.Size, Splitting = "window seconds=1 overlap=0" };
            store.ReplaceVideo(collection, entry, [.. Enumerable.Range(0, count).Select(i => new ClipSpan(i, i + 1))], new ClipVectors(collection.Model.Identity, encoder.Width, vectors));
        }
        for (var i = 0; i < captions; i++)
        {
            var (video, second) = (i % (clips / ClipsOfAVideo), i / (clips / ClipsOfAVideo));
            store.Annotations.Add(new ClipAnnotation(ClipAnnotation.NewToken(), AnnotationKind.Caption, hashes[video], folder.File($"videos/film {video:0000}.mp4"), new ClipSpan(second, second + 1), $"caption {i}"));
        }
    }
}
