using MvAdapter.Files;

namespace MvAdapter.Clip;

/// <summary>
/// Brings models from the Hugging Face hub into the cache that its own tools use, so that either finds what the other
/// has fetched. What is there already needs no network.
/// </summary>
public sealed class HubDownload(HubSettings settings) : IDisposable
{
    private static readonly string[] Small = [.. ClipFolder.Configurations, "vocab.json", "merges.txt", "preprocessor_config.json"];

    private static readonly Uri Vocabulary = new("https://github.com/openai/CLIP/raw/main/clip/bpe_simple_vocab_16e6.txt.gz");
    private const string VocabularySha256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a";

    private readonly HubClient client = new(settings);

    /// <summary>
    /// The folder that holds a model's configuration (config.json, open_clip_config.json), its weights in one of the forms of
    /// <see cref="ClipFolder"/>, shards too, and, where the model has them, vocab.json, merges.txt and preprocessor_config.json.
    /// </summary>
    /// <exception cref="MvAdapterException">The model does not exist, may not be read, or cannot be fetched.</exception>
    public async Task<string> DownloadModelAsync(HubReference model, IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        var repository = Path.Combine(settings.CacheFolder, $"models--{model.Repository.Replace("/", "--", StringComparison.Ordinal)}");
        if (CachedSnapshot(repository, model.Revision) is { } cached) return cached;
        if (settings.Offline)
            throw new MvAdapterException($"{model} is not in {TextForMessage.Quote(settings.CacheFolder)}, and HF_HUB_OFFLINE forbids to fetch it; unset that, or copy the model there");

        // All files are taken from the commit that the revision is at now.
        var commit = await ResolveAsync(model, cancellation).ConfigureAwait(false);
        var folder = Path.Combine(repository, "snapshots", commit ?? FolderName(model.Revision));
        foreach (var name in Small) await FetchAsync(name).ConfigureAwait(false);
        if (!ClipFolder.Configurations.Any(name => File.Exists(Path.Combine(folder, name)))) throw Missing(model, string.Join(" or ", ClipFolder.Configurations));
        // The weights come last: with them the folder is whole.
        var weights = await FirstAsync(ClipFolder.WeightNames(folder)).ConfigureAwait(false) ?? throw Missing(model, string.Join(", ", ClipFolder.WeightNames(folder)));
        if (ClipFolder.IsIndex(weights))
            foreach (var shard in ClipFolder.ShardNames(Path.Combine(folder, weights)))
                if (!await FetchAsync(shard).ConfigureAwait(false)) throw Missing(model, shard);
        if (commit is not null) WriteReference(repository, model.Revision, commit);
        return folder;

        Task<bool> FetchAsync(string name) =>
            new FileDownload(client, settings, Address(model, commit ?? model.Revision, name), Path.Combine(folder, name), expectedSha256: null, progress)
                .RunAsync(cancellation);

        async Task<string?> FirstAsync(IEnumerable<string> names)
        {
            foreach (var name in names)
                if (await FetchAsync(name).ConfigureAwait(false)) return name;
            return null;
        }
    }

    /// <summary>The path of CLIP's vocabulary, bpe_simple_vocab_16e6.txt.gz.</summary>
    /// <exception cref="MvAdapterException">It cannot be fetched.</exception>
    public async Task<string> DownloadVocabularyAsync(IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        var path = Path.Combine(settings.CacheFolder, "clip", "bpe_simple_vocab_16e6.txt.gz");
        await DownloadFileAsync(Vocabulary, path, VocabularySha256, progress, cancellation).ConfigureAwait(false);
        return path;
    }

    /// <summary>Fetches one file, unless the path holds one already; the path never holds a part of it.</summary>
    /// <param name="address">Where the file is.</param>
    /// <param name="path">Where it goes.</param>
    /// <param name="expectedSha256">The hash it must have; null takes the server's word.</param>
    /// <param name="progress">Told after each piece.</param>
    /// <param name="cancellation">Stops the download; a later call goes on from there.</param>
    /// <exception cref="MvAdapterException">It cannot be fetched.</exception>
    public async Task DownloadFileAsync(
        Uri address,
        string path,
        string? expectedSha256 = null,
        IProgress<DownloadProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        if (File.Exists(path)) return;
        if (settings.Offline) throw new MvAdapterException($"{TextForMessage.Quote(path)} is missing, and HF_HUB_OFFLINE forbids to fetch it");
        if (!await new FileDownload(client, settings, address, path, expectedSha256, progress).RunAsync(cancellation).ConfigureAwait(false))
            throw new MvAdapterException($"{address} does not exist (404)");
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => client.Dispose();

    private async Task<string?> ResolveAsync(HubReference model, CancellationToken cancellation)
    {
        foreach (var name in ClipFolder.Configurations)
        {
            var address = Address(model, model.Revision, name);
            using var file = await DownloadRetry.RunAsync(settings, address, () => client.GetAsync(address, 0, cancellation), () => 0, cancellation).ConfigureAwait(false);
            if (file.Response.IsSuccessStatusCode) return file.Commit;
        }
        throw Missing(model, string.Join(" or ", ClipFolder.Configurations));
    }

    private Uri Address(HubReference model, string revision, string name) =>
        new($"{settings.Endpoint.AbsoluteUri.TrimEnd('/')}/{model.Repository}/resolve/{Uri.EscapeDataString(revision)}/{name}");

    private static string FolderName(string revision) => revision.Replace('/', '-');

    private static string? CachedSnapshot(string repository, string revision)
    {
        var reference = Path.Combine(repository, "refs", revision);
        var commit = File.Exists(reference) ? File.ReadAllText(reference).Trim() : FolderName(revision);
        var folder = Path.Combine(repository, "snapshots", Path.GetFileName(commit));
        var whole = ClipFolder.TryFindWeights(folder) is { } weights
            && (!ClipFolder.IsIndex(weights) || ClipFolder.ShardNames(weights).All(name => File.Exists(Path.Combine(folder, name))));
        return whole ? folder : null;
    }

    private static void WriteReference(string repository, string revision, string commit)
    {
        var path = Path.Combine(repository, "refs", revision);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        AtomicFile.WriteText(path, commit);
    }

    private static MvAdapterException Missing(HubReference model, string name) =>
        new($"{model} does not exist on the hub, or has no {name} (404); is it a CLIP model, and its name right?");
}
