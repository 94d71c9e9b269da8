using System.CommandLine;
using System.Text.Json;
using MvAdapter.Checkpoints;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary><c>embed</c>: videos and texts in, a safetensors file of embeddings out.</summary>
internal static class EmbedCommand
{
    public static Command Create()
    {
        var command = new Command("embed", """
            Turns videos and texts into embeddings.

            Examples:
              ./run embed --clip hf:openai/clip-vit-base-patch16 --videos a.mp4 b.mp4 --output out.safetensors
              ./run embed --clip ViT-B-16.pt --adapter msrvtt.pth --preset msrvtt --video-list videos.txt --texts captions.txt --output out.safetensors

            The file holds video_embeddings [N, E] and text_embeddings [M, E], L2-normalised float32, in the order given
            and without the skipped; its metadata names them (videos, texts, skipped: JSON arrays).
            """);
        var model = new ModelOptions(command);
        var videos = new Option<string[]>("--videos") { Description = "Video files", AllowMultipleArgumentsPerToken = true, HelpName = "FILE..." };
        var videoList = new Option<string?>("--video-list") { Description = "A file with one video a line, or a .json array", HelpName = "FILE" };
        var texts = new Option<string?>("--texts") { Description = "A file with one text a line, or a .json array", HelpName = "FILE" };
        var output = new Option<string>("--output") { Description = "The safetensors file to write", Required = true, HelpName = "FILE" };
        var json = new Option<bool>("--json") { Description = "Print what was done as JSON" };
        foreach (var option in new Option[] { videos, videoList, texts, output, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            List<string> files = [.. parsed.GetValue(videos) ?? [], .. parsed.GetValue(videoList) is { } list ? InputList.Read(list) : []];
            var captions = parsed.GetValue(texts) is { } textFile ? InputList.Read(textFile, keepEmpty: true) : [];
            if (files.Count == 0 && captions.Count == 0) throw new UsageException("nothing to embed: give --videos, --video-list or --texts");
            var path = parsed.GetValue(output)!;
            OutputPath.Check(path);
            using var encoder = model.Load(parsed, cancellation);
            return Run(encoder, files, captions, path, parsed.GetValue(json), cancellation);
        });
        return command;
    }

    private static int Run(VideoTextEncoder encoder, List<string> files, List<string> texts, string output, bool json, CancellationToken cancellation)
    {
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var rows = new List<float>(files.Count * encoder.Width);
        var embedded = new List<string>();
        var skipped = new List<VideoException>();
        using (var progress = Terminal.Begin("videos", files.Count))
        {
            foreach (var video in encoder.EncodeVideos(files.Select(file => new VideoClip(file)), cancellation))
            {
                if (video.Error is { } error) skipped.Add(error);
                else
                {
                    rows.AddRange(video.Embedding);
                    embedded.Add(video.Clip.Path);
                }
                progress.Report(embedded.Count + skipped.Count);
            }
        }
        if (files.Count > 0 && embedded.Count == 0)
            throw new MvAdapterException(files.Count == 1 ? skipped[0].Message : $"none of the {files.Count} videos can be read; the first: {skipped[0].Message}");

        var tensors = new Dictionary<string, StoredTensor>();
        if (files.Count > 0) tensors["video_embeddings"] = StoredTensor.FromFloats([.. rows], embedded.Count, encoder.Width);
        if (texts.Count > 0) tensors["text_embeddings"] = StoredTensor.FromFloats(encoder.EncodeTexts(texts, cancellation), texts.Count, encoder.Width);
        cancellation.ThrowIfCancellationRequested();
        Safetensors.Write(output, tensors, new Dictionary<string, string>
        {
            ["videos"] = JsonSerializer.Serialize(embedded),
            ["texts"] = JsonSerializer.Serialize(texts),
            ["skipped"] = JsonSerializer.Serialize(skipped.Select(error => error.Path)),
        });

        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                output,
                videos = embedded.Count,
                texts = texts.Count,
                width = encoder.Width,
                skipped = skipped.Select(error => new { video = error.Path, reason = error.Message }),
                seconds = Math.Round(clock.Elapsed.TotalSeconds, 3),
            }));
        }
        else Console.WriteLine($"{output}: {embedded.Count} videos and {texts.Count} texts, {encoder.Width} numbers each");
        foreach (var error in skipped) Terminal.Warn($"skipped {error.Message}");
        return skipped.Count > 0 ? ExitCode.Partial : ExitCode.Success;
    }
}
