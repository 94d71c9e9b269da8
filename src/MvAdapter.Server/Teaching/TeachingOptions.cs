using System.Diagnostics;

namespace MvAdapter.Server;

/// <summary>How a server trains: by another process of the program, which it starts and ends.</summary>
/// <param name="Folder">The folder of the runs.</param>
/// <param name="Train">How a run in a folder is started for a collection.</param>
/// <param name="Use">How what a run made is put to use, if need be although it is no better.</param>
public sealed record TeachingOptions(string Folder, Func<string, long, ProcessStartInfo> Train, Func<string, bool, ProcessStartInfo> Use)
{
    /// <summary>Clips with captions that a training takes at least.</summary>
    public int LeastClips { get; init; }

    /// <summary>Videos that they must come from at least.</summary>
    public int LeastVideos { get; init; }
}
