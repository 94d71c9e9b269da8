using System.Numerics.Tensors;
using System.Text.RegularExpressions;
using MvAdapter.Datasets;
using MvAdapter.Evaluation;
using MvAdapter.Tests.Support;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Tests.Docs;

/// <summary>The code of docs/library.md and docs/deployment.md, between its markers: it runs, and the pages show the very same.</summary>
[Trait("Category", "Slow")]
public sealed partial class LibraryDocTests(TinyClip clip, TinyDataset data) : IClassFixture<TinyClip>, IClassFixture<TinyDataset>
{
    [Fact]
    public void The_pages_show_this_files_code()
    {
        var source = File.ReadAllText(Path.Combine(Fixtures.Repository, "tests/MvAdapter.Tests/Docs/LibraryDocTests.cs"));
        var pages = string.Concat(new[] { "library", "deployment" }.Select(page => File.ReadAllText(Path.Combine(Fixtures.Repository, "docs", $"{page}.md"))));
        var blocks = Marked().Matches(source).Select(match => Unindented(match.Groups["code"].Value)).ToList();
        Assert.NotEmpty(blocks);
        Assert.Equal(blocks, Shown().Matches(pages).Select(match => match.Groups["code"].Value.TrimEnd()));
    }

    [Fact]
    public void Embed()
    {
        var clipPath = clip.Checkpoint;
        var (firstVideo, secondVideo) = (data.Video(0), data.Video(1));
        var (lines, output) = Captured();

        // doc:begin embed
        // A checkpoint, a Hugging Face folder, or "hf:openai/clip-vit-base-patch16". An adapter brings its own frames and words.
        using var encoder = VideoTextEncoder.Load(new ModelSource(clipPath) { Adapter = null });

        float[] text = encoder.EncodeTexts(["a man is riding a bike"]);
        foreach (var video in encoder.EncodeVideos([new VideoClip(firstVideo), new VideoClip(secondVideo, Start: 0.5, End: 1.5)]))
        {
            // A video that cannot be decoded has an error in place of an embedding, and the others go on.
            if (video.Error is { } error) output.WriteLine($"skipped {error.Message}");
            else output.WriteLine($"{video.Clip.Path}: {TensorPrimitives.Dot<float>(text, video.Embedding):0.000}");
        }
        // doc:end embed

        Assert.Equal(2, lines().Length);
        Assert.All(lines(), line => Assert.Matches(@"^.*\.mp4: -?\d\.\d{3}$", line));
    }

    [Fact]
    public void Train_and_evaluate()
    {
        var (clipPath, captionFile) = (clip.Checkpoint, data.Captions);
        using var folder = new TemporaryFolder();
        var runFolder = folder.File("run");
        var (lines, output) = Captured();

        // doc:begin train
        var config = new RunConfig
        {
            Clip = clipPath,
            Annotations = captionFile,   // a CSV of video,caption[,start,end,split] beside the videos
            Method = "mv-adapter",
            Settings = """{"bottleneck": 16, "factor_dim": 8, "tied_layers": [1]}""",
            Steps = 20,
            AdapterLr = 1e-3,
            Seed = 1,
        };
        using (var trainer = new Trainer(config, new TrainerOptions { Output = runFolder, OnMessage = output.WriteLine }))
        {
            // To the end, or from where an earlier call or process was broken off.
            RunProgress progress = trainer.Run();
            output.WriteLine($"{progress.Step} steps in {progress.TrainSeconds:0.0} s");
        }
        // doc:end train

        // doc:begin evaluate
        using var encoder = VideoTextEncoder.Load(new ModelSource(clipPath) { Adapter = Path.Combine(runFolder, "adapter.safetensors") });
        var test = DatasetSource.Load("captions", new DatasetOptions { Annotations = captionFile, Split = Split.Test });
        RetrievalEvaluation result = Evaluator.Evaluate(encoder, test);
        output.WriteLine($"R@1 {result.TextToVideo.R1:0.0} % text to video, {result.VideoToText.R1:0.0} % video to text");
        foreach (var query in RankedQuery.Worst(result.Queries(), 3))
            output.WriteLine($"rank {query.Rank}: {query.Caption}; first was {query.Top[0].Id}");
        // doc:end evaluate

        Assert.Contains(lines(), line => line.StartsWith("20 steps in ", StringComparison.Ordinal));
        Assert.Contains(lines(), line => line.StartsWith("R@1 ", StringComparison.Ordinal));
        Assert.Equal(3, lines().Count(line => line.StartsWith("rank ", StringComparison.Ordinal)));
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
