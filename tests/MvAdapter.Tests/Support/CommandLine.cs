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

/// <summary>The built program, from outside.</summary>
public static class CommandLine
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Runs a command to its end.</summary>
    public static CommandResult Run(params string[] arguments)
    {
        using var process = Start(arguments);
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"not ended after {Limit}: {string.Join(' ', arguments)}");
        }
        return new CommandResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    /// <summary>Starts a command, with the network out of its reach.</summary>
    public static Process Start(params string[] arguments)
    {
        var program = Path.Combine(AppContext.BaseDirectory, "MvAdapter.Cli.dll");
        var host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        var start = new ProcessStartInfo(host, [program, .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["HF_HUB_OFFLINE"] = "1";
        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }
}
