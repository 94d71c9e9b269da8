using System.CommandLine;
using System.CommandLine.Help;

namespace MvAdapter.Cli;

/// <summary>The command line: parse, call the library, print.</summary>
internal static class Program
{
    /// <summary>Work that has not ended by then when Ctrl-C comes is broken off; nothing is half written.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(700);

    private static async Task<int> Main(string[] arguments)
    {
        // Not a RootCommand, whose name in the help would be the program's file and not what users type.
        var root = new Command(ProgramName.Current, "Parameter-efficient video-text retrieval: one frozen CLIP and, per task, one small adapter.")
        {
            DemoCommand.Create(),
            EmbedCommand.Create(),
            InfoCommand.Create(),
            TrainCommand.Create(),
            EvalCommand.Create(),
            CompareCommand.Create(),
            MeasureCommand.Create(),
            IndexCommand.Create(),
            SearchCommand.Create(),
            ServeCommand.Create(),
            KeysCommand.Create(),
            PrepareCommand.Create(),
            MakeDatasetCommand.Create(),
            PretrainCommand.Create(),
            MergeCommand.Create(),
            ExportCommand.Create(),
            BenchCommand.Create(),
            DoctorCommand.Create(),
        };
        foreach (var option in new Option[] { new HelpOption(), new VersionOption(), CommandRunner.Hardware, CommandRunner.Verbose }) root.Options.Add(option);
        ProgramName.In(root);
        // Once, however often the pictures are read.
        var said = new System.Collections.Concurrent.ConcurrentDictionary<string, bool>();
        Video.VideoDecoderOptions.Warn = line =>
        {
            if (said.TryAdd(line, true)) Terminal.Warn(line);
        };
        if (arguments.Length == 0) arguments = ["--help"];
        var parsed = root.Parse(arguments);
        if (parsed.Errors.Count > 0 && parsed.Action is System.CommandLine.Invocation.ParseErrorAction)
        {
            // One line, as for every mistake; System.CommandLine would print the whole help after it.
            Terminal.Error(ParseFault.Describe(parsed));
            return ExitCode.Usage;
        }
        var code = await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = Grace }).ConfigureAwait(false);
        if (CommandRunner.Busy) ProcessExit.AtOnce(code);
        return code;
    }
}
