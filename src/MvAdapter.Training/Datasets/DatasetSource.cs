using MvAdapter.Video;

namespace MvAdapter.Datasets;

/// <summary>A kind of dataset that can be loaded by name, and how its annotation files are read.</summary>
public sealed class DatasetSource
{
    private readonly Func<DatasetOptions, IEnumerable<Annotation>> read;

    private DatasetSource(string name, string files, Func<DatasetOptions, IEnumerable<Annotation>> read) =>
        (Name, Files, this.read) = (name, files, read);

    /// <summary>The name that options and configurations use.</summary>
    public string Name { get; }

    /// <summary>The annotation files that are read.</summary>
    public string Files { get; }

    /// <summary>All kinds.</summary>
    public static IReadOnlyList<DatasetSource> All { get; } =
    [
        new("msrvtt", "MSRVTT_data.json, MSRVTT_train.9k.csv, MSRVTT_JSFUSION_test.csv", o => MsrVtt.Read(o, "MSRVTT_train.9k.csv")),
        new("msrvtt-9k", "those of msrvtt", o => MsrVtt.Read(o, "MSRVTT_train.9k.csv")),
        new("msrvtt-7k", "those of msrvtt, but MSRVTT_train.7k.csv", o => MsrVtt.Read(o, "MSRVTT_train.7k.csv")),
        new("msvd", "raw-captions.pkl, train_list.txt, val_list.txt, test_list.txt", o => Msvd.Read(o, MsvdCaptions.Read)),
        new("lsmdc", "LSMDC16_annos_training.csv, LSMDC16_annos_val.csv, LSMDC16_challenge_1000_publictect.csv", Lsmdc.Read),
        new("didemo", "train_data.json, val_data.json, test_data.json and train_list.txt, val_list.txt, test_list.txt", DiDeMo.Read),
        new("activitynet", "train.json, val_1.json, train_ids.json, val_ids.json", ActivityNet.Read),
        new("moving-shapes", "captions.jsonl, as make-dataset writes it", MovingShapes.Read),
        new("frames", "a JSON list of vid, id, caption, frames, or train.json, val.json and test.json of that form", Frames.Read),
        new("captions", "a JSONL, CSV or TSV file of video, caption[, start, end, split, kind]", CaptionFile.Read),
    ];

    /// <summary>The kind of that name; for an unknown one the message suggests the nearest.</summary>
    public static DatasetSource Find(string name)
    {
        var found = All.FirstOrDefault(source => source.Name.Equals(name, StringComparison.OrdinalIgnoreCase));
        if (found is not null) return found;
        var names = All.Select(source => source.Name).ToList();
        throw new UsageException($"unknown dataset '{TextForMessage.Quote(name, 80)}': did you mean {NearestName.Of(name, names)}? " +
            $"Known: {string.Join(", ", names)}");
    }

    /// <summary>Loads one split of the dataset of that name.</summary>
    public static Dataset Load(string name, DatasetOptions options) => Find(name).Load(options);

    /// <summary>Reads the annotations and finds their videos.</summary>
    /// <exception cref="InvalidFileException">The annotations are missing, malformed or without a sample of the split, or no video is found.</exception>
    public Dataset Load(DatasetOptions options) => LoadUnlessEmpty(options)
        ?? throw new InvalidFileException(options.Annotations, $"has no sample of the split {options.Split.ToName()}");

    /// <summary>The same, but null where the annotations have no sample of the split.</summary>
    /// <exception cref="InvalidFileException">The annotations are missing or malformed, or no video is found.</exception>
    public Dataset? LoadUnlessEmpty(DatasetOptions options)
    {
        var annotations = read(options).ToList();
        if (annotations.TrueForAll(annotation => annotation.Captions.Count == 0)) return null;
        var root = options.Videos ?? (File.Exists(options.Annotations)
            ? Path.GetDirectoryName(Path.GetFullPath(options.Annotations))!
            : options.Annotations);
        var dataset = FindVideos(annotations, new VideoFolder(root), options.Split);
        if (dataset.Samples.Count == 0)
            throw new InvalidFileException(root, $"no video of {Name} ({options.Split.ToName()}) found; " +
                $"{dataset.MissingSummary}. Name the folder of the videos");
        if (options.Strict && dataset.MissingSummary is { } missing)
            throw new InvalidFileException(root, $"{missing}. Add them, or leave --strict out to go on without");
        return dataset;
    }

    private Dataset FindVideos(List<Annotation> annotations, VideoFolder videos, Split split)
    {
        List<Sample> samples = [];
        List<string> missing = [];
        List<WrongAnswer> wrong = [];
        Dictionary<string, int> indices = new(StringComparer.Ordinal);
        foreach (var annotation in annotations)
        {
            var pictures = annotation.Frames?.Select(videos.FindPicture).ToList();
            var path = pictures is null ? annotation.VideoNames.Select(videos.Find).FirstOrDefault(found => found is not null)
                : pictures.Contains(null) ? null : Path.GetDirectoryName(pictures[0]);
            if (path is null)
            {
                if (annotation.Captions.Count > 0) missing.Add(annotation.Id);
                continue;
            }
            wrong.AddRange(annotation.WrongFor.Select(query => new WrongAnswer(new VideoClip(path, annotation.Start, annotation.End), query)));
            if (annotation.Captions.Count == 0) continue;
            indices.TryAdd(annotation.Id, samples.Count);
            samples.Add(new Sample(annotation.Id, path, annotation.Start, annotation.End, annotation.Captions, split) { Pictures = pictures?.OfType<string>().ToList() });
        }
        List<ReversalPair> pairs = [];
        foreach (var annotation in annotations)
            if (annotation.ReversalOf is { } original
                && indices.TryGetValue(original, out var video) && indices.TryGetValue(annotation.Id, out var reversed))
                pairs.Add(new ReversalPair(video, reversed));
        return new Dataset(Name, split, samples, missing) { ReversalPairs = pairs, WrongAnswers = wrong };
    }
}
