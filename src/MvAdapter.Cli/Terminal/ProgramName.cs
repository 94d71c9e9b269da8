using System.CommandLine;

namespace MvAdapter.Cli;

/// <summary>What users type to start the program: <c>./run</c> in a clone, <c>mvadapter</c> where it is installed. Texts are written with the first.</summary>
internal static class ProgramName
{
    private const string InClone = "./run";
    private const string Installed = "mvadapter";

    /// <summary>The name.</summary>
    public static string Current { get; } = Path.GetFileNameWithoutExtension(Environment.ProcessPath) == Installed ? Installed : InClone;

    /// <summary>A text with the name as it is here.</summary>
    public static string In(string text) => Current == InClone ? text : text.Replace(InClone, Current, StringComparison.Ordinal);

    /// <summary>The same of a command's help, and of the commands below it.</summary>
    public static void In(Command command)
    {
        if (Current == InClone) return;
        foreach (var symbol in command.Options.Cast<Symbol>().Concat(command.Arguments).Append(command)) symbol.Description = symbol.Description is { } text ? In(text) : null;
        foreach (var child in command.Subcommands) In(child);
    }
}
