using System.Text.Json;
using System.Text.Json.Serialization;
using MvAdapter.Files;

namespace MvAdapter.Training;

/// <summary>One line of a run's log: a step, or an evaluation.</summary>
public sealed record TrainingLogEntry
{
    /// <summary>Steps taken.</summary>
    public required long Step { get; init; }

    /// <summary>The mean loss of the step's batches.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Loss { get; init; }

    /// <summary>The factor on the learning rates.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? LrFactor { get; init; }

    /// <summary>The gradient's norm before clipping.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? GradientNorm { get; init; }

    /// <summary>Seconds the step took, waiting for frames included.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? Seconds { get; init; }

    /// <summary>Memory in use, bytes.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public long? Memory { get; init; }

    /// <summary>Text-to-video R@1 on the validation split, percent.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? TextToVideoR1 { get; init; }

    /// <summary>Video-to-text R@1 on the validation split, percent.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? VideoToTextR1 { get; init; }

    /// <summary>Order accuracy on the validation split, percent.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? OrderAccuracy { get; init; }
}

/// <summary>A run's log, as JSON lines and as TensorBoard events. A resumed run drops what it is about to repeat.</summary>
internal sealed class TrainingLog : IDisposable
{
    private readonly JsonLinesWriter lines;
    private readonly EventFileWriter events;

    public TrainingLog(RunFolder folder, long resumeStep)
    {
        var resumes = File.Exists(folder.Log);
        if (resumes)
        {
            var kept = JsonLines.Read<TrainingLogEntry>(folder.Log).Where(entry => entry.Step <= resumeStep);
            AtomicFile.Write(folder.Log, stream =>
            {
                foreach (var entry in kept)
                {
                    stream.Write(JsonSerializer.SerializeToUtf8Bytes(entry, JsonLines.Options));
                    stream.WriteByte((byte)'\n');
                }
            });
        }
        lines = new JsonLinesWriter(folder.Log);
        events = new EventFileWriter(folder.Path, resumes ? resumeStep + 1 : null);
    }

    public void Write(TrainingLogEntry entry)
    {
        lines.Append(entry);
        Scalar("train/loss", entry.Loss);
        Scalar("train/lr_factor", entry.LrFactor);
        Scalar("train/gradient_norm", entry.GradientNorm);
        Scalar("train/step_seconds", entry.Seconds);
        Scalar("train/memory_bytes", entry.Memory);
        Scalar("validation/text_to_video_r1", entry.TextToVideoR1);
        Scalar("validation/video_to_text_r1", entry.VideoToTextR1);
        Scalar("validation/order_accuracy", entry.OrderAccuracy);

        void Scalar(string tag, double? value)
        {
            if (value is { } number) events.Scalar(tag, number, entry.Step);
        }
    }

    public void Flush() => events.Flush();

    public void Dispose()
    {
        lines.Dispose();
        events.Dispose();
    }
}
