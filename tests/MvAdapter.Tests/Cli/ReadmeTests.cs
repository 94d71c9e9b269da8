using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Cli;

/// <summary>The README's commands as a new user types them, one after another, on videos and captions of the form that it shows.</summary>
[Collection("Command line")]
[Trait("Category", "Slow")]
public sealed class ReadmeTests : IDisposable
{
    // These run elsewhere: what continuous integration calls, what runs until it is stopped, what wants a benchmark's files or hours.
    private static readonly string[] Elsewhere =
        ["./run demo", "./run test", "./run serve", "./run compare", "./run train --preset", "./run eval --clip ViT-B-16.pt"];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Each_command_works_as_it_stands()
    {
        var readme = File.ReadAllLines(Path.Combine(Fixtures.Repository, "README.md"));
        var captions = readme.SkipWhile(line => line != "video,caption,split").TakeWhile(line => line != "```").ToArray();
        Assert.InRange(captions.Length, 3, 20);
        File.WriteAllLines(folder.File("captions.csv"), captions);
        Directory.CreateDirectory(folder.File("clips"));
        Directory.CreateDirectory(folder.File("videos"));
        foreach (var name in captions.Skip(1).Select(line => line.Split(',')[0]))
            foreach (var place in new[] { "", "clips", "videos" })
                Ffmpeg.Make(Path.Combine(folder.Path, place, name), name == "a.mp4" ? "testsrc=d=3:s=64x48:r=10" : "smptebars=d=3:s=64x48:r=10", "-pix_fmt", "yuv420p");
        File.WriteAllLines(folder.File("queries.txt"), ["a man repairs a bicycle", "chess"]);

        var run = 0;
        foreach (var line in readme.Where(line => line.StartsWith("./run ", StringComparison.Ordinal)))
        {
            if (Elsewhere.Any(other => line.StartsWith(other, StringComparison.Ordinal))) continue;
            var command = line.Split("    #")[0].Replace("$clip", Path.Combine(Fixtures.Repository, "assets", "moving-shapes-clip"), StringComparison.Ordinal)
                .Replace("~/videos", "videos", StringComparison.Ordinal);
            // The index that nobody names lies in the user's data folder.
            var result = CommandLine.Finish(CommandLine.Start(Words(command["./run ".Length..]), folder.Path, [("XDG_DATA_HOME", folder.File("data"))]));
            Assert.True(result.ExitCode == 0, $"{line}: exit code {result.ExitCode}: {result.Error}");
            run++;
        }
        Assert.InRange(run, 9, 100);
    }

    // As a shell takes them, with double quotes alone.
    private static string[] Words(string command) =>
        [.. command.Split('"').SelectMany((part, i) => i % 2 == 1 ? [part] : part.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
}
