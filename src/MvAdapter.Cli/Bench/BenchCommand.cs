using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;

namespace MvAdapter.Cli;

/// <summary><c>bench</c>: what this machine does, each work a command of its own.</summary>
internal static class BenchCommand
{
    /// <summary>How results are printed for programs.</summary>
    public static JsonSerializerOptions Json { get; } = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static Command Create() => new("bench", """
        Measures speed and memory on this machine, with random weights and vectors where it needs some. What is compared
        alternates within one run, so that a ratio is of one machine in one state.

        Examples:
          ./run bench encode
          ./run bench index --videos ~/videos
          ./run bench train --clip ViT-B/32 --videos 2 --json
          ./run bench search --vectors 1000000 --width 512
        """)
    {
        ModelBench.Create("encode", "Encoding videos: the plain float32 path, and the fast ones in float32 and bfloat16"),
        ModelBench.Create("text", "Encoding captions, in the same three ways"),
        CaptionBench.Create(),
        ModelBench.Create("train", "One training step of MV-Adapter, in float32 and bfloat16"),
        ModelBench.Create("all", "encode, text and train"),
        TaskBench.Create(),
        VideoBench.CreateDecode(),
        VideoBench.CreateIndex(),
        SearchBench.Create(),
        ApproximateBench.Create(),
        PostgresBench.Create(),
        BenchServeCommand.Create(),
    };

    /// <summary>The middle of measurements.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The seconds that a work takes.</summary>
    public static double Clock(Action work)
    {
        var clock = Stopwatch.StartNew();
        work();
        return clock.Elapsed.TotalSeconds;
    }

    /// <summary>Prints what was measured, for people or for programs.</summary>
    public static void Print<T>(T result, bool json) => Console.WriteLine(json ? JsonSerializer.Serialize(result, Json) : result);
}
