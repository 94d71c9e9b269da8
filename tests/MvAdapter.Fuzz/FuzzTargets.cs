using System.Text;
using MvAdapter.Adapters;
using MvAdapter.Checkpoints;
using MvAdapter.Clip;
using MvAdapter.Datasets;
using MvAdapter.Search;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Fuzz;

/// <summary>
/// What reads bytes that others made. Each may refuse them by an <see cref="MvAdapterException"/> and by nothing else: any other exception, a crash, a
/// hang or memory without bounds is a fault.
/// </summary>
public static class FuzzTargets
{
    private const string Name = "input";

    /// <summary>By name.</summary>
    public static IReadOnlyDictionary<string, Action<byte[]>> All { get; } = new Dictionary<string, Action<byte[]>>
    {
        ["adapter-json"] = bytes => MvAdapterConfig.FromJson(Text(bytes), Name),
        ["captions-csv"] = bytes => ReadCaptions(bytes, ".csv"),
        ["captions-jsonl"] = bytes => ReadCaptions(bytes, ".jsonl"),
        ["captions-import"] = bytes => AsFile(bytes, ".jsonl", path => AnnotationLines.Read(path, (_, _) => new VideoEntry("/a.mp4") { Size = 1, Modified = DateTime.UnixEpoch, Hash = "", Splitting = "whole" }, _ => { })),
        ["event-file"] = bytes => AsFile(bytes, ".tfevents", EventFileReader.Read),
        ["didemo"] = bytes => AsFolder("train_data.json", bytes, folder => DiDeMo.Read(new DatasetOptions { Annotations = folder, Split = Split.Train }).Count()),
        ["frame-index"] = bytes => AsFolder("frames.index", bytes, FrameIndex.Read),
        ["frame-record"] = bytes => FrameRecord.Parse(bytes),
        ["mov"] = bytes => AsFile(bytes, ".mp4", MovHeader.Read),
        ["avc"] = bytes => Avc(bytes),
        ["msrvtt"] = bytes => AsFolder("MSRVTT_data.json", bytes, folder =>
        {
            File.WriteAllText(Path.Combine(folder, "list.csv"), "video_id\nvideo0\nvideo1\n");
            return MsrVtt.Read(new DatasetOptions { Annotations = folder, Split = Split.Train }, "list.csv").Count();
        }),
        ["msvd-pickle"] = bytes => AsFile(bytes, ".pkl", MsvdCaptions.Read),
        ["postgres-address"] = bytes => PostgresAddress.Parse(Text(bytes)),
        ["ppm"] = Pictures,
        ["query"] = bytes => QueryMix.Parse(Text(bytes), hasExamples: bytes.Length % 2 == 0),
        ["run-config"] = bytes => RunConfigFile.Parse(Text(bytes), Name),
        ["safetensors"] = bytes => AsFile(bytes, ".safetensors", Safetensors.Read),
        ["torch"] = bytes => AsFile(bytes, ".pt", TorchArchive.Read),
        ["vocabulary"] = bytes => AsFile(bytes, ".txt", ClipTokenizer.Load),
        ["yaml"] = bytes => YamlMap.Read(Text(bytes), Name),
    };

    /// <summary>Gives bytes to a target; a refusal is what may happen.</summary>
    public static void Run(string target, byte[] bytes)
    {
        try
        {
            All[target](bytes);
        }
        catch (MvAdapterException)
        {
        }
    }

    private static string Text(byte[] bytes) => Encoding.UTF8.GetString(bytes);

    private static void Avc(byte[] bytes)
    {
        try
        {
            AvcConfiguration.PictureSize(bytes);
        }
        catch (InvalidDataException)
        {
            // MovHeader then leaves the file to ffprobe.
        }
    }

    private static void Pictures(byte[] bytes)
    {
        using var output = new MediaOutput(new MemoryStream(bytes), () => { });
        var reader = new PpmReader(output, Name);
        while (reader.Next()) _ = reader.Rgb;
    }

    private static void ReadCaptions(byte[] bytes, string ending) =>
        AsFile(bytes, ending, path => CaptionFile.Read(new DatasetOptions { Annotations = path, Split = Split.Test }).Count());

    // Of this process and thread, in memory where there is such a place.
    private static string Place => Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"mvadapter-fuzz-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}");

    private static void AsFile<T>(byte[] bytes, string ending, Func<string, T> read)
    {
        var path = Place + ending;
        File.WriteAllBytes(path, bytes);
        try
        {
            (read(path) as IDisposable)?.Dispose();
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void AsFolder<T>(string name, byte[] bytes, Func<string, T> read)
    {
        var folder = Directory.CreateDirectory(Place).FullName;
        try
        {
            File.WriteAllBytes(Path.Combine(folder, name), bytes);
            read(folder);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
