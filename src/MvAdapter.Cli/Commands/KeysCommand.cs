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

            Examples:
              ./run keys keys.txt --name alice
              ./run keys keys.txt --name bob --role teach
            """);
        var file = new Argument<string>("file") { Description = "The file of hashes; made when it is not there" };
        var name = new Option<string>("--name") { Description = "Whose key it is", DefaultValueFactory = _ => "key", HelpName = "NAME" };
        command.Add(file);
        var role = new Option<string>("--role") { Description = "read: search; teach: caption clips and mark answers too; train: train adapters and put them to use too", DefaultValueFactory = _ => "read", HelpName = "ROLE" };
        role.AcceptOnlyFromAmong([.. Enum.GetValues<KeyRole>().Select(ApiKeys.NameOf)]);
        command.Add(name);
        command.Add(role);
        command.Runs((parsed, _) =>
        {
            Console.WriteLine(ApiKeys.Add(parsed.GetValue(file)!, parsed.GetValue(name)!, Enum.Parse<KeyRole>(parsed.GetValue(role)!, ignoreCase: true)));
            return ExitCode.Success;
        });
        return command;
    }
}
