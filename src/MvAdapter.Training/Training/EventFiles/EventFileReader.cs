using System.Globalization;
using Google.Protobuf;

namespace MvAdapter.Training;

/// <summary>A logged value.</summary>
/// <param name="Tag">What was measured, such as <c>train/loss</c>.</param>
/// <param name="Step">The step of the run.</param>
/// <param name="Value">The value.</param>
/// <param name="WallTime">When it was logged, in seconds since 1970.</param>
public readonly record struct ScalarEvent(string Tag, long Step, float Value, double WallTime);

/// <summary>Reads scalars back from TensorBoard's event files.</summary>
public static class EventFileReader
{
    private const string Prefix = "events.out.tfevents.";

    /// <summary>The scalars of one file in the order of writing. A file that is still being written ends early.</summary>
    public static IReadOnlyList<ScalarEvent> Read(string path)
    {
        var scalars = new List<ScalarEvent>();
        ReadInto(scalars, path);
        return scalars;
    }

    /// <summary>
    /// The scalars of all event files of a folder as one run: where a process resumed, what earlier files hold from that
    /// step on is dropped.
    /// </summary>
    public static IReadOnlyList<ScalarEvent> ReadFolder(string folder)
    {
        if (!Directory.Exists(folder)) throw new InvalidFileException(folder, "is no folder: name one that holds event files");
        var files = Directory.EnumerateFiles(folder, Prefix + "*")
            .OrderBy(StartSecond).ThenBy(file => file, StringComparer.Ordinal);
        var scalars = new List<ScalarEvent>();
        foreach (var file in files) ReadInto(scalars, file);
        return scalars;
    }

    private static long StartSecond(string path)
    {
        var text = Path.GetFileName(path)[Prefix.Length..].Split('.')[0];
        return long.TryParse(text, CultureInfo.InvariantCulture, out var second) ? second : long.MaxValue;
    }

    private static void ReadInto(List<ScalarEvent> scalars, string path)
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            while (TfRecord.Read(stream, path) is { } record) ReadEvent(scalars, record);
        }
        catch (InvalidProtocolBufferException error)
        {
            throw new InvalidFileException(path, "holds a record that is no TensorBoard event", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(path, $"cannot be read: {TextForMessage.Quote(error.Message)}", error);
        }
    }

    private static void ReadEvent(List<ScalarEvent> scalars, byte[] record)
    {
        var (wallTime, step) = (0.0, 0L);
        var (summary, session) = (ByteString.Empty, ByteString.Empty);
        using var input = new CodedInputStream(record);
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case EventTags.WallTime: wallTime = input.ReadDouble(); break;
                case EventTags.Step: step = input.ReadInt64(); break;
                case EventTags.Summary: summary = input.ReadBytes(); break;
                case EventTags.SessionLog: session = input.ReadBytes(); break;
                default: input.SkipLastField(); break;
            }
        }

        if (IsStart(session)) scalars.RemoveAll(scalar => scalar.Step >= step);
        using var values = summary.CreateCodedInput();
        while (values.ReadTag() is var tag and not 0)
        {
            if (tag != EventTags.SummaryValue) values.SkipLastField();
            else if (ReadValue(values.ReadBytes()) is var (name, value)) scalars.Add(new ScalarEvent(name, step, value, wallTime));
        }
    }

    private static bool IsStart(ByteString session)
    {
        var status = 0;
        using var input = session.CreateCodedInput();
        while (input.ReadTag() is var tag and not 0)
        {
            if (tag == EventTags.SessionStatus) status = input.ReadEnum();
            else input.SkipLastField();
        }
        return status == EventTags.SessionStart;
    }

    /// <summary>Null for a summary of another kind, such as an image.</summary>
    private static (string Name, float Value)? ReadValue(ByteString message)
    {
        var name = "";
        float? value = null;
        using var input = message.CreateCodedInput();
        while (input.ReadTag() is var tag and not 0)
        {
            switch (tag)
            {
                case EventTags.ValueTag: name = input.ReadString(); break;
                case EventTags.ValueSimple: value = input.ReadFloat(); break;
                default: input.SkipLastField(); break;
            }
        }
        return value is { } number ? (name, number) : null;
    }
}
