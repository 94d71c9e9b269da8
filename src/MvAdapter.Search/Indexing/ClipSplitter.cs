using MvAdapter.Video;

namespace MvAdapter.Search;

/// <summary>Cuts videos into clips, one after another or overlapping, without decoding more than scene changes need.</summary>
public sealed class ClipSplitter(ClipSplitting splitting, VideoDecoder decoder)
{
    /// <summary>What a video of this length is cut into. A rest of less than half a step belongs to the clip before it.</summary>
    public IReadOnlyList<ClipSpan> Split(string path, double duration, CancellationToken cancellation = default)
    {
        if (!splitting.Scenes) return Windows(0, duration);
        var spans = new List<ClipSpan>();
        var start = 0.0;
        foreach (var change in decoder.SceneChanges(path, cancellation).Append(duration))
        {
            // A flash is no scene, and the last frames are none either.
            if (change - start < ClipSplitting.MinSeconds || (change < duration && duration - change < ClipSplitting.MinSeconds)) continue;
            spans.AddRange(Windows(start, Math.Min(change, duration)));
            start = change;
        }
        return spans.Count > 0 ? spans : Windows(0, duration);
    }

    private List<ClipSpan> Windows(double start, double end)
    {
        var spans = new List<ClipSpan>();
        while (true)
        {
            // The next window must bring at least half a step of its own.
            var last = end - (start + splitting.Seconds) < splitting.Step / 2;
            spans.Add(new ClipSpan(start, last ? end : start + splitting.Seconds));
            if (last) return spans;
            start += splitting.Step;
        }
    }
}
