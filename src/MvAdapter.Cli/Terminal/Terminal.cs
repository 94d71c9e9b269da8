using System.Globalization;
using Spectre.Console;

namespace MvAdapter.Cli;

/// <summary>
/// What a command says besides its result, on the standard error stream: errors, warnings, and progress, as a bar on
/// a terminal and as plain lines otherwise.
/// </summary>
internal static class Terminal
{
    private static readonly TimeSpan BarInterval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(10);

    /// <summary>The standard error stream with colours where it is a terminal.</summary>
    public static IAnsiConsole Console { get; } = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(System.Console.Error) });

    /// <summary>Whether only errors are said, as by all workers but the first.</summary>
    public static bool Quiet { get; set; }

    /// <summary>Whether progress can be drawn over.</summary>
    public static bool IsInteractive => !System.Console.IsErrorRedirected && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");

    /// <summary>One line of error.</summary>
    public static void Error(string message) => System.Console.Error.WriteLine("error: " + ProgramName.In(message));

    /// <summary>One line of warning.</summary>
    public static void Warn(string message)
    {
        if (!Quiet) System.Console.Error.WriteLine("warning: " + ProgramName.In(message));
    }

    /// <summary>One line of information.</summary>
    public static void Say(string message)
    {
        if (!Quiet) System.Console.Error.WriteLine(ProgramName.In(message));
    }

    /// <summary>Begins the progress of a work of so many parts.</summary>
    public static Progress Begin(string what, long total) => new(what, total, IsInteractive ? BarInterval : LineInterval);

    /// <summary>Progress of one work; disposing it leaves a clean line.</summary>
    internal sealed class Progress : IProgress<int>, IDisposable
    {
        private const int BarWidth = 30;
        private readonly string what;
        private readonly TimeSpan interval;
        private readonly System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        private TimeSpan last;
        private bool drawn;

        public Progress(string what, long total, TimeSpan interval) => (this.what, Total, this.interval) = (what, total, interval);

        /// <summary>How many parts there are; 0 when that is not known.</summary>
        public long Total { get; set; }

        /// <summary>So many parts are done.</summary>
        public void Report(long count, string detail = "")
        {
            if (Quiet) return;
            if (clock.Elapsed - last < interval && !(IsInteractive && count == Total)) return;
            last = clock.Elapsed;
            var rate = count / Math.Max(clock.Elapsed.TotalSeconds, 1e-3);
            var left = Total > count && count > 0 ? $", {Duration((Total - count) / rate)} left" : "";
            var text = string.Create(CultureInfo.InvariantCulture, $"{what} {count}{(Total > 0 ? $"/{Total}" : "")}, {Rate(rate)}{left}{(detail.Length > 0 ? ", " + detail : "")}");
            if (!IsInteractive) System.Console.Error.WriteLine(text);
            else
            {
                var filled = Total > 0 ? (int)(BarWidth * Math.Min(count, Total) / Total) : 0;
                var line = $"{new string('█', filled)}{new string('░', BarWidth - filled)} {text}";
                System.Console.Error.Write($"\r\u001b[2K{line[..Math.Min(line.Length, Math.Max(20, Width() - 1))]}");
                drawn = true;
            }
        }

        /// <summary>So many parts are done.</summary>
        void IProgress<int>.Report(int value) => Report(value);

        /// <summary>Takes the bar off the line, for another message; the next report draws it again.</summary>
        public void Clear()
        {
            if (drawn) System.Console.Error.Write("\r\u001b[2K");
            drawn = false;
        }

        /// <summary>Clears the bar.</summary>
        public void Dispose() => Clear();

        private static int Width()
        {
            try { return System.Console.WindowWidth is > 0 and var width ? width : 80; }
            catch (IOException) { return 80; }
        }

        private static string Rate(double rate) => rate >= 1
            ? string.Create(CultureInfo.InvariantCulture, $"{rate:0.0}/s")
            : string.Create(CultureInfo.InvariantCulture, $"{1 / rate:0.0} s each");

        private static string Duration(double seconds) => seconds < 90 ? string.Create(CultureInfo.InvariantCulture, $"{seconds:0} s")
            : seconds < 5400 ? string.Create(CultureInfo.InvariantCulture, $"{seconds / 60:0} min")
            : seconds < 172800 ? string.Create(CultureInfo.InvariantCulture, $"{seconds / 3600:0.0} h")
            : string.Create(CultureInfo.InvariantCulture, $"{seconds / 86400:0} days");
    }
}
