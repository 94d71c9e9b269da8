using System.Diagnostics;
using MvAdapter.Video;

namespace MvAdapter.Tests.Support;

/// <summary>Makes the tests' own videos, and decodes the fixtures' pictures.</summary>
internal static class Ffmpeg
{
    /// <summary>Makes a file from a generated source, such as testsrc=d=2:s=64x48:r=10.</summary>
    public static string Make(string path, string source, params string[] output)
    {
        Run(["-f", "lavfi", "-i", source, .. output, "file:" + path]);
        return path;
    }

    /// <summary>Makes a folder of videos of two seconds, 00.mp4 and so on, each of another colour.</summary>
    public static void MakeColors(string folder, int count)
    {
        Directory.CreateDirectory(folder);
        for (var i = 0; i < count; i++)
            Make(Path.Combine(folder, $"{i:00}.mp4"), $"color=c=0x{i * 20:x2}{255 - i * 20:x2}{i * 53 % 256:x2}:s=64x48:r=10", "-t", "2", "-pix_fmt", "yuv420p");
    }

    /// <summary>Copies a video and says in its header that it is shown turned by a quarter; which way depends on ffmpeg's version.</summary>
    public static string Turn(string plain, string turned)
    {
        // Version 6 has an option of its own for it and no longer takes the tag; version 5 has the tag alone.
        var major = VideoDecoder.ProgramVersion("ffmpeg").TrimStart('n').Split('.')[0];
        var hasOption = !int.TryParse(major, out var version) || version >= 6;
        Run(hasOption ? ["-display_rotation:v:0", "90", "-i", plain, "-c", "copy", turned] : ["-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", turned]);
        return turned;
    }

    /// <summary>Decodes a picture to RGB.</summary>
    public static (byte[] Rgb, int Width, int Height) Picture(string path)
    {
        var ppm = Run(["-i", "file:" + path, "-c:v", "ppm", "-pix_fmt", "rgb24", "-f", "image2pipe", "pipe:1"]);
        var words = System.Text.Encoding.Latin1.GetString(ppm, 0, Math.Min(40, ppm.Length)).Split(['\n', ' '], 5);
        int width = int.Parse(words[1], null), height = int.Parse(words[2], null);
        return (ppm[^(width * height * 3)..], width, height);
    }

    public static byte[] Run(IEnumerable<string> arguments)
    {
        var start = new ProcessStartInfo("ffmpeg", ["-v", "error", "-nostdin", "-y", .. arguments]) { RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        using var output = new MemoryStream();
        process.StandardOutput.BaseStream.CopyTo(output);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
        return output.ToArray();
    }
}
