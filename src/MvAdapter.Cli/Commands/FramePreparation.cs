using MvAdapter.Datasets;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>Decodes all that the runs of one dataset will read, once and before they start.</summary>
internal static class FramePreparation
{
    /// <summary>Fills a cache with the clips of all splits that the dataset has.</summary>
    /// <returns>The videos that cannot be read.</returns>
    public static IReadOnlyList<VideoException> Prepare(RunConfig config, string folder, ImageProcessor processor, bool strict, CancellationToken cancellation)
    {
        var reader = Reader(config, processor);
        var clips = new[] { Split.Train, Split.Val, Split.Test }.SelectMany(split => Clips(config, split, strict)).ToList();
        using var cache = FrameCache.OpenOrCreate(folder, reader.Sampling, processor.Size, Terminal.Warn, processor.Preprocessing.ResizeName);
        var missing = cache.Missing(clips, cancellation: cancellation).Count;
        if (missing == 0) return [];
        using var bar = Terminal.Begin("frames of videos", missing);
        return cache.Prepare(clips, reader, new Display(bar), cancellation).Skipped;
    }

    /// <summary>The reader that the runs have.</summary>
    public static VideoReader Reader(RunConfig config, ImageProcessor processor) => new(processor, config.FrameSampling());

    // A dataset may do without validation; training does too then.
    private static IEnumerable<VideoClip> Clips(RunConfig config, Split split, bool strict)
    {
        try
        {
            return config.Load(split, strict).Samples.Select(sample => sample.Clip);
        }
        catch (InvalidFileException) when (split == Split.Val)
        {
            return [];
        }
    }

    private sealed class Display(Terminal.Progress bar) : IProgress<FrameCacheProgress>
    {
        public void Report(FrameCacheProgress value) => bar.Report(value.Done);
    }
}
