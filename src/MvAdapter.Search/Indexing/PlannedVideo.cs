using MvAdapter.Video;

namespace MvAdapter.Search;

/// <summary>A file on its way into a collection: what is to be encoded of it, and what has been.</summary>
internal sealed class PlannedVideo(VideoEntry entry, IndexAction action, IReadOnlyList<ClipSpan> planned, bool writes)
{
    private readonly List<ClipSpan> spans = new(planned.Count);
    private readonly List<float> vectors = [];
    private int received;

    /// <summary>What is kept of the file.</summary>
    public VideoEntry Entry { get; private set; } = entry;

    /// <summary>Whether the video and its clips take the place of what is stored.</summary>
    public bool Writes => writes;

    /// <summary>Whether nothing of it must be encoded any more.</summary>
    public bool IsComplete => received == planned.Count;

    /// <summary>What the encoder is asked for. A clip that is the whole video has no times, as elsewhere.</summary>
    public IEnumerable<VideoClip> Clips => planned.Select(span => planned.Count == 1 && span.Start == 0
        ? new VideoClip(Entry.Path)
        : new VideoClip(Entry.Path, span.Start, span.End));

    /// <summary>The clips that were encoded.</summary>
    public IReadOnlyList<ClipSpan> Spans => spans;

    /// <summary>Their vectors.</summary>
    public float[] Vectors => [.. vectors];

    /// <summary>What became of it.</summary>
    public IndexOutcome Outcome => new(Entry.Path, action, spans.Count, Entry.Problem);

    /// <summary>Takes the next clip from the encoder. The others are kept when one is damaged; the first reason is told.</summary>
    public void Add(EncodedVideo encoded)
    {
        if (encoded.Error is { } error) Entry = Entry with { Problem = Entry.Problem ?? error.Message };
        else
        {
            spans.Add(planned[received]);
            vectors.AddRange(encoded.Embedding);
        }
        received++;
    }
}
