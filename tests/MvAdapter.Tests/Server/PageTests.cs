using MvAdapter.Search;
using MvAdapter.Server;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary>The page in a real browser. Pictures of it come to artifacts/screenshots.</summary>
[Trait("Category", "Slow")]
public sealed class PageTests(VideoIndex index) : IClassFixture<VideoIndex>
{
    private const string Films = "document.querySelectorAll('.film').length";

    [Fact]
    public async Task Words_find_clips_and_the_address_is_the_query()
    {
        await using var browser = await Browser.Open();
        using var running = index.Serve();
        await browser.Show(1280, 860);
        await browser.Go(running.Url);
        await browser.Until("document.activeElement?.id == 'words'");
        await browser.Picture("welcome");
        await browser.Type("a dog & <b>");
        await browser.Press("Enter");
        await browser.Until($"{Films} == 4");   // each video's best clip
        Assert.Equal("?q=a+dog+%26+%3Cb%3E&collection=1", (await browser.Value("location.search")).GetString());

        // The other adapter, and back.
        await browser.Value("(s => { s.value = '2'; s.dispatchEvent(new Event('change')); })(document.getElementById('collection'))");
        await browser.Until("location.search.includes('collection=2') && !document.querySelector('[aria-busy]')");
        await browser.Value("history.back()");
        await browser.Until("location.search.includes('collection=1') && document.getElementById('collection').value == '1' && !document.querySelector('[aria-busy]')");
        var link = (await browser.Value("location.href")).GetString()!;
        await browser.Go("about:blank");
        await browser.Go(link);
        await browser.Until($"{Films} == 4 && document.getElementById('words').value == 'a dog & <b>'");

        // Each video's best clip, or all of them.
        await browser.Value("document.querySelector('.toggle').click()");
        await browser.Until($"location.search.includes('all=') && {Films} == 7");
        await browser.Value("document.querySelector('.toggle').click()");
        await browser.Until($"!location.search.includes('all=') && {Films} == 4");
        await browser.Value("document.querySelector('li .similar').click()");
        await browser.Until($"location.search.includes('like=') && {Films} == 3");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task The_keyboard_reaches_everything()
    {
        await using var browser = await Browser.Open();
        using var running = index.Serve();
        await browser.Show(1280, 860);
        await browser.Go(running.Url + "/?q=park&all=&collection=1");
        await browser.Until($"{Films} == 7");
        await browser.Press("/");
        await browser.Until("document.activeElement?.id == 'words'");
        await browser.Press("ArrowDown");
        await browser.Press("ArrowRight");
        await browser.Until("document.activeElement == document.querySelectorAll('.film')[1]");
        await browser.Until("document.activeElement.querySelector('video')?.currentTime > 0");   // it plays where the focus is
        await browser.Press("Enter");
        await browser.Until("document.getElementById('player').open && document.querySelector('dialog video').readyState > 1");
        await browser.Picture("player");
        await browser.Press("Escape");
        await browser.Until("!document.getElementById('player').open");
        var nameless = await browser.Value("""
            [...document.querySelectorAll('button, input, select')].filter(e => e.offsetParent && !(e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim())).length
            """);
        Assert.Equal(0, nameless.GetInt32());
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task A_clip_plays_from_its_second_while_it_is_pointed_at()
    {
        await using var browser = await Browser.Open();
        using var running = index.Serve();
        await browser.Show(1280, 860);
        await browser.Go(running.Url + "/?q=park&all=&collection=1");
        await browser.Until($"{Films} == 7");
        // The second half of a video: it must begin there and stay there.
        await browser.Value("[...document.querySelectorAll('.film')].find(film => film.textContent.startsWith('0:02')).id = 'second'");
        await browser.Point("#second");
        await browser.Until("document.querySelector('#second video')?.currentTime > 2.2");
        for (var looks = 0; looks < 25; looks++)
        {
            Assert.InRange((await browser.Value("document.querySelector('#second video').currentTime")).GetDouble(), 1.9, 4.1);
            await Task.Delay(100);
        }
        Assert.True((await browser.Value("document.querySelector('#second video').muted && !document.querySelector('#second video').paused")).GetBoolean());
        await browser.Point("#words");
        await browser.Until("!document.querySelector('.film video')");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task A_video_that_is_dropped_finds_clips_like_it()
    {
        await using var browser = await Browser.Open();
        using var running = index.Serve();
        await browser.Go(running.Url);
        await browser.Until("document.querySelector('#notice h2')");
        await Drop("(await fetch('/api/collections/1/clips/1/video').then(answer => answer.blob()))");
        await browser.Until($"{Films} == 4 && document.getElementById('status').textContent.startsWith('Clips like <i>dropped</i>.mp4')");
        await Drop("'no video'");
        await browser.Until("document.querySelector('#notice p').textContent.includes('not a video')");
        await browser.Show(1280, 860, dark: true);
        await browser.Picture("error-dark");
        Assert.Equal(0, (await browser.Value("document.querySelectorAll('main i, main b, main img[onerror]').length")).GetInt32());
        Assert.Empty(browser.Complaints);

        Task Drop(string bytes) => browser.Value($$"""
            (async () => {
              const dataTransfer = new DataTransfer();
              dataTransfer.items.add(new File([{{bytes}}], "<i>dropped</i>.mp4"));
              document.body.dispatchEvent(new DragEvent("dragover", { dataTransfer, bubbles: true, cancelable: true }));
              document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
            })()
            """);
    }

    [Fact]
    public async Task A_server_with_keys_asks_for_one_and_then_shows_clips()
    {
        using var folder = new TemporaryFolder();
        var key = ApiKeys.Add(folder.File("keys"), "alice");
        await using var browser = await Browser.Open();
        using var running = index.Serve(new ServerOptions { ApiKeys = folder.File("keys") });
        await browser.Show(390, 844);
        await browser.Go(running.Url + "/?q=park&all=&collection=2");
        await browser.Until("document.activeElement?.id == 'key'");
        await browser.Picture("key-phone");
        await browser.Type("wrong");
        await browser.Press("Enter");
        await browser.Until("sessionStorage.length == 1 && document.activeElement?.id == 'key' && document.activeElement.value == ''");
        await browser.Type(key);
        await browser.Press("Enter");
        await browser.Until($"{Films} == 7 && [...document.images].some(image => image.naturalWidth > 0)");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task An_empty_index_says_how_to_fill_it()
    {
        using var folder = new TemporaryFolder();
        ClipStore.Open(folder.File("empty.db"), StoreAccess.Create).Dispose();
        await using var browser = await Browser.Open();
        using var running = new RunningServer(folder.File("empty.db"));
        await browser.Show(390, 844);
        await browser.Go(running.Url);
        await browser.Until("document.querySelector('#notice code')");
        Assert.Contains($"mvadapter index add VIDEOS --clip CLIP --index {folder.File("empty.db")}", (await browser.Value("document.querySelector('#notice code').textContent")).GetString(), StringComparison.Ordinal);
        await browser.Picture("empty-phone");
    }

    [Theory]
    [InlineData(1280, 860, false)]
    [InlineData(1280, 860, true)]
    [InlineData(390, 844, false)]
    [InlineData(390, 844, true)]
    public async Task Nothing_sticks_out_at_any_width(int width, int height, bool dark)
    {
        await using var browser = await Browser.Open();
        using var running = index.Serve();
        await browser.Show(width, height, dark);
        await browser.Go(running.Url + "/?q=a+dog+is+running+in+the+park&all=&collection=2");
        await browser.Until($"{Films} == 7 && [...document.images].slice(0, 2).every(image => image.naturalWidth > 0)");
        Assert.Equal(width, (await browser.Value("document.documentElement.scrollWidth")).GetInt32());
        Assert.Equal("<img src=x onerror=alert(1)> & 'co'.mp4", (await browser.Value("[...document.querySelectorAll('.name')].map(name => name.textContent).find(name => name.startsWith('<'))")).GetString());
        await browser.Picture($"results-{width}-{(dark ? "dark" : "light")}");
        Assert.Empty(browser.Complaints);
    }
}
