using MvAdapter.Datasets;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Evaluation;

/// <summary>What an evaluation found: the scores of every caption with every video, and what follows from them.</summary>
/// <param name="Similarities">Cosines [captions, videos].</param>
/// <param name="Captions">The captions, those of a video one after another.</param>
/// <param name="VideoIds">The videos' names.</param>
/// <param name="VideoOfCaption">For each caption, the index of its video.</param>
/// <param name="OrderPairs">Videos and captions that only the order of the frames tells apart.</param>
/// <param name="Missing">Videos of the dataset that are not in the evaluation: not found, or not readable.</param>
public sealed record RetrievalEvaluation(
    SimilarityMatrix Similarities, IReadOnlyList<string> Captions, IReadOnlyList<string> VideoIds, IReadOnlyList<int> VideoOfCaption,
    IReadOnlyList<OrderPair> OrderPairs, IReadOnlyList<string> Missing)
{
    /// <summary>Captions asking for videos.</summary>
    public RetrievalMetrics TextToVideo { get; init; } = RetrievalMetrics.TextToVideo(Similarities, VideoOfCaption);

    /// <summary>Videos asking for captions.</summary>
    public RetrievalMetrics VideoToText { get; init; } = RetrievalMetrics.VideoToText(Similarities, VideoOfCaption);

    /// <summary>Percent of videos of reversal pairs whose own caption scores higher than the reversed one's; null without pairs.</summary>
    public double? OrderAccuracy { get; } = Evaluation.OrderAccuracy.Of(Similarities, OrderPairs)?.GivenVideo;

    /// <summary>Every caption with the rank of its video and the first five.</summary>
    public IReadOnlyList<RankedQuery> Queries() => RankedQuery.From(Similarities, Captions, VideoIds, VideoOfCaption);

    /// <summary>The same evaluation with scores re-weighted by a softmax over the other side (an option, never the default).</summary>
    public RetrievalEvaluation WithDualSoftmax(double temperature) => this with
    {
        TextToVideo = RetrievalMetrics.TextToVideo(DualSoftmax.ForTextToVideo(Similarities, temperature), VideoOfCaption),
        VideoToText = RetrievalMetrics.VideoToText(DualSoftmax.ForVideoToText(Similarities, temperature), VideoOfCaption),
    };
}

/// <summary>Encodes a split of a dataset and ranks it (model.md section 12).</summary>
public static class Evaluator
{
    /// <summary>Encodes every video once and every caption once.</summary>
    /// <param name="encoder">The model.</param>
    /// <param name="dataset">The split.</param>
    /// <param name="read">Reads clips in order, from a cache or by decoding.</param>
    /// <param name="progress">Told how many videos are done.</param>
    /// <param name="cancellation">Ends the work between batches.</param>
    /// <param name="workers">Those who divide the work; each gets the whole evaluation. Null for one alone.</param>
    /// <exception cref="MvAdapterException">Not one video can be read.</exception>
    public static RetrievalEvaluation Evaluate(
        VideoTextEncoder encoder, Dataset dataset, ClipReader? read = null,
        IProgress<int>? progress = null, CancellationToken cancellation = default, Workers? workers = null)
    {
        var samples = dataset.Samples;
        IReadOnlyList<int> own = [.. Enumerable.Range(0, samples.Count)];
        if (workers is not null) own = workers.Part(own);
        var clips = own.Select(i => samples[i].Clip);
        var kept = new List<int>();
        var missing = dataset.Missing.ToList();
        var videos = new List<float>(samples.Count * encoder.Width);
        var done = 0;
        string? first = null;
        foreach (var video in encoder.EncodeVideos((read ?? encoder.Reader.Read)(clips, cancellation)))
        {
            cancellation.ThrowIfCancellationRequested();
            if (video.Error is { } error)
            {
                missing.Add(samples[own[done]].Id);
                first ??= error.Message;
            }
            else
            {
                kept.Add(own[done]);
                videos.AddRange(video.Embedding);
            }
            done++;
            progress?.Report(done);
        }
        if (workers is not null)
        {
            var found = workers.Gather(first ?? "");
            first = found.FirstOrDefault(reason => reason.Length > 0);
            kept = [.. workers.Gather<int>(kept.ToArray()).SelectMany(part => part)];
            videos = [.. workers.Gather<float>(videos.ToArray()).SelectMany(part => part)];
            missing = [.. dataset.Missing, .. Enumerable.Range(0, samples.Count).Except(kept).Select(i => samples[i].Id)];
        }
        if (kept.Count == 0) throw new MvAdapterException($"none of the {samples.Count} videos of {dataset.Name} can be read; the first: {first}");

        var captions = new List<string>();
        var videoOfCaption = new List<int>();
        var firstCaption = new Dictionary<int, int>();   // sample -> its first caption
        var row = new Dictionary<int, int>();            // sample -> its row among the videos kept
        foreach (var i in kept)
        {
            (firstCaption[i], row[i]) = (captions.Count, row.Count);
            captions.AddRange(samples[i].Captions);
            videoOfCaption.AddRange(Enumerable.Repeat(row[i], samples[i].Captions.Count));
        }
        var texts = workers is null ? encoder.EncodeTexts(captions, cancellation)
            : [.. workers.Gather<float>(encoder.EncodeTexts(workers.Part(captions), cancellation)).SelectMany(part => part)];
        var pairs = dataset.ReversalPairs.Where(pair => row.ContainsKey(pair.Video) && row.ContainsKey(pair.Reversed))
            .Select(pair => new OrderPair(row[pair.Video], row[pair.Reversed], firstCaption[pair.Video], firstCaption[pair.Reversed])).ToList();
        return new RetrievalEvaluation(SimilarityMatrix.FromEmbeddings(texts, [.. videos], encoder.Width),
            captions, [.. kept.Select(i => samples[i].Id)], videoOfCaption, pairs, missing);
    }
}
