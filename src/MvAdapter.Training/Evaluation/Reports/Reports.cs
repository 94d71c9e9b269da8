namespace MvAdapter.Evaluation;

/// <summary>Joins an evaluation with what the model and its training cost.</summary>
public static class Reports
{
    private const int BytesPerParameter = 4;   // adapters are stored as float32 unless exported

    /// <summary>The report of a model on a split.</summary>
    /// <param name="model">The model.</param>
    /// <param name="seed">The seed it was trained with.</param>
    /// <param name="result">The evaluation.</param>
    /// <param name="trainSeconds">Seconds spent in training; 0 where that is not known.</param>
    /// <param name="peakMemory">The most memory held, bytes.</param>
    public static RetrievalReport Of(RetrievalModel model, long seed, RetrievalEvaluation result, double trainSeconds, long peakMemory)
    {
        var trainable = model.TrainableParameters().Sum(item => item.Value.ElementCount);
        return new RetrievalReport
        {
            Method = model.Method.Name,
            Seed = seed,
            TextToVideo = result.TextToVideo,
            VideoToText = result.VideoToText,
            TrainableParameters = trainable,
            StorageBytes = BytesPerParameter * trainable,
            TrainSeconds = trainSeconds,
            PeakMemoryBytes = peakMemory,
            OrderAccuracy = result.OrderAccuracy,
            Videos = result.VideoIds.Count,
            Captions = result.Captions.Count,
            MissingVideos = result.Missing.Count,
            MissingVideoNames = result.Missing.Count > 0 ? result.Missing : null,
        };
    }
}
