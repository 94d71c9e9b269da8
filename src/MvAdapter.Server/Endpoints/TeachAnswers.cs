using System.ComponentModel;
using System.Text.Json;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>A caption or a mark.</summary>
internal sealed record AnnotationAnswer(
    [property: Description("What to call it to take it back")] string Token,
    [property: Description("caption, right or wrong")] string Kind,
    [property: Description("The caption, or the query")] string Text,
    [property: Description("Whose key said it; empty without keys")] string Who,
    [property: Description("When, UTC")] DateTime At)
{
    public static AnnotationAnswer Of(ClipAnnotation annotation) => new(annotation.Token, annotation.Kind.ToString().ToLowerInvariant(), annotation.Text, annotation.Who, annotation.At);
}

/// <summary>What to keep of a clip.</summary>
internal sealed record AnnotationRequest
{
    [Description("A name of your choice, letters and digits: the same request again is then the same annotation")]
    public string? Token { get; init; }

    [Description("caption, right or wrong")]
    public string? Kind { get; init; }

    [Description("The caption, or the query that the clip answers rightly or wrongly")]
    public string? Text { get; init; }
}

/// <summary>Clips that nobody has captioned yet, those first that teach most.</summary>
internal sealed record TeachAnswer(IReadOnlyList<FoundClip> Clips);

/// <summary>How far teaching is.</summary>
internal sealed record TeachingAnswer(
    [property: Description("Captions")] long Captions,
    [property: Description("Answers marked right")] long Right,
    [property: Description("Answers marked wrong")] long Wrong,
    [property: Description("Clips of this collection with a caption or a right mark")] int Clips,
    [property: Description("Of so many videos")] int Videos,
    [property: Description("Captions and marks whose video has changed or is gone")] int Gone,
    [property: Description("Clips that training takes at least")] int LeastClips,
    [property: Description("Videos that they must come from at least")] int LeastVideos,
    [property: Description("Whether captions and marks can be given")] bool Writable,
    [property: Description("Whether this key may train")] bool MayTrain,
    [property: Description("Whether a training runs")] bool Running,
    [property: Description("What it says, or the last one; null before the first")] JobState? Job,
    [property: Description("What the last one found")] JsonElement? Report);

/// <summary>What to train on.</summary>
internal sealed record TrainRequest
{
    [Description("The collection's number; needed where there are several")]
    public long? Collection { get; init; }

    [Description("With use: even if the adapter is not better beyond the interval")]
    public bool Force { get; init; }
}
