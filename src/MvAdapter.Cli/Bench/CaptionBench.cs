using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary><c>bench captions</c>: a list of captions as it is encoded, beside the plain way that pads each to the same length.</summary>
internal static class CaptionBench
{
    private const int Words = 32;
    private const int AtOnce = 64;

    public static Command Create()
    {
        var command = new Command("captions", $"""
            Encoding a list of captions, tokens included: padded to {Words} tokens in plain float32, and as it is done: captions
            of similar length together, cut to the longest, in float32 and bfloat16. The three alternate.

            Example:
              ./run bench captions --captions captions.txt --vocabulary bpe_simple_vocab_16e6.txt.gz
            """);
        var captions = new Option<string>("--captions") { Description = "One caption a line, or a JSON array", HelpName = "FILE", Required = true };
        var vocabulary = new Option<string>("--vocabulary") { Description = "CLIP's BPE vocabulary", HelpName = "FILE", Required = true };
        var clip = new Option<string>("--clip") { Description = string.Join(", ", ClipConfig.Presets.Keys), DefaultValueFactory = _ => "ViT-B/16", HelpName = "NAME" };
        var repeats = new Option<int>("--repeats") { Description = "Measurements", DefaultValueFactory = _ => 3, HelpName = "N" };
        var threads = new Option<int?>("--threads") { Description = "Threads of the model's work (by default one a core)", HelpName = "N" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { captions, vocabulary, clip, repeats, threads, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            ModelOptions.SetThreads(parsed.GetValue(threads));
            if (parsed.GetValue(repeats) < 1) throw new UsageException("--repeats must be at least 1");
            var texts = InputList.Read(parsed.GetValue(captions)!);
            if (texts.Count == 0) throw new UsageException("--captions holds no caption");
            var tokenizer = ClipTokenizer.Load(parsed.GetValue(vocabulary)!);
            BenchCommand.Print(Run(ClipConfig.Preset(parsed.GetValue(clip)!), tokenizer, texts, parsed.GetValue(repeats), cancellation), parsed.GetValue(json));
            return ExitCode.Success;
        });
        return command;
    }

    /// <summary>One way, and its ratio to the plain one beside it.</summary>
    internal sealed record Way(string Name, double Seconds, double CaptionsPerSecond, double Ratio, double LeastRatio, double MostRatio, double LeastCosine);

    internal sealed record Figures(int Captions, double MeanTokens, IReadOnlyList<Way> Ways)
    {
        public override string ToString()
        {
            var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"{Captions} captions of {MeanTokens:0.0} tokens on average"));
            foreach (var way in Ways)
                text.Append(CultureInfo.InvariantCulture,
                    $"\n{way.Name,-18} {way.Seconds,8:0.00} s  {way.CaptionsPerSecond,6:0} captions/s  {way.Ratio:0.00} times the plain speed ({way.LeastRatio:0.00} to {way.MostRatio:0.00})  least cosine {way.LeastCosine:0.00000}");
            return text.ToString();
        }
    }

    private static Figures Run(ClipConfig clip, ClipTokenizer tokenizer, List<string> texts, int repeats, CancellationToken cancellation)
    {
        if (tokenizer.VocabularySize > clip.VocabularySize)
            throw new UsageException($"the vocabulary has {tokenizer.VocabularySize} tokens, this CLIP {clip.VocabularySize}");
        using var backbone = ClipModel.CreateRandom(clip, 0);
        using var exact = RetrievalModel.Create(backbone, Methods.Find("mv-adapter").Create(clip));
        using var half = RetrievalModel.Create(backbone, Methods.Find("mv-adapter").Create(clip), DType.BFloat16);
        var sampling = new FrameSampling();
        var ways = new (string Name, Func<float[]> Encode)[]
        {
            ("plain fp32, padded", () => Padded(exact, tokenizer, texts, cancellation)),
            ("fp32, cut", () => new VideoTextEncoder(exact, tokenizer, sampling, Words).EncodeTexts(texts, cancellation)),
            ("bf16, cut", () => new VideoTextEncoder(half, tokenizer, sampling, Words).EncodeTexts(texts, cancellation)),
        };
        var seconds = ways.Select(_ => new List<double>()).ToArray();
        var cosines = new double[ways.Length];
        try
        {
            for (var repeat = -1; repeat < repeats; repeat++)   // the first one warms up
            {
                float[]? plain = null;
                for (var i = 0; i < ways.Length; i++)
                {
                    Fused.Enabled = i > 0;
                    var clock = Stopwatch.StartNew();
                    var embeddings = ways[i].Encode();
                    if (repeat >= 0) seconds[i].Add(clock.Elapsed.TotalSeconds);
                    plain ??= embeddings;
                    cosines[i] = LeastCosine(plain, embeddings, clip.EmbeddingWidth);
                }
            }
        }
        finally
        {
            Fused.Enabled = true;
        }
        return new Figures(texts.Count, texts.Average(text => Math.Min(Words, tokenizer.Encode(text).Count + 2)), [.. ways.Select((way, i) =>
        {
            var ratios = seconds[0].Zip(seconds[i], (plain, other) => plain / other).ToList();
            var median = BenchCommand.Median(seconds[i]);
            return new Way(way.Name, median, texts.Count / median, BenchCommand.Median(ratios), ratios.Min(), ratios.Max(), cosines[i]);
        })]);
    }

    private static float[] Padded(RetrievalModel model, ClipTokenizer tokenizer, List<string> texts, CancellationToken cancellation) => [.. texts.Chunk(AtOnce).SelectMany(batch =>
    {
        cancellation.ThrowIfCancellationRequested();
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        return model.EncodeTexts(Tensor.From(tokenizer.EncodeBatch(batch, Words), batch.Length, Words)).ToFloats();
    })];

    // Both are normalised.
    private static double LeastCosine(float[] a, float[] b, int width) => Enumerable.Range(0, a.Length / width)
        .Min(row => System.Numerics.Tensors.TensorPrimitives.CosineSimilarity(a.AsSpan(row * width, width), b.AsSpan(row * width, width)));
}
