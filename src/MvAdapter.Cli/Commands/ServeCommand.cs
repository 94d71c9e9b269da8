using System.CommandLine;
using System.Globalization;
using System.Net;
using MvAdapter.Search;
using MvAdapter.Server;
using MvAdapter.Teaching;

namespace MvAdapter.Cli;

/// <summary><c>serve</c>: an index over HTTP, as an API and a page to search with.</summary>
internal static class ServeCommand
{
    private const long Megabyte = 1 << 20;

    public static Command Create()
    {
        var defaults = new ServerOptions();
        var command = new Command("serve", """
            Serves an index: a page to search with, and an API that /openapi/v1.json describes. Only this machine is answered,
            unless there are keys (see ./run keys).

            Examples:
              ./run serve --index videos.db
              ./run serve --index videos.db --bind 0.0.0.0 --api-keys keys.txt --log json
            """);
        var location = new IndexLocation(command);
        var port = new Option<int>("--port") { Description = "The port; 0 for any that is free", DefaultValueFactory = _ => defaults.Port, HelpName = "N" };
        var bind = new Option<string>("--bind") { Description = "The address to listen on; other machines reach only one that is not 127.0.0.1", DefaultValueFactory = _ => "127.0.0.1", HelpName = "ADDRESS" };
        var keys = new Option<string?>("--api-keys") { Description = "Answer only whoever has a key of this file", HelpName = "FILE" };
        var upload = new Option<long>("--max-upload") { Description = "The largest video to search by, in MB", DefaultValueFactory = _ => defaults.MaxUploadBytes / Megabyte, HelpName = "MB" };
        var log = new Option<string>("--log") { Description = "text, or json for a line of JSON an event; on the standard error stream", DefaultValueFactory = _ => "text" };
        log.AcceptOnlyFromAmong("text", "json");
        var readOnly = new Option<bool>("--read-only") { Description = "Take no captions and marks, and train nothing" };
        var teach = new Option<string?>("--teach-folder") { Description = "Where adapters go that are trained from the page (by default FILE.taught beside the index, or mvadapter/taught in ~/.local/share)", HelpName = "DIR" };
        foreach (var option in new Option[] { port, bind, keys, upload, readOnly, teach, log }) command.Add(option);
        var machine = new MachineOptions(command);
        command.Runs((parsed, cancellation) =>
        {
            if (parsed.GetValue(upload) is < 1 or > 1 << 20) throw new UsageException($"--max-upload must be from 1 to {1 << 20} MB");
            using var store = Open(location, parsed, parsed.GetValue(readOnly), out var writable);
            var options = new ServerOptions
            {
                Writable = writable,
                Teaching = writable ? Teaching(location.Address(parsed), parsed.GetValue(teach), machine.DeviceName(parsed)) : null,
                Program = ProgramName.Current,
                Address = ParseAddress(parsed.GetValue(bind)!),
                Port = parsed.GetValue(port),
                ApiKeys = parsed.GetValue(keys),
                MaxUploadBytes = parsed.GetValue(upload) * Megabyte,
                JsonLog = parsed.GetValue(log) == "json",
            };
            using var server = new VideoServer(store, options, source => machine.Apply(parsed, source));
            server.Run(() =>
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{TextForMessage.Quote(store.Name)} at {server.Url} (Ctrl-C ends it)")), cancellation);
            return ExitCode.Success;
        });
        return command;
    }

    // An index that cannot be written is served all the same; the page then offers nothing to teach.
    private static ClipStore Open(IndexLocation location, ParseResult parsed, bool readOnly, out bool writable)
    {
        writable = !readOnly;
        if (!writable) return location.Open(parsed, StoreAccess.Read);
        try
        {
            return location.Open(parsed, StoreAccess.Write);
        }
        catch (MvAdapterException e) when (e is not UsageException)
        {
            writable = false;
            var store = location.Open(parsed, StoreAccess.Read);
            Terminal.Warn($"nothing can be taught: {e.Message}");
            return store;
        }
    }

    private static TeachingOptions Teaching(string index, string? folder, string device)
    {
        folder ??= File.Exists(index) ? index + ".taught"
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "mvadapter", "taught");
        return new TeachingOptions(Path.GetFullPath(folder),
            (run, collection) => OwnProgram.With(["index", "train", "--index", index, "--collection", collection.ToString(CultureInfo.InvariantCulture), "--output", run, "--device", device]),
            (run, force) => OwnProgram.With(["index", "use", run, "--index", index, "--device", device, .. force ? ["--force"] : Array.Empty<string>()]))
        {
            LeastClips = TeachingSplit.LeastClips,
            LeastVideos = TeachingSplit.LeastVideos,
        };
    }

    private static IPAddress ParseAddress(string text) => text == "localhost" ? IPAddress.Loopback
        : IPAddress.TryParse(text, out var address) ? address
        : throw new UsageException($"--bind takes an address such as 127.0.0.1 or 0.0.0.0, not '{TextForMessage.Quote(text, 60)}'");
}
