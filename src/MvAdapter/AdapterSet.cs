using MvAdapter.Clip;
using MvAdapter.Video;

namespace MvAdapter;

/// <summary>
/// Many tasks over one CLIP in memory. Each task is an encoder of its own that shares the frozen weights with all others,
/// so changing the task is looking up a name. Tasks come and go while others are in use: calls wait for each other. As
/// with every model, encode on one thread.
/// </summary>
public sealed class AdapterSet : IDisposable
{
    private readonly Lock gate = new();
    private readonly Dictionary<string, VideoTextEncoder> encoders = new(StringComparer.Ordinal);
    private readonly VideoTextEncoder backbone;   // zero-shot; it owns the CLIP
    private readonly ModelSource source;

    private AdapterSet(VideoTextEncoder backbone, ModelSource source) => (this.backbone, this.source) = (backbone, source);

    /// <summary>The tasks' names, in ordinal order.</summary>
    public IReadOnlyList<string> Tasks
    {
        get
        {
            lock (gate) return [.. encoders.Keys.Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>The length E of an embedding.</summary>
    public int Width => backbone.Width;

    /// <summary>The encoder of a task; it is good until the task is removed.</summary>
    /// <exception cref="UsageException">No task has that name; the line suggests the nearest.</exception>
    public VideoTextEncoder this[string task]
    {
        get
        {
            lock (gate) return Find(task);
        }
    }

    /// <summary>Loads a CLIP and the adapters over it.</summary>
    /// <param name="clip">The CLIP and how to run it. What it says of frames, words and sampling holds for all tasks.</param>
    /// <param name="adapters">The adapters' files by the tasks' names.</param>
    /// <param name="progress">Told of downloads.</param>
    /// <param name="cancellation">Ends downloads.</param>
    /// <exception cref="MvAdapterException">A file is missing, damaged or for another CLIP, or a name is there twice.</exception>
    public static AdapterSet Load(
        ModelSource clip, IEnumerable<KeyValuePair<string, string>> adapters,
        IProgress<DownloadProgress>? progress = null, CancellationToken cancellation = default)
    {
        if (clip.Adapter is not null) throw new UsageException("a set of adapters takes each by a name: leave out the source's own");
        var set = new AdapterSet(VideoTextEncoder.Load(clip, progress, cancellation), clip);
        try
        {
            foreach (var (name, path) in adapters) set.Add(name, path);
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <summary>Adds a task.</summary>
    /// <param name="task">Its name.</param>
    /// <param name="path">Its adapter's file.</param>
    /// <exception cref="UsageException">The name is empty or taken.</exception>
    /// <exception cref="InvalidFileException">The file is damaged, or for another CLIP.</exception>
    public void Add(string task, string path)
    {
        if (task.Length == 0) throw new UsageException($"the task of {TextForMessage.Quote(path)} has an empty name");
        Add(task, source with { Adapter = path });
    }

    /// <summary>Adds a task with frames, words and sampling of its own; without an adapter it is zero-shot.</summary>
    /// <param name="task">Its name.</param>
    /// <param name="other">What it takes. The CLIP, the vocabulary and where they run stay the set's.</param>
    /// <exception cref="MvAdapterException">The name is taken, or the file damaged or for another CLIP.</exception>
    public void Add(string task, ModelSource other)
    {
        lock (gate)
        {
            if (encoders.ContainsKey(task)) throw new UsageException($"there is a task '{TextForMessage.Quote(task, 60)}' already; remove it first, or choose another name");
            encoders.Add(task, VideoTextEncoder.Over(backbone.Model.Clip, backbone.Tokenizer, other));
        }
    }

    /// <summary>Removes a task and frees its adapter, after the work that is being done.</summary>
    /// <exception cref="UsageException">No task has that name; the line suggests the nearest.</exception>
    public void Remove(string task)
    {
        lock (gate)
        {
            Find(task).Dispose();
            encoders.Remove(task);
        }
    }

    /// <summary>Encodes texts of several tasks: [texts, E] in the order given, each L2-normalised and as if it were alone.</summary>
    /// <param name="texts">The texts.</param>
    /// <param name="tasks">The task of each.</param>
    /// <param name="cancellation">Ends the work between batches.</param>
    /// <exception cref="UsageException">A task is unknown, or there is not one for each text.</exception>
    public float[] EncodeTexts(IReadOnlyList<string> texts, IReadOnlyList<string> tasks, CancellationToken cancellation = default)
    {
        var result = new float[texts.Count * Width];
        ForEachTask(texts, tasks, (encoder, group, rows) =>
        {
            var embeddings = encoder.EncodeTexts(group, cancellation);
            for (var i = 0; i < rows.Length; i++) embeddings.AsSpan(i * Width, Width).CopyTo(result.AsSpan(rows[i] * Width));
        });
        return result;
    }

    /// <summary>Encodes clips of several tasks, in the order given; each is read as its task's training read it.</summary>
    /// <param name="clips">The clips.</param>
    /// <param name="tasks">The task of each.</param>
    /// <param name="cancellation">Ends the work between clips.</param>
    /// <exception cref="UsageException">A task is unknown, or there is not one for each clip.</exception>
    public IReadOnlyList<EncodedVideo> EncodeVideos(IReadOnlyList<VideoClip> clips, IReadOnlyList<string> tasks, CancellationToken cancellation = default) =>
        EncodeVideos(clips, tasks, (encoder, group) => encoder.EncodeVideos(group, cancellation));

    /// <summary>Encodes clips that were read already, each with its task's sampling.</summary>
    /// <param name="videos">The clips' pictures.</param>
    /// <param name="tasks">The task of each.</param>
    /// <exception cref="UsageException">A task is unknown, or there is not one for each clip.</exception>
    public IReadOnlyList<EncodedVideo> EncodeVideos(IReadOnlyList<VideoFrames> videos, IReadOnlyList<string> tasks) =>
        EncodeVideos(videos, tasks, static (encoder, group) => encoder.EncodeVideos(group));

    /// <summary>Frees all tasks and the CLIP.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            foreach (var encoder in encoders.Values) encoder.Dispose();
            encoders.Clear();
            backbone.Dispose();
        }
    }

    private EncodedVideo[] EncodeVideos<T>(IReadOnlyList<T> videos, IReadOnlyList<string> tasks, Func<VideoTextEncoder, T[], IEnumerable<EncodedVideo>> encode)
    {
        var result = new EncodedVideo[videos.Count];
        ForEachTask(videos, tasks, (encoder, group, rows) =>
        {
            foreach (var (i, encoded) in encode(encoder, group).Index()) result[rows[i]] = encoded;
        });
        return result;
    }

    // A task has biases of its own in every layer, so rows of different tasks have no product in common but the frozen
    // weights' own; going task by task is exact and needs no second way through the model.
    private void ForEachTask<T>(IReadOnlyList<T> items, IReadOnlyList<string> tasks, Action<VideoTextEncoder, T[], int[]> encode)
    {
        if (items.Count != tasks.Count) throw new UsageException($"{items.Count} items and {tasks.Count} tasks: name the task of each");
        lock (gate)
        {
            foreach (var task in tasks) Find(task);   // before any work
            foreach (var group in Enumerable.Range(0, items.Count).GroupBy(i => tasks[i], StringComparer.Ordinal))
            {
                int[] rows = [.. group];
                encode(encoders[group.Key], [.. rows.Select(i => items[i])], rows);
            }
        }
    }

    private VideoTextEncoder Find(string task) => encoders.TryGetValue(task, out var encoder) ? encoder
        : throw new UsageException($"no task is called '{TextForMessage.Quote(task, 60)}'" + (encoders.Count == 0 ? ": the set is empty"
            : $": did you mean {TextForMessage.Quote(NearestName.Of(task, encoders.Keys), 60)}? There is {TextForMessage.Quote(string.Join(", ", encoders.Keys.Order(StringComparer.Ordinal)))}"));
}
