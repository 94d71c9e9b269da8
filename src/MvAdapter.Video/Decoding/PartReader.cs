namespace MvAdapter.Video;

/// <summary>Makes the model's picture of a decoded frame.</summary>
internal delegate byte[] PictureMaker(ReadOnlySpan<byte> rgb, int width, int height);

/// <summary>
/// Reads many clips of one video in few passes over it. Clip by clip, a container in which frames cannot be sought
/// would be decoded from its beginning for each. The frames are those that reading each clip by itself would take.
/// </summary>
internal sealed class PartReader(VideoDecoder decoder, FrameSampling sampling, PictureMaker picture, Func<VideoClip, CancellationToken, VideoFrames> readOne)
{
    /// <summary>A pass names its frames on ffmpeg's command line, whose length is limited.</summary>
    private const int FramesPerPass = 1000;

    /// <summary>Hands over the clips, which are in the order of time, one after another as soon as each is whole.</summary>
    public void Read(IReadOnlyList<VideoClip> clips, Action<VideoFrames> take, CancellationToken cancellation)
    {
        var done = clips.Count > 1 ? InPasses(clips, take, cancellation) : 0;
        // What a pass did not reach: the video is shorter than it says, or damaged. Read by itself, a clip says which.
        VideoException? fault = null;
        for (; done < clips.Count; done++)
        {
            var frames = fault is null ? readOne(clips[done], cancellation) : new VideoFrames(clips[done], fault);
            fault ??= frames.Error;
            take(frames);
        }
    }

    // The number of clips handed over.
    private int InPasses(IReadOnlyList<VideoClip> clips, Action<VideoFrames> take, CancellationToken cancellation)
    {
        var done = 0;
        try
        {
            var info = decoder.Probe(clips[0].Path, cancellation);
            while (done < clips.Count)
            {
                var parts = Pass(clips.Skip(done), info);
                if (parts.Count == 0 || !InOnePass(clips[0].Path, info, parts, take, cancellation, ref done)) break;
            }
        }
        catch (VideoException)
        {
            // Told again by the clip that is read next.
        }
        return done;
    }

    private List<Part> Pass(IEnumerable<VideoClip> clips, VideoInfo info)
    {
        var parts = new List<Part>();
        var frames = 0;
        foreach (var clip in clips)
        {
            var numbers = FrameSampler.FrameNumbers(sampling, info, clip);
            frames += numbers.Length;
            if (numbers.Length == 0 || (parts.Count > 0 && frames > FramesPerPass)) break;
            parts.Add(new Part(clip, numbers));
        }
        return parts;
    }

    private bool InOnePass(string path, VideoInfo info, List<Part> parts, Action<VideoFrames> take, CancellationToken cancellation, ref int done)
    {
        int[] numbers = [.. parts.SelectMany(part => part.Numbers).Distinct().Order()];
        var waiting = new Queue<Part>(parts);
        var taken = 0;
        decoder.Decode(path, info, numbers, (index, rgb, width, height) =>
        {
            var pixels = picture(rgb, width, height);
            foreach (var part in waiting) part.Add(numbers[index], pixels);
            for (; waiting.TryPeek(out var first) && first.IsWhole; taken++) take(waiting.Dequeue().Frames(info.FramesPerSecond));
        }, cancellation);
        done += taken;
        return waiting.Count == 0;
    }

    private sealed class Part(VideoClip clip, int[] numbers)
    {
        private readonly List<byte[]> pictures = [];

        public int[] Numbers => numbers;

        public bool IsWhole => pictures.Count == numbers.Length;

        public void Add(int number, byte[] pixels)
        {
            if (!IsWhole && numbers[pictures.Count] == number) pictures.Add(pixels);
        }

        public VideoFrames Frames(double rate) => new(clip, pictures, new TakenFrames(numbers, rate));
    }
}
