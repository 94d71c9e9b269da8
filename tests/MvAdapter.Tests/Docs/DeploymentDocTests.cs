using System.Numerics.Tensors;
using System.Text.RegularExpressions;
using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Docs;

/// <summary>The code of docs/deployment.md, between its markers: it runs, and the page shows the very same. That of docs/library.md is in <see cref="PackageTests"/>.</summary>
[Trait("Category", "Slow")]
public sealed partial class DeploymentDocTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyClip>, IClassFixture<TinyDataset>
{
    [Fact]
    public void The_page_shows_this_files_code()
    {
        var source = File.ReadAllText(Path.Combine(Fixtures.Repository, "tests/MvAdapter.Tests/Docs/DeploymentDocTests.cs"));
        var page = File.ReadAllText(Path.Combine(Fixtures.Repository, "docs", "deployment.md"));
        var blocks = Marked().Matches(source).Select(match => Unindented(match.Groups["code"].Value)).ToList();
        Assert.NotEmpty(blocks);
        Assert.Equal(blocks, Shown().Matches(page).Select(match => match.Groups["code"].Value.TrimEnd()));
    }

    [Fact]
    public void Many_tasks()
    {
        using var folder = new TemporaryFolder();
        var clipPath = clip.Checkpoint;
        var (sports, cooking, video) = (folder.File("sports.safetensors"), folder.File("cooking.safetensors"), data.Video(0));
        foreach (var path in new[] { sports, cooking }) TinyClip.WriteAdapter(path, clip.Config);
        var (lines, output) = Captured();

        // doc:begin tasks
        using var set = AdapterSet.Load(new ModelSource(clipPath), [new("sports", sports), new("cooking", cooking)]);

        // One task: an encoder like any other.
        float[] query = set["sports"].EncodeTexts(["a man is riding a bike"]);

        // A batch of several tasks: results come in the order given.
        float[] queries = set.EncodeTexts(["a goal", "an omelette", "a race"], ["sports", "cooking", "sports"]);
        foreach (var encoded in set.EncodeVideos([new VideoClip(video), new VideoClip(video)], ["sports", "cooking"]))
            output.WriteLine(encoded.Error?.Message ?? $"{encoded.Clip.Path}: {TensorPrimitives.Dot<float>(query, encoded.Embedding):0.000}");

        // Tasks come and go while the others stay.
        set.Remove("cooking");
        set.Add("news", cooking);
        output.WriteLine($"{string.Join(", ", set.Tasks)}: {queries.Length / set.Width} queries");
        // doc:end tasks

        Assert.Equal(2, lines().Count(line => line.Contains(".mp4: ", StringComparison.Ordinal)));
        Assert.Equal("news, sports: 3 queries", lines()[^1]);
    }

    private static (Func<string[]> Lines, TextWriter Output) Captured()
    {
        var writer = new StringWriter();
        return (() => writer.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries), writer);
    }

    // The page's reader has a console, and no margin.
    private static string Unindented(string code) => Indentation().Replace(code, "").Replace("output.", "Console.", StringComparison.Ordinal).TrimEnd();

    [GeneratedRegex(@"^ +// doc:begin \w+\n(?<code>.*?)^ +// doc:end", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Marked();

    [GeneratedRegex(@"^```csharp\n(?<code>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Shown();

    [GeneratedRegex("^ {8}", RegexOptions.Multiline)]
    private static partial Regex Indentation();
}
