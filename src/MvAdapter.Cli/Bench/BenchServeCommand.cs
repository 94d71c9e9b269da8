using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;

namespace MvAdapter.Cli;

/// <summary><c>bench serve</c>: many clients of a running server, each asking again as soon as it is answered.</summary>
internal static class BenchServeCommand
{
    // Words of both parts, so that no two clients ask the same at once.
    private static readonly string[] Subjects = ["a dog", "two children", "a man with a hat", "a red car", "someone", "a woman on a bridge",
        "the goalkeeper", "a cat"];
    private static readonly string[] Actions = ["catches a ball", "walks along the beach", "talks about cooking", "turns left",
        "plays the piano", "opens a door", "is riding a bike", "sleeps"];

    public static Command Create()
    {
        var command = new Command("serve", """
            Times a running server under load: each client asks in words, waits for the answer, and asks again.

            Example, with "./run serve --index videos.db" in another window:
              ./run bench serve --clients 200 --seconds 60
            """);
        var url = new Option<string>("--url") { Description = "The server", DefaultValueFactory = _ => "http://127.0.0.1:7860", HelpName = "URL" };
        var key = new Option<string?>("--key") { Description = "A key, where the server uses keys; better through the variable MVADAPTER_KEY", HelpName = "KEY" };
        var clients = new Option<int>("--clients") { Description = "Clients at once", DefaultValueFactory = _ => 200, HelpName = "N" };
        var seconds = new Option<int>("--seconds") { Description = "How long", DefaultValueFactory = _ => 60, HelpName = "S" };
        var collection = new Option<long>("--collection") { Description = "The collection's number", DefaultValueFactory = _ => 1, HelpName = "N" };
        var json = new Option<bool>("--json") { Description = "Print JSON" };
        foreach (var option in new Option[] { url, key, clients, seconds, collection, json }) command.Add(option);
        command.Runs((parsed, cancellation) =>
        {
            if (!Uri.TryCreate(parsed.GetValue(url), UriKind.Absolute, out var server)) throw new UsageException("--url takes an address such as http://127.0.0.1:7860");
            if (parsed.GetValue(clients) is < 1 or > 10_000 || parsed.GetValue(seconds) is < 1 or > 86_400) throw new UsageException("--clients takes 1 to 10000, --seconds 1 to 86400");
            using var client = new HttpClient { BaseAddress = server };
            if ((parsed.GetValue(key) ?? Environment.GetEnvironmentVariable("MVADAPTER_KEY")) is { } given)
                client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", given);
            var result = Run(client, parsed.GetValue(clients), parsed.GetValue(seconds), parsed.GetValue(collection),
                cancellation).GetAwaiter().GetResult();
            if (result.Answered == 0) throw new MvAdapterException($"no search was answered: {result.FirstFault}");
            Console.WriteLine(parsed.GetValue(json) ? JsonSerializer.Serialize(result, JsonSerializerOptions.Web) : result);
            return ExitCode.Success;
        });
        return command;
    }

    private static async Task<Load> Run(HttpClient client, int clients, int seconds, long collection, CancellationToken cancellation)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        end.CancelAfter(TimeSpan.FromSeconds(seconds));
        var all = await Task.WhenAll(Enumerable.Range(0, clients).Select(i => Ask(client, i, collection, end.Token))).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        var times = all.SelectMany(one => one.Milliseconds).Order().ToArray();
        double Percentile(double share) => times.Length == 0 ? 0 : times[(int)(share * (times.Length - 1))];
        var faults = all.SelectMany(one => one.Faults).ToList();
        return new Load(clients, seconds, times.Length, times.Length / (double)seconds, Percentile(0.5), Percentile(0.99),
            all.Sum(one => one.Busy), faults.Count, faults.FirstOrDefault());
    }

    private static async Task<Client> Ask(HttpClient http, int number, long collection, CancellationToken end)
    {
        var client = new Client();
        for (var question = number; !end.IsCancellationRequested; question++)
        {
            var words = $"{Subjects[question % Subjects.Length]} {Actions[question / Subjects.Length % Actions.Length]}";
            var clock = Stopwatch.StartNew();
            try
            {
                var address = string.Create(CultureInfo.InvariantCulture,
                    $"/api/search?collection={collection}&q={Uri.EscapeDataString(words)}");
                using var answer = await http.GetAsync(new Uri(address, UriKind.Relative), end).ConfigureAwait(false);
                if (answer.IsSuccessStatusCode) client.Milliseconds.Add(clock.Elapsed.TotalMilliseconds);
                else if (answer.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable)
                {
                    client.Busy++;
                    await Task.Delay(answer.Headers.RetryAfter?.Delta ?? TimeSpan.Zero, end).ConfigureAwait(false);
                }
                else client.Faults.Add($"status {(int)answer.StatusCode}");
            }
            catch (HttpRequestException e)
            {
                client.Faults.Add(TextForMessage.Quote(e.Message, 200));
                await Task.Delay(100, CancellationToken.None).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (end.IsCancellationRequested)
            {
                // The time is up.
            }
        }
        return client;
    }

    private sealed class Client
    {
        public List<double> Milliseconds { get; } = [];

        public List<string> Faults { get; } = [];

        public int Busy { get; set; }
    }

    private sealed record Load(int Clients, int Seconds, int Answered, double PerSecond, double P50Milliseconds, double P99Milliseconds,
        int Busy, int Faults, string? FirstFault)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"{Clients} clients, {Seconds} s: {Answered} searches, {PerSecond:0.0} a second, half within {P50Milliseconds:0} ms, "
            + $"99 % within {P99Milliseconds:0} ms; told to come back {Busy}, failed {Faults}");
    }
}
