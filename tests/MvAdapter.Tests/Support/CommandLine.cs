using System.Diagnostics;

namespace MvAdapter.Tests.Support;

/// <summary>What one run of the program said and how it ended.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <summary>Ended well, or with inputs skipped (code 3).</summary>
    public CommandResult Succeeds(int exitCode = 0)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}: {Error}");
        return this;
    }

    /// <summary>Failed with that code, nothing on the standard output, and exactly one line of error that contains the reason.</summary>
    public CommandResult Fails(int exitCode, string reason)
    {
        Assert.True(ExitCode == exitCode, $"exit code {ExitCode}: {Error}");
        Assert.Empty(Output);
        var line = Assert.Single(Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith("error: ", line, StringComparison.Ordinal);
        Assert.DoesNotContain("unexpected error", line, StringComparison.Ordinal);
        Assert.Contains(reason, line, StringComparison.Ordinal);
        Assert.DoesNotContain(line, c => char.IsControl(c));
        return this;
    }
}

/// <summary>The built program, from outside, with the network out of its reach.</summary>
public static class CommandLine
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    // A published copy has a program of its own. The host by its path, so that a test may change PATH.
    private static readonly string Program = Path.Combine(AppContext.BaseDirectory, "MvAdapter.Cli.dll");
    private static readonly bool Published = File.Exists(Path.Combine(AppContext.BaseDirectory, "libcoreclr.so"));
    private static readonly string Host = Published ? Path.ChangeExtension(Program, null) : Environment.GetEnvironmentVariable("DOTNET_HOST_PATH")
        ?? (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "dotnet")).First(File.Exists);

    /// <summary>Runs a command to its end.</summary>
    public static CommandResult Run(params string[] arguments) => Finish(Start(arguments));

    /// <summary>Runs a command to its end in a folder.</summary>
    public static CommandResult RunIn(string folder, params string[] arguments) => Finish(Start(arguments, folder));

    /// <summary>Runs a command to its end with environment variables of its own.</summary>
    public static CommandResult RunWith((string Name, string Value)[] environment, params string[] arguments) =>
        Finish(Start(arguments, environment: environment));

    /// <summary>Starts a command.</summary>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="folder">Where it runs.</param>
    /// <param name="environment">Variables of its own.</param>
    /// <param name="before">What runs the program, such as <c>ip netns exec</c>.</param>
    public static Process Start(string[] arguments, string? folder = null, (string Name, string Value)[]? environment = null, string[]? before = null)
    {
        string[] whole = [.. before ?? [], Host, .. Published ? [] : new[] { Program }, .. arguments];
        var start = new ProcessStartInfo(whole[0], whole[1..])
        {
            WorkingDirectory = folder ?? "",
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["HF_HUB_OFFLINE"] = "1";
        foreach (var (name, value) in environment ?? []) start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }

    /// <summary>The address in the line by which <c>serve</c> says that it is ready.</summary>
    public static string AddressIn(string line) => line[line.IndexOf("http://127.0.0.1:", StringComparison.Ordinal)..line.IndexOf(" (", StringComparison.Ordinal)];

    /// <summary>Waits for the end of a command and gives what it said.</summary>
    public static CommandResult Finish(Process process)
    {
        using (process)
        {
            var output = process.StandardOutput.ReadToEndAsync();
            var error = process.StandardError.ReadToEndAsync();
            if (!process.WaitForExit(Limit))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"not ended after {Limit}");
            }
            return new CommandResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
        }
    }
}
