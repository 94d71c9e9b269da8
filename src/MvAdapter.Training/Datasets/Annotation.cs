namespace MvAdapter.Datasets;

/// <summary>What an annotation file says of one sample, before its video has been looked for.</summary>
internal sealed record Annotation(string Id, IReadOnlyList<string> Captions)
{
    /// <summary>The names that the video may have, the likeliest first.</summary>
    public IReadOnlyList<string> VideoNames { get; init; } = [Id];

    /// <summary>The paths of pictures that stand for the video, in order; null where it is found by name.</summary>
    public IReadOnlyList<string>? Frames { get; init; }

    public double? Start { get; init; }

    public double? End { get; init; }

    /// <summary>Queries that it is a wrong answer to. It may have no caption then.</summary>
    public IReadOnlyList<string> WrongFor { get; init; } = [];

    /// <summary>The id of the sample whose frames this one shows in the opposite order.</summary>
    public string? ReversalOf { get; init; }

    /// <summary>Captions trimmed and without the blank ones; a sample that has none left is an error.</summary>
    public static IReadOnlyList<string> CleanCaptions(string path, string id, IEnumerable<string?> captions)
    {
        List<string> clean = [];
        foreach (var caption in captions)
            if (!string.IsNullOrWhiteSpace(caption)) clean.Add(caption.Trim());
        return clean.Count > 0
            ? clean
            : throw new InvalidFileException(path, $"'{TextForMessage.Quote(id)}' has no caption");
    }

    /// <summary>All sentences as one paragraph, the way paragraph-to-video retrieval takes them.</summary>
    public static IReadOnlyList<string> Paragraph(string path, string id, IEnumerable<string?> sentences) =>
        [string.Join(' ', CleanCaptions(path, id, sentences))];
}
