using System.CommandLine;
using System.Globalization;
using MvAdapter.Clip;
using MvAdapter.Video;

namespace MvAdapter.Cli;

/// <summary><c>merge</c>: an adapter folded into the CLIP, as a CLIP of its own.</summary>
internal static class MergeCommand
{
    public static Command Create()
    {
        var command = new Command("merge", """
            Folds an adapter into the CLIP that it was trained on, and writes the result as a folder of the form that was
            read: Hugging Face's (also for OpenAI's .pt), or OpenCLIP's. Every command
            takes it by --clip, and so does other software; it costs what CLIP costs, in time and on disk. What can be merged
            changes CLIP's own weights and adds no layers: lora, bitfit, linear, full. For the others see export.

            Examples:
              ./run merge --clip hf:openai/clip-vit-base-patch16 --adapter lora.safetensors --output merged
              ./run eval --clip merged --captions captions.csv --frames 12 --words 32
            """);
        var model = new ModelOptions(command, ModelChoices.Adapter, needsAdapter: true);
        var output = new Option<string>("--output") { Description = "The folder to write", Required = true, HelpName = "DIR" };
        command.Add(output);
        command.Runs((parsed, cancellation) =>
        {
            var folder = parsed.GetValue(output)!;
            var source = model.Source(parsed);
            OutputPath.CheckFolder(folder);
            if (Directory.Exists(folder) && Path.GetFullPath(folder).TrimEnd('/') == Path.GetFullPath(source.Clip).TrimEnd('/'))
                throw new UsageException($"--output {TextForMessage.Quote(folder)} is the CLIP itself, which other adapters need as it is; choose another folder");
            using var encoder = ModelOptions.Load(source, cancellation);
            using var merged = encoder.Model.Merge();
            var path = ModelFiles.Resolve(source.Clip, null, cancellation);
            cancellation.ThrowIfCancellationRequested();
            ClipWriter.Write(folder, merged, TrainedVocabulary.Load(source.Vocabulary ?? ModelFiles.FindVocabulary(path, null, cancellation)), form: ClipCheckpoint.FormOf(path));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{folder}: {encoder.Model.Method.Name} merged into {TextForMessage.Quote(source.Clip)}, identity {merged.Identity}; a CLIP does not say its input, so give --frames {encoder.Sampling.MaxFrames} --words {encoder.Words} --sampling {FrameSampling.Name(encoder.Sampling.Strategy)} --fps {encoder.Sampling.FramesPerSecond} --frame-rule {FrameSampling.Name(encoder.Sampling.Rule)}"));
            return ExitCode.Success;
        });
        return command;
    }
}
