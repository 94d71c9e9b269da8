using System.CommandLine;
using System.CommandLine.Parsing;

namespace MvAdapter.Cli;

/// <summary>Says in one line what is wrong with a command line that cannot be parsed.</summary>
internal static class ParseFault
{
    public static string Describe(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        // A misspelt name says more than what is then missing because of it.
        var reason = parsed.UnmatchedTokens.Count > 0 ? Unknown(parsed.UnmatchedTokens[0], command) : parsed.Errors[0].Message;
        var help = $"{ProgramName.Current} {string.Concat(Names(parsed.CommandResult).Select(name => name + " "))}--help";
        return $"{TextForMessage.Quote(string.Join(' ', reason.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)))} (see {help})";
    }

    // From the outermost to the innermost, as they are typed: index add.
    private static IEnumerable<string> Names(SymbolResult result) => result is CommandResult { Command: var command, Parent: { } parent }
        ? Names(parent).Append(command.Name)
        : [];

    private static string Unknown(string token, Command command)
    {
        var isOption = token.StartsWith('-');
        var known = isOption ? command.Options.Select(option => option.Name) : command.Subcommands.Select(subcommand => subcommand.Name);
        var what = isOption ? "option" : command.Subcommands.Count > 0 ? "command" : "argument";
        var meant = known.Any() ? $"; did you mean {NearestName.Of(token, known)}?" : "";
        return $"unknown {what} '{TextForMessage.Quote(token, 80)}'{meant}";
    }
}
