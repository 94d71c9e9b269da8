using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using MvAdapter.Datasets.Shapes;
using MvAdapter.Training;
using MvAdapter.Video;

namespace MvAdapter.Datasets;

/// <summary>
/// The built-in benchmark: H.264 files of a shape that does one thing and then another, made so that only the order of
/// the frames tells a caption from its reversal. Validation and test consist of pairs, a video and its exact time
/// reversal: to whoever averages frames the two are the same, so its order accuracy is 50 % by construction.
/// Every video has an odd number of frames n, so that floor((i + 0.5) n / k) takes the same frames from both of a pair.
/// </summary>
public static class MovingShapes
{
    private const string SettingsFile = "moving-shapes.json";
    private const string CaptionsFile = "captions.jsonl";
    private const string LockFile = ".lock";
    private const int Children = 2;

    private static readonly (int Width, int Height)[] FrameSizes = [(96, 96), (128, 96), (96, 128), (112, 112), (128, 128), (144, 96)];
    private static readonly int[] FrameRates = [8, 10, 12, 15, 24];

    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    /// <summary>
    /// Makes the dataset, or what is missing of it: videos that an earlier call with the same settings finished are kept.
    /// </summary>
    /// <param name="folder">Where; it is created when absent, and refused when it holds anything else.</param>
    /// <param name="settings">What; the same settings always give the same bytes.</param>
    /// <param name="progress">Told the number of finished videos.</param>
    /// <param name="cancellation">Stops between frames; a later call goes on from there.</param>
    public static async Task MakeAsync(string folder, MovingShapesSettings settings,
        IProgress<(int Done, int Total)>? progress = null, CancellationToken cancellation = default)
    {
        var plan = MovingShapesPlan.Make(settings);
        try
        {
            await MakeAsync(folder, settings, plan, progress, cancellation).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidFileException(folder, $"cannot be written: {TextForMessage.Quote(e.Message)}", e);
        }
    }

    private static async Task MakeAsync(string folder, MovingShapesSettings settings, IReadOnlyList<PlannedVideo> plan,
        IProgress<(int Done, int Total)>? progress, CancellationToken cancellation)
    {
        using var exclusive = Claim(folder, settings);
        foreach (var split in Enum.GetValues<Split>()) Directory.CreateDirectory(Path.Combine(folder, "videos", split.ToName()));

        var total = plan.Sum(video => video.ReversedFile is null ? 1 : 2);
        var done = 0;
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = Children, CancellationToken = cancellation };
        await Parallel.ForEachAsync(plan, parallel, async (video, token) =>
        {
            await MakeVideoAsync(folder, settings, video, token).ConfigureAwait(false);
            var count = video.ReversedFile is null ? 1 : 2;
            progress?.Report((Interlocked.Add(ref done, count), total));
        }).ConfigureAwait(false);
        // Last, so that its presence says that all is there.
        WriteWhole(Path.Combine(folder, CaptionsFile), string.Concat(plan.SelectMany(Records).Select(record => record + "\n")));
    }

    internal static IEnumerable<Annotation> Read(DatasetOptions options)
    {
        var captions = AnnotationFile.In(options.Annotations, CaptionsFile);
        if (!File.Exists(captions) && File.Exists(Path.Combine(options.Annotations, SettingsFile)))
            throw new InvalidFileException(options.Annotations, "is not finished: run make-dataset again, it goes on where it stopped");
        return CaptionFile.Read(options with { Annotations = captions });
    }

    private static async Task MakeVideoAsync(string folder, MovingShapesSettings settings, PlannedVideo video, CancellationToken cancellation)
    {
        string[] files = video.ReversedFile is null ? [video.File] : [video.File, video.ReversedFile];
        if (files.All(file => File.Exists(Path.Combine(folder, file)))) return;

        var random = SeededRandom.For(settings.Seed, (ulong)video.Split, video.Index);
        var (width, height) = random.Pick(FrameSizes);
        var rate = random.Pick(FrameRates);
        var count = (int)(rate * random.Between(2, 4)) | 1;
        var shape = video.Story.Shape;
        var backdrop = Backdrop.Make(random, settings.Level, shape, width, height);
        var frames = Trajectory.Make(random, video.Story, width, height, count).Select(pose =>
        {
            var frame = backdrop.Copy();
            frame.Draw(shape.Outline, shape.Colour, pose);
            return frame.Pixels;
        }).ToList();

        foreach (var file in files)
        {
            var path = Path.Combine(folder, file);
            if (!File.Exists(path))
                await VideoEncoder.WriteIntraAsync(path, width, height, rate, frames, cancellation).ConfigureAwait(false);
            frames.Reverse();
        }
    }

    private static IEnumerable<string> Records(PlannedVideo video)
    {
        var split = video.Split.ToName();
        yield return JsonSerializer.Serialize(new Record(video.File, video.Story.Caption, split, null), Json);
        if (video.ReversedFile is not null)
            yield return JsonSerializer.Serialize(new Record(video.ReversedFile, video.Story.Reversed.Caption, split, video.File), Json);
    }

    /// <summary>Takes the folder for this process, new or made with the same settings.</summary>
    private static FileStream Claim(string folder, MovingShapesSettings settings)
    {
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, SettingsFile);
        if (!File.Exists(path) && Directory.EnumerateFileSystemEntries(folder).Any(entry => !IsOwn(Path.GetFileName(entry))))
            throw new InvalidFileException(folder, "holds other files: choose a new folder for the dataset");
        FileStream exclusive;
        try
        {
            exclusive = new FileStream(Path.Combine(folder, LockFile), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException e)
        {
            throw new MvAdapterException($"{TextForMessage.Quote(folder)}: another process is making a dataset here; wait for it, or choose another folder", e);
        }
        try
        {
            if (File.Exists(path)) Compare(folder, path, settings);
            else WriteWhole(path, JsonSerializer.Serialize(settings, Json) + "\n");
            return exclusive;
        }
        catch
        {
            exclusive.Dispose();
            throw;
        }
    }

    // What a call that was killed before it wrote its settings may have left.
    private static bool IsOwn(string name) => name is LockFile or SettingsFile + ".part";

    private static void Compare(string folder, string path, MovingShapesSettings settings)
    {
        var wanted = JsonSerializer.SerializeToElement(settings, Json);
        var found = AnnotationFile.ReadJson<Dictionary<string, JsonElement>>(path);
        var differences = from item in wanted.EnumerateObject()
                          let other = found.GetValueOrDefault(item.Name)
                          where other.ValueKind != item.Value.ValueKind || !JsonElement.DeepEquals(other, item.Value)
                          select $"{item.Name} {TextForMessage.Quote(other.ToString(), 40)}, not {item.Value}";
        var text = string.Join("; ", differences);
        if (text.Length > 0)
            throw new InvalidFileException(folder, $"was made with other settings ({text}): choose another folder or the same settings");
    }

    private static void WriteWhole(string path, string text)
    {
        File.WriteAllText(path + ".part", text);
        File.Move(path + ".part", path, overwrite: true);
    }

    private sealed record Record(string Video, string Caption, string Split, string? ReversalOf);
}
