using MvAdapter.Tests.Support;
using MvAdapter.Video;

namespace MvAdapter.Tests.Video;

/// <summary>Videos of high dynamic range, as phones make them.</summary>
public sealed class HdrTests : IDisposable
{
    private const string Scene = "testsrc2=d=2:s=320x240:r=10,format=yuv420p,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv";
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("arib-std-b67")]
    [InlineData("smpte2084")]
    public void Look_as_they_do_on_a_screen(string transfer)
    {
        Assert.SkipUnless(System.Text.Encoding.UTF8.GetString(Ffmpeg.Run(["-filters"])).Contains(" zscale ", StringComparison.Ordinal), "this ffmpeg is built without zimg");
        var plain = Read(Ffmpeg.Make(folder.File("plain.mkv"), Scene + ",scale=in_color_matrix=bt709,format=gbrp", "-c:v", "ffv1"));
        var hdr = Ffmpeg.Make(folder.File("hdr.mp4"), $"{Scene},zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt2020:t={transfer}:m=bt2020nc:r=tv:npl=203,format=yuv420p10le",
            "-c:v", "libx265", "-x265-params", $"colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:log-level=error");
        var untold = folder.File("untold.mp4");   // the same without a word of it
        Ffmpeg.Run(["-i", hdr, "-c", "copy", "-bsf:v", "hevc_metadata=transfer_characteristics=1:colour_primaries=1:matrix_coefficients=1", untold]);
        var (mapped, raw) = (Distance(plain, Read(hdr)), Distance(plain, Read(untold)));
        Assert.InRange(mapped, 0, raw / 3);
    }

    private static byte[] Read(string path) => new VideoReader(new ImageProcessor(64), new FrameSampling()).Read(new VideoClip(path)).Pixels;

    // Of one picture's numbers from the other's, on average.
    private static double Distance(byte[] a, byte[] b)
    {
        Assert.Equal(a.Length, b.Length);
        return a.Zip(b).Average(pair => Math.Abs(pair.First - pair.Second));
    }
}
