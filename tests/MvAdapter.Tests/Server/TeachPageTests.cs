using System.Diagnostics;
using System.Text.Json;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Server;

/// <summary>
/// The worked example of docs/teaching.md in a real browser: an index by zero-shot CLIP, clips captioned through the page as a person would,
/// an adapter trained, measured and put to use. Pictures of it come to artifacts/screenshots.
/// </summary>
[Collection("Command line at length")]
[Trait("Category", "Slow")]
public sealed class TeachPageTests : IDisposable
{
    private const int Videos = 60;
    private const int Captioned = 50;
    private static readonly string[] Sampling = ["--frames", "4", "--sampling", "symmetric", "--fps", "all", "--words", "24"];
    private readonly string clip = Path.Combine(Fixtures.Repository, "assets", "moving-shapes-clip");
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Captions_given_on_the_page_make_an_adapter_that_finds_more()
    {
        CommandLine.Run("make-dataset", "moving-shapes", "--output", folder.File("shapes"), "--videos", $"{Videos}", "--test-pairs", "50", "--val-pairs", "1").Succeeds();
        CommandLine.Run(["index", "add", folder.File("shapes/videos/train"), "--index", folder.File("i.db"), "--clip", clip, "--clip-seconds", "0", .. Sampling]).Succeeds();
        var captions = File.ReadLines(folder.File("shapes/captions.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)
            .ToDictionary(row => Path.GetFullPath(row.GetProperty("video").GetString()!, folder.File("shapes")), row => row.GetProperty("caption").GetString()!);
        var before = R10();

        await using var browser = await Browser.Open();
        using var server = CommandLine.Start(["serve", "--index", folder.File("i.db"), "--port", "0"]);
        try
        {
            var errors = server.StandardError.ReadToEndAsync();
            var url = CommandLine.AddressIn((await server.StandardOutput.ReadLineAsync())!);
            await browser.Show(1280, 900);
            await browser.Go(url);
            await browser.Until("document.getElementById('to-teach')?.hidden === false");
            await browser.Value("document.getElementById('to-teach').click()");
            for (var i = 0; i < Captioned; i++)
            {
                await browser.Until("!document.getElementById('caption').disabled && !document.getElementById('caption').value && document.activeElement?.id == 'caption'");
                var name = (await browser.Value("document.getElementById('teach-name').textContent.split(',')[0]")).GetString()!;
                await browser.Type(captions.Single(item => Path.GetFileName(item.Key) == name && item.Key.Contains("/train/", StringComparison.Ordinal)).Value);
                if (i == 0) await browser.Picture("teach");
                await browser.Press("Enter");
                await browser.Until($"document.getElementById('teach-name').textContent.split(',')[0] != '{name}'");
            }
            // The last is taken back, and given again.
            await browser.Press("z", control: true);
            await browser.Until("document.getElementById('caption').value.startsWith('a')");
            await browser.Press("Enter");
            await browser.Until($"document.getElementById('teach-progress').textContent.startsWith('{Captioned} captions')");

            await browser.Value("[...document.querySelectorAll('#training button')].find(b => b.textContent == 'Train').click()");
            await browser.Until("document.querySelector('#training progress')");
            await Ended(browser, "document.querySelector('#training table')");
            await browser.Picture("teach-report");
            // Which clips are offered, and so which are learnt from, is partly chance; so is what fifty captions show.
            Assert.Contains("etter", (await browser.Value("document.getElementById('training').innerText")).GetString(), StringComparison.Ordinal);
            await browser.Value("[...document.querySelectorAll('#training button')].find(b => b.textContent.startsWith('Use it')).click()");
            await Ended(browser, "document.getElementById('training').innerText.includes('The new adapter answers now')");
            await browser.Until("document.getElementById('collection').value == '2'");
            await browser.Show(390, 1100, dark: true);
            await browser.Picture("teach-phone-dark");

            // Right and wrong, by keys.
            await browser.Show(1280, 900);
            await browser.Go(url + "/?q=a+red+circle+moves+left&collection=2");
            await browser.Until("document.querySelectorAll('.film').length > 3");
            await browser.Value("document.querySelectorAll('.film')[0].focus()");
            await browser.Press("y");
            await browser.Press("ArrowRight");
            await browser.Press("n");
            await browser.Until("document.querySelectorAll('.mark[aria-pressed=true]').length == 2");
            await browser.Picture("marks");
            await browser.Go(url + "/?q=a+red+circle+moves+left&collection=2&all=");
            await browser.Until("document.querySelector('.mark[data-kind=right][aria-pressed=true]') && document.querySelector('.mark[data-kind=wrong][aria-pressed=true]')");
            await browser.Value("document.querySelectorAll('.film')[0].focus()");
            await browser.Press("y");
            await browser.Until("document.querySelectorAll('.mark[aria-pressed=true]').length == 1");   // taken back
            Assert.Empty(browser.Complaints);
        }
        finally
        {
            server.Kill(entireProcessTree: true);
            server.WaitForExit();
        }
        var after = R10("--adapter", folder.File("i.db.taught/run-1/adapter.safetensors"));
        Assert.True(after > before, $"R@10 on unseen videos {before} -> {after}");
        CommandLine.Run("index", "verify", "--index", folder.File("i.db")).Succeeds();
    }

    private static async Task Ended(Browser browser, string expression)
    {
        var clock = Stopwatch.StartNew();
        while ((await browser.Value($"Boolean({expression})")).ValueKind != JsonValueKind.True)
        {
            Assert.True(clock.Elapsed < TimeSpan.FromMinutes(8), $"{expression}: {await browser.Value("document.getElementById('training').innerText")}");
            await Task.Delay(500);
        }
    }

    // Text to video on the dataset's test split, none of whose videos is in the index.
    private double R10(params string[] adapter)
    {
        var result = CommandLine.Run(["eval", "--clip", clip, "--dataset", "moving-shapes", "--annotations", folder.File("shapes"), "--json", .. Sampling, .. adapter]).Succeeds();
        return JsonDocument.Parse(result.Output).RootElement[0].GetProperty("text_to_video").GetProperty("r10").GetDouble();
    }
}
