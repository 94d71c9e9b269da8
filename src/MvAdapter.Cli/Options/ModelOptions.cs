using System.CommandLine;
using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary>What a command lets one say of the model beside the CLIP.</summary>
[Flags]
internal enum ModelChoices
{
    /// <summary>The adapter.</summary>
    Adapter = 1,

    /// <summary>Which frames and words go in.</summary>
    Input = 2,

    /// <summary>The type of products.</summary>
    Precision = 4,

    /// <summary>All of these.</summary>
    All = Adapter | Input | Precision,
}

/// <summary>The options that say which model to load and how to run it, shared by the commands that need one.</summary>
internal sealed class ModelOptions
{
    private readonly Option<string?> clip = new("--clip")
    {
        Description = "CLIP: OpenAI's .pt, a folder of Hugging Face's or OpenCLIP's form, a .safetensors, or hf:openai/clip-vit-base-patch16",
        HelpName = "PATH|hf:NAME",
    };

    private readonly Option<string?> activation = ActivationOption();

    private readonly Option<string?> vocabulary = new("--vocabulary")
    {
        Description = "BPE vocabulary (bpe_simple_vocab_16e6.txt[.gz], or a folder with vocab.json and merges.txt); by default looked for beside the CLIP, in the cache, then downloaded",
        HelpName = "FILE",
    };

    private readonly Option<string?> adapter = new("--adapter") { Description = "Adapter checkpoint: .safetensors, or a published .pth", HelpName = "FILE" };
    private readonly Option<string?> preset = new("--preset") { Description = $"Settings of a published adapter file, which carries none: {string.Join(", ", MvAdapterConfig.Presets.Keys)}", HelpName = "NAME" };
    private readonly Option<string?> adapterConfig = new("--adapter-config") { Description = "The same from a JSON file", HelpName = "FILE" };
    private readonly Option<int?> words = new("--words") { Description = "Most tokens of a caption (by default that of the adapter's training, else 32)", HelpName = "N" };
    private readonly Option<int?> mergeTokens = new("--merge-tokens") { Description = "Patch tokens of each frame that every block merges with others alike: faster, not the same (by default as in the adapter's training, else 0)", HelpName = "R" };
    private readonly SamplingOptions? sampling;
    private readonly MachineOptions machine;

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">The command.</param>
    /// <param name="choices">Which options it gets besides those every command has.</param>
    /// <param name="needsClip">Whether it does nothing without a CLIP.</param>
    /// <param name="needsAdapter">Whether it does nothing without an adapter.</param>
    public ModelOptions(Command command, ModelChoices choices = ModelChoices.All, bool needsClip = true, bool needsAdapter = false)
    {
        (clip.Required, adapter.Required) = (needsClip, needsAdapter);
        command.Add(clip);
        command.Add(activation);
        command.Add(vocabulary);
        if (choices.HasFlag(ModelChoices.Adapter))
        {
            command.Add(adapter);
            command.Add(preset);
            command.Add(adapterConfig);
        }
        if (choices.HasFlag(ModelChoices.Input))
        {
            sampling = new SamplingOptions(command, "that of the adapter's training, else ");
            command.Add(words);
            command.Add(mergeTokens);
        }
        machine = new MachineOptions(command, choices.HasFlag(ModelChoices.Precision));
    }

    /// <summary>The device as it was named.</summary>
    public string DeviceName(ParseResult parsed) => machine.DeviceName(parsed);

    /// <summary>Loads the encoder, with a bar for what must be downloaded.</summary>
    public VideoTextEncoder Load(ParseResult parsed, CancellationToken cancellation) => Load(Source(parsed), cancellation);

    /// <summary>Loads the encoder of a source, with a bar for what must be downloaded.</summary>
    public static VideoTextEncoder Load(ModelSource source, CancellationToken cancellation)
    {
        using var progress = new DownloadDisplay();
        return VideoTextEncoder.Load(source, progress, cancellation);
    }

    /// <summary>The option for a CLIP whose files do not say their activation.</summary>
    public static Option<string?> ActivationOption() =>
        new("--activation") { Description = "Activation of the CLIP's blocks, gelu or quick_gelu, where its files do not say it", HelpName = "NAME" };

    /// <summary>The activation of that name; null for none.</summary>
    public static ActivationFunction? ParseActivation(string? name) => name is null ? null : Activation.Parse(name);

    /// <summary>The adapter's file; null when none is named.</summary>
    public string? Adapter(ParseResult parsed) => parsed.GetValue(adapter);

    /// <summary>Whether the model is named.</summary>
    public bool IsNamed(ParseResult parsed) => parsed.GetValue(clip) is not null;

    /// <summary>Sets the threads and reads the options.</summary>
    public ModelSource Source(ParseResult parsed)
    {
        if (parsed.GetValue(mergeTokens) is < 0) throw new UsageException("--merge-tokens must not be negative; 0 merges none");
        if (parsed.GetValue(words) is < 3) throw new UsageException("--words must be at least 3: start, one token, end");
        return OnThisMachine(parsed, new ModelSource(parsed.GetValue(clip) ?? throw new UsageException("the model is not named: give --clip"))
        {
            Activation = ParseActivation(parsed.GetValue(activation)),
            Vocabulary = parsed.GetValue(vocabulary),
            Adapter = parsed.GetValue(adapter),
            AdapterConfig = AdapterSettings(parsed),
            Frames = sampling?.Frames(parsed),
            Words = parsed.GetValue(words),
            Strategy = sampling?.Strategy(parsed),
            FramesPerSecond = sampling?.FramesPerSecond(parsed),
            FrameRule = sampling?.Rule(parsed),
            PictureRate = sampling?.PictureRate(parsed),
            MergeTokens = parsed.GetValue(mergeTokens),
        });
    }

    /// <summary>Sets the threads, and the device and precision of a model that something else names.</summary>
    public ModelSource OnThisMachine(ParseResult parsed, ModelSource source) => machine.Apply(parsed, source);

    /// <summary>Refuses options of the model's where the model itself is not named.</summary>
    public void RefuseWithoutClip(ParseResult parsed)
    {
        Option[] model = [activation, vocabulary, adapter, preset, adapterConfig, words, .. sampling?.All ?? []];
        if (model.FirstOrDefault(option => parsed.GetResult(option) is { Implicit: false }) is { } option)
            throw new UsageException($"{option.Name} belongs to a model: name that too by --clip, or leave both out for the index's own");
    }

    /// <summary>The settings of a published adapter file; null when none are given.</summary>
    public MvAdapterConfig? AdapterSettings(ParseResult parsed) => AdapterSettings(parsed.GetValue(preset), parsed.GetValue(adapterConfig));

    /// <summary>The settings that a preset or a file names; null when neither is given.</summary>
    public static MvAdapterConfig? AdapterSettings(string? preset, string? file)
    {
        if (preset is not null && file is not null) throw new UsageException("give --preset or --adapter-config, not both");
        if (preset is not null) return MvAdapterConfig.Preset(preset);
        if (file is null) return null;
        if (!File.Exists(file)) throw new InvalidFileException(file, "there is no such file");
        return MvAdapterConfig.FromJson(File.ReadAllText(file), file);
    }

    /// <summary>Sets the threads of the model's work.</summary>
    public static void SetThreads(int? threads)
    {
        // libtorch's own default counts physical cores, and takes virtual machines' two for one.
        if (threads is null && Environment.GetEnvironmentVariable("OMP_NUM_THREADS") is { Length: > 0 }) return;
        var count = threads ?? WorkerOptions.ShareOfThreads ?? Environment.ProcessorCount;
        if (count is < 1 or > 1024) throw new UsageException($"--threads {count}: give a number from 1 to 1024");
        // One limit for both. They share the cores: decoders run ahead by a few clips and then wait for the model.
        (TorchRuntime.Threads, VideoReader.DefaultParallelism) = (count, count);
    }

    /// <summary>Reads a device and refuses one that is not there.</summary>
    public static Device ParseDevice(string text)
    {
        if (WorkerOptions.OwnGpu(text) is { } own) return own;
        Device device;
        try
        {
            device = Device.Parse(text);
        }
        catch (FormatException e)
        {
            throw new UsageException(e.Message);
        }
        if (device.IsCuda && device.Index >= TorchRuntime.CudaDevices)
            throw new UsageException($"--device {text}: this libtorch sees {TorchRuntime.CudaDevices} GPUs; use --device cpu, or set LIBTORCH to a build with CUDA (see ./run doctor)");
        return device;
    }

    /// <summary>Reads a list of devices, or <c>all</c> for every GPU.</summary>
    public static Device[] ParseDevices(string text)
    {
        if (text == "all")
            return TorchRuntime.CudaDevices > 0 ? [.. Enumerable.Range(0, TorchRuntime.CudaDevices).Select(Device.Cuda)]
                : throw new UsageException("--device all: this libtorch sees no GPU; use --device cpu, or set LIBTORCH to a build with CUDA (see ./run doctor)");
        Device[] devices = [.. text.Split(',').Select(ParseDevice)];
        return devices.Distinct().Count() == devices.Length ? devices : throw new UsageException($"--device {TextForMessage.Quote(text, 60)} names a device twice");
    }

    private sealed class DownloadDisplay : IProgress<DownloadProgress>, IDisposable
    {
        private Terminal.Progress? bar;
        private string file = "";

        public void Report(DownloadProgress value)
        {
            const int megabyte = 1 << 20;
            if (value.File != file)
            {
                bar?.Dispose();
                bar = Terminal.Begin($"downloading {value.File}, MB", (value.BytesTotal ?? 0) / megabyte);
                file = value.File;
            }
            bar!.Report(value.BytesDone / megabyte);
        }

        public void Dispose() => bar?.Dispose();
    }
}
