using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;

namespace MvAdapter.Tests.Support;

/// <summary>
/// A page in a Chromium without a window, driven by its DevTools protocol. A few calls are all the tests take; a driver
/// from the package registry would bring some hundred megabytes of other browsers' parts to everybody who builds.
/// </summary>
internal sealed class Browser : IAsyncDisposable
{
    private static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome"];
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly TemporaryFolder profile = new();
    private readonly ClientWebSocket socket = new();
    private readonly Process process;
    private string? session;
    private int calls;

    private Browser(string program)
    {
        string[] arguments =
        [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0", $"--user-data-dir={profile.Path}", "about:blank",
        ];
        process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
    }

    /// <summary>What the page complained of: exceptions, and what its policy refused.</summary>
    public List<string> Complaints { get; } = [];

    /// <summary>Opens a browser; the test is skipped where there is none.</summary>
    public static async Task<Browser> Open()
    {
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        var program = Names.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        Assert.SkipWhen(program is null, "there is no Chromium here: apt-get install chromium");
        var browser = new Browser(program!);
        try
        {
            await browser.Attach();
            return browser;
        }
        catch
        {
            await browser.DisposeAsync();
            throw;
        }
    }

    /// <summary>Sets the window's size and the colours the user prefers.</summary>
    public async Task Show(int width, int height, bool dark = false)
    {
        await Call("Emulation.setDeviceMetricsOverride", new { width, height, deviceScaleFactor = 1, mobile = width < 500 });
        await Call("Emulation.setEmulatedMedia", new { features = new[] { new { name = "prefers-color-scheme", value = dark ? "dark" : "light" } } });
    }

    /// <summary>Goes to an address.</summary>
    public Task Go(string url) => Call("Page.navigate", new { url });

    /// <summary>The value of an expression in the page; a promise's result.</summary>
    public async Task<JsonElement> Value(string expression)
    {
        var answer = await Call("Runtime.evaluate", new { expression, awaitPromise = true, returnByValue = true, userGesture = true });
        Assert.False(answer.TryGetProperty("exceptionDetails", out var details), details.ValueKind == JsonValueKind.Undefined ? "" : details.GetRawText());
        return answer.GetProperty("result").TryGetProperty("value", out var value) ? value : default;
    }

    /// <summary>Waits until an expression is true.</summary>
    public async Task Until(string expression)
    {
        var clock = Stopwatch.StartNew();
        while ((await Value($"Boolean({expression})")).ValueKind != JsonValueKind.True)
        {
            Assert.True(clock.Elapsed < Patience, $"never became true: {expression}; the page: {await Value("document.body?.innerText")}");
            await Task.Delay(50);
        }
    }

    /// <summary>Types into what has the focus.</summary>
    public Task Type(string text) => Call("Input.insertText", new { text });

    /// <summary>Presses a key: a character, or a name such as Enter.</summary>
    public async Task Press(string key, bool control = false)
    {
        var modifiers = control ? 2 : 0;
        var code = key switch { "Enter" => 13, "Escape" => 27, "Tab" => 9, "ArrowLeft" => 37, "ArrowUp" => 38, "ArrowRight" => 39, "ArrowDown" => 40, _ => key[0] };
        var text = key switch { "Enter" => "\r", { Length: 1 } when !control => key, _ => "" };
        await Call("Input.dispatchKeyEvent", new { type = text.Length == 0 ? "rawKeyDown" : "keyDown", key, windowsVirtualKeyCode = code, text, modifiers });
        await Call("Input.dispatchKeyEvent", new { type = "keyUp", key, windowsVirtualKeyCode = code, modifiers });
    }

    /// <summary>Points at an element.</summary>
    public async Task Point(string selector)
    {
        var place = await Value($"(r => [r.x + r.width / 2, r.y + r.height / 2])(document.querySelector({JsonSerializer.Serialize(selector)}).getBoundingClientRect())");
        await Call("Input.dispatchMouseEvent", new { type = "mouseMoved", x = place[0].GetDouble(), y = place[1].GetDouble() });
    }

    /// <summary>Writes what is seen as a PNG, for people to look at.</summary>
    public async Task Picture(string name)
    {
        var folder = Path.Combine(Fixtures.Repository, "artifacts", "screenshots");
        Directory.CreateDirectory(folder);
        var answer = await Call("Page.captureScreenshot", new { format = "png" });
        await File.WriteAllBytesAsync(Path.Combine(folder, name + ".png"), answer.GetProperty("data").GetBytesFromBase64());
    }

    public async ValueTask DisposeAsync()
    {
        socket.Dispose();
        process.Kill(entireProcessTree: true);
        await process.WaitForExitAsync();
        process.Dispose();
        profile.Dispose();
    }

    private async Task Attach()
    {
        const string announcement = "DevTools listening on ";
        using var limit = new CancellationTokenSource(Patience);
        string? line;
        do line = await process.StandardError.ReadLineAsync(limit.Token);
        while (line is not null && !line.StartsWith(announcement, StringComparison.Ordinal));
        Assert.True(line is not null, "the browser ended at once");
        _ = process.StandardError.ReadToEndAsync(CancellationToken.None);   // else it would wait for its reader
        await socket.ConnectAsync(new Uri(line![announcement.Length..]), limit.Token);
        var targets = (await Call("Target.getTargets", new { })).GetProperty("targetInfos").EnumerateArray();
        var page = targets.First(target => target.GetProperty("type").GetString() == "page").GetProperty("targetId").GetString();
        session = (await Call("Target.attachToTarget", new { targetId = page, flatten = true })).GetProperty("sessionId").GetString();
        foreach (var domain in new[] { "Page", "Runtime", "Log" }) await Call(domain + ".enable", new { });
    }

    private async Task<JsonElement> Call(string method, object parameters)
    {
        using var limit = new CancellationTokenSource(Patience);
        var id = ++calls;
        object message = session is null ? new { id, method, @params = parameters } : new { id, method, @params = parameters, sessionId = session };
        await socket.SendAsync(JsonSerializer.SerializeToUtf8Bytes(message), WebSocketMessageType.Text, endOfMessage: true, limit.Token);
        while (true)
        {
            var answer = await Receive(limit.Token);
            if (answer.TryGetProperty("id", out var answered) && answered.GetInt32() == id)
                return answer.TryGetProperty("result", out var result) ? result : throw new InvalidOperationException($"{method}: {answer.GetRawText()}");
            if (answer.TryGetProperty("method", out var happened)) Note(happened.GetString()!, answer.GetProperty("params"));
        }
    }

    private void Note(string happened, JsonElement details)
    {
        if (happened == "Runtime.exceptionThrown") Complaints.Add(details.GetRawText());
        else if (happened == "Log.entryAdded" && details.GetProperty("entry") is var entry && entry.GetProperty("source").GetString() is "security" or "javascript")
            Complaints.Add(entry.GetProperty("text").GetString()!);
    }

    private async Task<JsonElement> Receive(CancellationToken cancellation)
    {
        using var message = new MemoryStream();
        var buffer = new byte[1 << 16];
        ValueWebSocketReceiveResult part;
        do
        {
            part = await socket.ReceiveAsync(buffer.AsMemory(), cancellation);
            message.Write(buffer, 0, part.Count);
        }
        while (!part.EndOfMessage);
        using var document = JsonDocument.Parse(Encoding.UTF8.GetString(message.ToArray()));
        return document.RootElement.Clone();
    }
}
