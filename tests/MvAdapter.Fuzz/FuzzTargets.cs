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
        ["frame-record"] = bytes => FrameRecord.Parse(bytes),
        ["mov"] = bytes => AsFile(bytes, ".mp4", MovHeader.Read),
        ["avc"] = bytes => Avc(bytes),
        ["msvd-pickle"] = bytes => AsFile(bytes, ".pkl", MsvdCaptions.Read),
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

    private static void ReadCaptions(byte[] bytes, string ending) =>
        AsFile(bytes, ending, path => CaptionFile.Read(new DatasetOptions { Annotations = path, Split = Split.Test }).Count());

    private static void AsFile<T>(byte[] bytes, string ending, Func<string, T> read)
    {
        // In memory where there is such a place.
        var path = Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"mvadapter-fuzz-{Environment.ProcessId}-{Environment.CurrentManagedThreadId}{ending}");
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
}
