using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace MvAdapter.Video;

/// <summary>Writes RGB frames as an H.264 file through an ffmpeg child process.</summary>
public static class VideoEncoder
{
    /// <summary>
    /// Encodes each frame by itself at a constant quantiser, so that a frame decodes to the same pixels wherever it
    /// stands in the file; and on one thread without version marks, so that the same frames give the same bytes.
    /// The file appears under its name only when it is whole.
    /// </summary>
    /// <param name="path">The MP4 file.</param>
    /// <param name="width">Pixels of a row; even.</param>
    /// <param name="height">Rows; even.</param>
    /// <param name="framesPerSecond">The frame rate.</param>
    /// <param name="frames">Rows of R, G, B.</param>
    /// <param name="cancellation">Ends the child process and removes what it wrote.</param>
    public static async Task WriteIntraAsync(string path, int width, int height, int framesPerSecond,
        IEnumerable<byte[]> frames, CancellationToken cancellation)
    {
        var partial = path + ".part";
        using var process = Start(width, height, framesPerSecond, partial);
        try
        {
            var errors = process.StandardError.ReadToEndAsync(cancellation);
            try
            {
                var pipe = process.StandardInput.BaseStream;
                foreach (var frame in frames) await pipe.WriteAsync(frame, cancellation).ConfigureAwait(false);
                pipe.Close();
            }
            catch (IOException)
            {
                // The child ended early; its exit code and what it said tell more than the broken pipe.
            }
            var said = await errors.ConfigureAwait(false);
            await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
            // An interrupt from the keyboard reaches the child as well, and ends it first.
            cancellation.ThrowIfCancellationRequested();
            if (process.ExitCode != 0)
                throw new VideoException(path, $"ffmpeg could not write it: {TextForMessage.Quote(said.Trim(), 200)}");
            File.Move(partial, path, overwrite: true);
        }
        catch
        {
            if (!process.HasExited)
            {
                process.Kill();
                await process.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
            }
            File.Delete(partial);
            throw;
        }
    }

    private static Process Start(int width, int height, int framesPerSecond, string output)
    {
        var start = new ProcessStartInfo("ffmpeg") { RedirectStandardInput = true, RedirectStandardError = true, UseShellExecute = false };
        var rate = framesPerSecond.ToString(CultureInfo.InvariantCulture);
        string[] arguments =
        [
            "-nostdin", "-y", "-v", "error",
            "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", FormattableString.Invariant($"{width}x{height}"), "-r", rate, "-i", "pipe:0",
            "-sws_flags", "bicubic+accurate_rnd+bitexact", "-c:v", "libx264", "-g", "1", "-qp", "18", "-pix_fmt", "yuv420p",
            "-threads", "1", "-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "mp4", Path.GetFullPath(output),
        ];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new MvAdapterException("ffmpeg was not found: install it (on Debian: apt install ffmpeg) and see that PATH names it", e);
        }
    }
}
