using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Datasets;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary><c>prepare</c>: decodes a dataset once, so that training reads pictures instead of videos.</summary>
internal static class PrepareCommand
{
    private const int UsualImageSize = 224;

    public static Command Create()
    {
        var command = new Command("prepare", """
            Decodes and resizes the videos of a dataset once, into a folder that training reads at the speed of memory.

            Examples:
              ./run prepare --dataset msrvtt --annotations msrvtt --videos msrvtt/videos --cache cache/msrvtt
              ./run prepare --dataset captions --annotations clips.jsonl --splits train --cache cache/clips --frames 32 --clip ViT-B-16.pt

            On several machines, started by a launcher, each decodes its part and the first writes (docs/distributed.md).
            Stop it when you like and run it again: it goes on where it stopped. Several datasets, sizes and samplings may
            share a folder; what is no longer needed goes with the whole folder.
            """);
        var dataset = new Option<string>("--dataset") { Description = string.Join(", ", DatasetSource.All.Select(source => source.Name)), Required = true, HelpName = "NAME" };
        var annotations = new Option<string>("--annotations") { Description = "The folder of the annotation files, or the file of captions", Required = true, HelpName = "PATH" };
        var videos = new Option<string?>("--videos") { Description = "The folder of the videos (by default that of the annotations)", HelpName = "DIR" };
        var splits = new Option<string>("--splits") { Description = "Which parts, separated by commas", DefaultValueFactory = _ => "train,val,test", HelpName = "LIST" };
        var cache = new Option<string>("--cache") { Description = "The folder of the frame cache; it is made when absent", Required = true, HelpName = "DIR" };
        var activation = ModelOptions.ActivationOption();
        var imageSize = new Option<int?>("--image-size") { Description = $"Side of the model's pictures (by default {UsualImageSize})", HelpName = "PIXELS" };
        var clip = new Option<string?>("--clip") { Description = $"The same taken from a model: a checkpoint, hf:owner/name, {string.Join(", ", ClipConfig.Presets.Keys)}", HelpName = "PATH|NAME" };
        var verify = new Option<bool>("--verify") { Description = "Read all that is in the cache, and decode again what is damaged" };
        var json = new Option<bool>("--json") { Description = "Print what was done as JSON" };
        foreach (var option in new Option[] { dataset, annotations, videos, splits, cache, imageSize, clip }) command.Add(option);
        var sampling = new SamplingOptions(command);
        command.Add(activation);
        command.Add(verify);
        command.Add(json);
        var workerOptions = new WorkerOptions(command);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(imageSize) is not null && parsed.GetValue(clip) is not null) throw new UsageException("give --image-size or --clip, not both");
            if (parsed.GetValue(cache)!.Length == 0) throw new UsageException("--cache is empty");
            var frames = sampling.Sampling(parsed);
            var parts = Load(parsed.GetValue(dataset)!, parsed.GetValue(annotations)!, parsed.GetValue(videos), parsed.GetValue(splits)!, asked: parsed.GetResult(splits) is { Implicit: false });
            var processor = parsed.GetValue(clip) is { } model ? Processor(model, ModelOptions.ParseActivation(parsed.GetValue(activation)), cancellation)
                : new ImageProcessor(parsed.GetValue(imageSize) ?? UsualImageSize);
            return workerOptions.Run(parsed, "cpu", WorkerOptions.Alike(parsed), cancellation, (workers, ending) =>
            {
                var reader = new VideoReader(processor, frames, parallelism: WorkerOptions.ShareOfThreads);
                if (workers is { IsFirst: false })
                {
                    DividedReader.Help(workers, reader.Read, ending);
                    return ExitCode.Success;
                }
                using var frameCache = FrameCache.OpenOrCreate(parsed.GetValue(cache)!, frames, processor.Size, Terminal.Warn, processor.Preprocessing.ResizeName);
                return Run(frameCache, reader, parts, parsed.GetValue(verify), parsed.GetValue(json), workers is null ? null : DividedReader.Of(workers, reader.Read), ending);
            });
        });
        return command;
    }

    // A split that was not asked for by name may be empty.
    private static List<Dataset> Load(string name, string annotations, string? videos, string splits, bool asked)
    {
        var source = DatasetSource.Find(name);
        var options = splits.Split(',').Select(SplitNames.Parse).Distinct()
            .Select(split => new DatasetOptions { Annotations = annotations, Videos = videos, Split = split });
        if (asked) return [.. options.Select(source.Load)];
        List<Dataset> parts = [.. options.Select(source.LoadUnlessEmpty).OfType<Dataset>()];
        return parts.Count > 0 ? parts : throw new InvalidFileException(annotations, "has no sample of any split");
    }

    private static ImageProcessor Processor(string clip, ActivationFunction? activation, CancellationToken cancellation)
    {
        if (ClipConfig.Presets.TryGetValue(clip, out var config)) return config.CreateImageProcessor();
        using var model = ClipCheckpoint.Load(ModelFiles.Resolve(clip, null, cancellation), activation: activation);
        return model.Config.CreateImageProcessor();
    }

    private static int Run(FrameCache cache, VideoReader reader, List<Dataset> parts, bool verify, bool json, ClipReader? read, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        var clips = parts.SelectMany(part => part.Samples).Select(sample => sample.Clip).ToList();
        // Splits may share videos, and so may their lists of missing ones.
        var absent = parts.SelectMany(part => part.Missing).Distinct(StringComparer.Ordinal).ToList();
        var missing = cache.Missing(clips, verify, cancellation);
        if (missing.Count > 0) SayDiskSpace(cache, missing.Count);

        FrameCacheReport report;
        using (var display = new Display(missing.Count))
            report = cache.Prepare(clips, reader, display, cancellation, read);
        if (report.Written + report.Present == 0)
            throw new MvAdapterException(report.Skipped.Count == 1 ? report.Skipped[0].Message : $"none of the {report.Skipped.Count} videos can be read; the first: {report.Skipped[0].Message}");

        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new
            {
                cache = cache.Folder,
                image_size = cache.ImageSize,
                sampling = cache.Sampling.ToString(),
                clips = report.Written + report.Present,
                added = report.Written,
                bytes_added = report.Bytes,
                missing = absent,
                skipped = report.Skipped.Select(error => new { video = error.Path, reason = error.Message }),
                seconds = Math.Round(clock.Elapsed.TotalSeconds, 3),
            }));
        }
        else Console.WriteLine($"{TextForMessage.Quote(cache.Folder)}: {report.Written + report.Present} clips, {report.Written} of them added now ({Size(report.Bytes)}), \"{cache.Sampling}\" at {cache.ImageSize} pixels");
        foreach (var id in absent) Terminal.Warn($"missing {TextForMessage.Quote(id)}: no such video");
        foreach (var error in report.Skipped) Terminal.Warn($"skipped {error.Message}");
        return report.Skipped.Count + absent.Count > 0 ? ExitCode.Partial : ExitCode.Success;
    }

    private static void SayDiskSpace(FrameCache cache, int clips)
    {
        var wanted = clips * cache.BytesPerClip;
        var free = new DriveInfo(Path.GetFullPath(cache.Folder)).AvailableFreeSpace;
        Terminal.Say($"clips to decode: {clips}, at most {Size(wanted)}; {Size(free)} are free on the disk");
        if (wanted > free) Terminal.Warn($"the disk of {TextForMessage.Quote(cache.Folder)} may become full: {Size(wanted - free)} too little if every video has {cache.Sampling.MaxFrames} frames to take");
    }

    private static string Size(long bytes) => bytes >= 1e9
        ? (bytes / 1e9).ToString("0.0", CultureInfo.InvariantCulture) + " GB"
        : (bytes / 1e6).ToString("0.0", CultureInfo.InvariantCulture) + " MB";

    private sealed class Display(int clips) : IProgress<FrameCacheProgress>, IDisposable
    {
        private readonly Terminal.Progress bar = Terminal.Begin("clips", clips);

        public void Report(FrameCacheProgress value) => bar.Report(value.Done, Size(value.Bytes));

        public void Dispose() => bar.Dispose();
    }
}
