using MvAdapter.Clip;

namespace MvAdapter;

/// <summary>Finds a model's files: a path as it is, <c>hf:owner/name</c> in the cache or on the hub, the vocabulary beside them.</summary>
public static class ModelFiles
{
    private static readonly string[] VocabularyNames = ["bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt"];

    /// <summary>The checkpoint's path; downloads a model of the hub that is not in the cache.</summary>
    /// <exception cref="MvAdapterException">There is no such file, or it cannot be fetched.</exception>
    public static string Resolve(string clip, IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (HubReference.IsReference(clip))
        {
            using var hub = new HubDownload(HubSettings.FromEnvironment());
            return hub.DownloadModelAsync(HubReference.Parse(clip), progress, cancellation).GetAwaiter().GetResult();
        }
        return Path.Exists(clip) ? clip
            : throw new InvalidFileException(clip, "there is no such file or folder; give a checkpoint, a folder of Hugging Face's or OpenCLIP's form, or hf:owner/name");
    }

    /// <summary>The vocabulary of a checkpoint: in its folder, beside it, in the cache, or downloaded.</summary>
    /// <exception cref="MvAdapterException">It is nowhere and cannot be fetched.</exception>
    public static string FindVocabulary(string clip, IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        var folder = Directory.Exists(clip) ? clip : Path.GetDirectoryName(Path.GetFullPath(clip))!;
        if (File.Exists(Path.Combine(folder, "vocab.json")) && File.Exists(Path.Combine(folder, "merges.txt"))) return folder;
        if (VocabularyNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists) is { } beside) return beside;
        using var hub = new HubDownload(HubSettings.FromEnvironment());
        try
        {
            return hub.DownloadVocabularyAsync(progress, cancellation).GetAwaiter().GetResult();
        }
        catch (MvAdapterException e)
        {
            throw new MvAdapterException($"no vocabulary lies beside {TextForMessage.Quote(clip)}, and CLIP's cannot be fetched; name one by --vocabulary ({e.Message})", e);
        }
    }
}
