using MvAdapter.Video;

namespace MvAdapter.Datasets;

/// <summary>A video, or a clip of one, and what is said of it.</summary>
/// <param name="Id">The dataset's own name of it, unique within a split.</param>
/// <param name="VideoPath">The file, or the folder of pictures.</param>
/// <param name="Start">Where the clip begins, in seconds; null: at the video's start.</param>
/// <param name="End">Where the clip ends, in seconds; null: at the video's end.</param>
/// <param name="Captions">One or several captions, none of them blank.</param>
/// <param name="Split">The part of the dataset that it belongs to.</param>
public sealed record Sample(
    string Id, string VideoPath, double? Start, double? End, IReadOnlyList<string> Captions, Split Split)
{
    /// <summary>What is to be read of the file.</summary>
    public VideoClip Clip => new(VideoPath, Start, End) { Pictures = Pictures };

    /// <summary>The pictures that the video is made of, where the dataset lists them; null for the file or folder itself.</summary>
    public IReadOnlyList<string>? Pictures { get; init; }
}

/// <summary>A video and one of its captions: what a training batch is made of.</summary>
public readonly record struct TrainingPair(Sample Sample, string Caption)
{
    /// <summary>A clip that somebody has called a wrong answer to the caption, to be told from the right one; null for none.</summary>
    public VideoClip? WrongAnswer { get; init; }
}

/// <summary>A clip that somebody has called a wrong answer to a query.</summary>
public sealed record WrongAnswer(VideoClip Clip, string Query);

/// <summary>The indices of two samples whose videos are each other's exact time reversal.</summary>
public readonly record struct ReversalPair(int Video, int Reversed);
