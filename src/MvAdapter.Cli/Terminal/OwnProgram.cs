using System.Diagnostics;

namespace MvAdapter.Cli;

/// <summary>This program, to be started once more.</summary>
internal static class OwnProgram
{
    /// <summary>How it is started with other arguments. The end of its standard input tells it to end.</summary>
    public static ProcessStartInfo With(IEnumerable<string> arguments)
    {
        var host = Environment.ProcessPath ?? throw new MvAdapterException("the path of this program is not known, so no run can be started");
        // Either a program of its own, or dotnet and the program's library.
        var own = Path.GetFileNameWithoutExtension(host).Equals("dotnet", StringComparison.OrdinalIgnoreCase) ? [typeof(OwnProgram).Assembly.Location] : Array.Empty<string>();
        var start = new ProcessStartInfo(host, [.. own, .. arguments]) { RedirectStandardInput = true };
        start.Environment[ParentPipe.Variable] = "1";
        return start;
    }
}
