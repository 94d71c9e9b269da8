using System.Globalization;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Video;

/// <summary>Small videos, made once for all tests of a class.</summary>
public sealed class FrameCacheVideos : IDisposable
{
    private readonly TemporaryFolder folder = new();

    /// <summary>A video of so many seconds.</summary>
    public string PathOf(int seconds)
    {
        var path = folder.File(string.Create(CultureInfo.InvariantCulture, $"{seconds}.mp4"));
        return File.Exists(path) ? path : Ffmpeg.Make(path, $"testsrc=d={seconds}:s=32x24:r=5");
    }

    public void Dispose() => folder.Dispose();
}
