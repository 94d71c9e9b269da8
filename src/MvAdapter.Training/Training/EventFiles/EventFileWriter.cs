using System.Globalization;
using Google.Protobuf;

namespace MvAdapter.Training;

/// <summary>
/// Writes scalars for TensorBoard. Each process writes a file of its own; TensorBoard joins the files of a folder. Each
/// scalar leaves the process at once, so that curves can be watched live and survive a kill.
/// </summary>
public sealed class EventFileWriter : IDisposable
{
    private readonly FileStream stream;
    private readonly TimeProvider clock;

    /// <summary>
    /// Starts a file in <paramref name="folder"/>. A run that resumes names the step at which it starts: readers then drop
    /// what the interrupted process had logged from that step on.
    /// </summary>
    public EventFileWriter(string folder, long? resumeStep = null, TimeProvider? clock = null)
    {
        this.clock = clock ?? TimeProvider.System;
        try
        {
            Directory.CreateDirectory(folder);
            stream = Create(Path.Combine(folder, FileName()));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(folder, $"cannot hold event files: {TextForMessage.Quote(error.Message)}", error);
        }
        WriteEvent(null, EventTags.FileVersion, ByteString.CopyFromUtf8(EventTags.Version));
        if (resumeStep is { } step)
            WriteEvent(step, EventTags.SessionLog, Message(output =>
            {
                output.WriteTag(EventTags.SessionStatus);
                output.WriteEnum(EventTags.SessionStart);
            }));
    }

    /// <summary>The file that is written.</summary>
    public string FilePath => stream.Name;

    /// <summary>Logs a value under a name such as <c>train/loss</c>.</summary>
    public void Scalar(string tag, double value, long step)
    {
        var scalar = Message(output =>
        {
            output.WriteTag(EventTags.ValueTag);
            output.WriteString(tag);
            output.WriteTag(EventTags.ValueSimple);
            output.WriteFloat((float)value);
        });
        WriteEvent(step, EventTags.Summary, Message(output =>
        {
            output.WriteTag(EventTags.SummaryValue);
            output.WriteBytes(scalar);
        }));
    }

    /// <summary>Waits until the disk holds what was logged.</summary>
    public void Flush() => stream.Flush(flushToDisk: true);

    /// <summary>Closes the file.</summary>
    public void Dispose() => stream.Dispose();

    private void WriteEvent(long? step, uint contentTag, ByteString content)
    {
        var message = Message(output =>
        {
            output.WriteTag(EventTags.WallTime);
            output.WriteDouble((clock.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds);
            if (step is { } value)
            {
                output.WriteTag(EventTags.Step);
                output.WriteInt64(value);
            }
            output.WriteTag(contentTag);
            output.WriteBytes(content);
        });
        stream.Write(TfRecord.Frame(message.Span));
    }

    private static ByteString Message(Action<CodedOutputStream> write)
    {
        using var memory = new MemoryStream();
        using var output = new CodedOutputStream(memory);
        write(output);
        output.Flush();
        return ByteString.CopyFrom(memory.GetBuffer(), 0, (int)memory.Length);
    }

    private string FileName() => string.Create(
        CultureInfo.InvariantCulture,
        $"events.out.tfevents.{clock.GetUtcNow().ToUnixTimeSeconds()}.{Environment.MachineName}.{Environment.ProcessId}");

    /// <summary>A second writer of the same process and second gets a number at the end of its name.</summary>
    private static FileStream Create(string path)
    {
        var candidate = path;
        for (var number = 1; File.Exists(candidate); number++)
            candidate = string.Create(CultureInfo.InvariantCulture, $"{path}.{number}");
        return new FileStream(candidate, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 0);
    }
}
