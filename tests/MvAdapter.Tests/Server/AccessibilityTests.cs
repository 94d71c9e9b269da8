using MvAdapter.Search;
using MvAdapter.Server;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary>The page as axe-core sees it, whose rules are those of WCAG: eng/test fetches it where there is npm.</summary>
[Trait("Category", "Slow")]
public sealed class AccessibilityTests(VideoIndex index) : IClassFixture<VideoIndex>
{
    private static readonly string Axe = Path.Combine(Fixtures.Repository, "artifacts", "axe", "package", "axe.min.js");

    [Theory]
    [InlineData(1280, false)]
    [InlineData(1280, true)]
    [InlineData(390, false)]
    [InlineData(390, true)]
    public async Task Nothing_on_the_page_keeps_anybody_out(int width, bool dark)
    {
        Assert.SkipUnless(File.Exists(Axe), "axe-core is not there: eng/test fetches it where there is npm");
        await using var browser = await Browser.Open();
        using var running = index.Serve(new ServerOptions
        {
            Writable = true, Teaching = new TeachingOptions(index.File("runs"), (_, _) => throw new NotSupportedException(), (_, _) => throw new NotSupportedException()),
        });
        await browser.Show(width, 900, dark);
        await browser.Go(running.Url);
        await browser.Until("document.querySelector('#notice h2')");
        await Check(browser, "welcome");
        await browser.Value("document.getElementById('to-filter').click()");
        await browser.Until("!document.getElementById('filters').hidden");
        await Check(browser, "filters");
        await browser.Go(running.Url + "/?q=park&all=&collection=1");
        await browser.Until("document.querySelectorAll('.film').length == 7");
        await browser.Value("document.querySelector('.mark').click()");
        await browser.Until("document.querySelector('.mark[aria-pressed=true]')");
        await Check(browser, "results");
        await browser.Value("document.querySelector('.film').click()");
        await browser.Until("document.getElementById('player').open && document.querySelector('dialog video').readyState > 1");
        await Check(browser, "player");
        await browser.Press("Escape");
        await browser.Value("document.getElementById('to-teach').click()");
        await browser.Until("!document.getElementById('teach').hidden && document.getElementById('teach-name').textContent");
        await Check(browser, "teach");
        Assert.Empty(browser.Complaints);
    }

    [Fact]
    public async Task Nor_on_that_of_an_empty_index()
    {
        Assert.SkipUnless(File.Exists(Axe), "axe-core is not there: eng/test fetches it where there is npm");
        using var folder = new TemporaryFolder();
        using (ClipStore.Open(folder.File("empty.db"), StoreAccess.Create)) { }
        await using var browser = await Browser.Open();
        using var running = new RunningServer(folder.File("empty.db"));
        await browser.Go(running.Url);
        await browser.Until("document.querySelector('#notice h2')");
        await Check(browser, "empty");
    }

    private static async Task Check(Browser browser, string where)
    {
        await browser.Value(await File.ReadAllTextAsync(Axe) + "\n;0");
        var found = await browser.Value("axe.run({ resultTypes: ['violations'] }).then(r => r.violations.map(v => `${v.impact} ${v.id}: ${v.nodes.map(n => n.target.join(' ') + ' ' + n.failureSummary).join('; ')}`))");
        var serious = found.EnumerateArray().Select(one => one.GetString()!).Where(one => one.StartsWith("serious", StringComparison.Ordinal) || one.StartsWith("critical", StringComparison.Ordinal));
        Assert.True(!serious.Any(), $"{where}: {string.Join('\n', serious)}");
    }
}
