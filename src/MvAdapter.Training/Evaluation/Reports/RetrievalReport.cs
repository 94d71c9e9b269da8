using System.Text.Json;
using System.Text.Json.Serialization;

namespace MvAdapter.Evaluation;

/// <summary>What one method reached with one seed, and what it cost: one object of a results file.</summary>
public sealed record RetrievalReport
{
    /// <summary>The method's name.</summary>
    public required string Method { get; init; }

    /// <summary>The seed of the run.</summary>
    public required long Seed { get; init; }

    /// <summary>Captions asking for videos.</summary>
    public required RetrievalMetrics TextToVideo { get; init; }

    /// <summary>Videos asking for captions.</summary>
    public required RetrievalMetrics VideoToText { get; init; }

    /// <summary>Parameters that the method trains.</summary>
    public required long TrainableParameters { get; init; }

    /// <summary>Bytes to store for each task beside the shared backbone.</summary>
    public required long StorageBytes { get; init; }

    /// <summary>Seconds spent in training.</summary>
    public required double TrainSeconds { get; init; }

    /// <summary>Steps of training that were taken; absent where nothing trained, or it is not known.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Steps { get; init; }

    /// <summary>The median of the seconds that a step took, waiting for frames included.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? StepSeconds { get; init; }

    /// <summary>Seconds to encode a video whose frames are decoded already.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? EncodingSeconds { get; init; }

    /// <summary>The most memory that training held.</summary>
    public required long PeakMemoryBytes { get; init; }

    /// <summary>
    /// Percent of clips with the right one of two captions scoring higher, the other being that of the clip's time
    /// reversal; absent where the data has no such pairs.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? OrderAccuracy { get; init; }

    /// <summary>Videos that were evaluated.</summary>
    public required int Videos { get; init; }

    /// <summary>Captions that were evaluated.</summary>
    public required int Captions { get; init; }

    /// <summary>Videos of the data set that could not be evaluated.</summary>
    public int MissingVideos { get; init; }

    /// <summary>The missing videos by name.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? MissingVideoNames { get; init; }

    /// <summary>Fields that this version does not know, kept when a results file is merged.</summary>
    [JsonExtensionData]
    public IDictionary<string, JsonElement>? OtherFields { get; init; }
}
