using System.CommandLine;
using MvAdapter.Server;

namespace MvAdapter.Cli;

/// <summary><c>keys</c>: makes a key for the server's API.</summary>
internal static class KeysCommand
{
    public static Command Create()
    {
        var command = new Command("keys", """
            Makes a key for the server's API, prints it this once, and appends its hash to a file for "serve --api-keys". To take a
            key back, delete its line; a running server sees it within a second.

            Example:
              ./run keys keys.txt --name alice
            """);
        var file = new Argument<string>("file") { Description = "The file of hashes; made when it is not there" };
        var name = new Option<string>("--name") { Description = "Whose key it is", DefaultValueFactory = _ => "key", HelpName = "NAME" };
        command.Add(file);
        command.Add(name);
        command.Runs((parsed, _) =>
        {
            Console.WriteLine(ApiKeys.Add(parsed.GetValue(file)!, parsed.GetValue(name)!));
            return ExitCode.Success;
        });
        return command;
    }
}
