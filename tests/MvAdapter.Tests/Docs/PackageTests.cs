using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using MvAdapter.Tests.Support;

namespace MvAdapter.Tests.Docs;

/// <summary>The packages as a stranger uses them: packed, and taken from a local feed by the programs of docs/library.md, outside the repository.</summary>
[Trait("Category", "Slow")]
public sealed partial class PackageTests(TinyDataset data) : IClassFixture<TinyDataset>, IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);
    private static readonly string Clip = Path.Combine(Fixtures.Repository, "assets", "moving-shapes-clip");
    private readonly TemporaryFolder folder = new();
    private readonly string version = $"0.0.1-test.{Guid.NewGuid():N}";

    public void Dispose()
    {
        // NuGet unpacks what it takes into a folder of the user's.
        var unpacked = Environment.GetEnvironmentVariable("NUGET_PACKAGES") ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        if (Directory.Exists(unpacked))
            foreach (var package in Directory.EnumerateDirectories(unpacked, "mvadapter*")) Delete(Path.Combine(package, version));
        folder.Dispose();
    }

    [Fact]
    public async Task The_librarys_page_runs_on_the_packed_packages()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable("LIBTORCH") is { Length: > 0 }, "packages are made for the distribution's libtorch, and LIBTORCH names another");
        Assert.SkipUnless(File.Exists("/usr/lib/x86_64-linux-gnu/libtorch_cpu.so"), "packages are made for Debian's libtorch, which is not here");
        Run("bash", [Path.Combine(Fixtures.Repository, "eng", "pack"), "--packages-only", "--as-built", "--version", version, "--output", folder.File("feed")], Fixtures.Repository);
        Assert.Equal(12, Directory.GetFiles(folder.File("feed"), $"MvAdapter*.{version}.nupkg").Length);
        var programs = Programs().Matches(File.ReadAllText(Path.Combine(Fixtures.Repository, "docs", "library.md"))).ToDictionary(match => match.Groups["name"].Value, match => match.Groups["code"].Value);

        Make("embed", "Microsoft.NET.Sdk", programs["embed"], "MvAdapter");
        var embedded = Lines("embed", Clip, "a red circle", data.Video(0), "/nowhere.mp4", data.Video(1));
        Assert.Equal(3, embedded.Length);
        Assert.Matches(@"^-?\d\.\d{3} .*\.mp4$", embedded[0]);
        Assert.StartsWith("skipped /nowhere.mp4: ", embedded[1], StringComparison.Ordinal);
        // An application with a culture of its own (a Turkish I is no i, a comma stands before decimals) gets the same numbers.
        if (Directory.GetFiles("/usr/lib/x86_64-linux-gnu", "libicuuc.so.*").Length > 0)
        {
            (string, string)[] turkish = [("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "0"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "tr_TR.UTF-8")];
            var there = Run("dotnet", [folder.File("embed.out/embed.dll"), Clip, "A RED CIRCLE", data.Video(0)], folder.Path, turkish);
            var here = Run("dotnet", [folder.File("embed.out/embed.dll"), Clip, "a red circle", data.Video(0)], folder.Path);
            Assert.Contains(",", there, StringComparison.Ordinal);
            Assert.Equal(here, there.Replace(',', '.'));
        }

        Make("train", "Microsoft.NET.Sdk", programs["train"], "MvAdapter.Training");
        var trained = Lines("train", Clip, data.Captions, folder.File("run"), "3");
        Assert.Contains(trained, line => line.StartsWith("3 steps in ", StringComparison.Ordinal));
        Assert.Contains(trained, line => line.StartsWith("R@1 ", StringComparison.Ordinal));

        // The decorators of the page stand where they would in the program.
        var search = "using MvAdapter.Extensions;\n" + programs["search"].Replace("builder.Services.AddHealthChecks()", programs["decorators"] + "builder.Services.AddHealthChecks()", StringComparison.Ordinal);
        Make("search", "Microsoft.NET.Sdk.Web", search, "MvAdapter.Extensions", "MvAdapter.Search");
        File.WriteAllText(folder.File("search/StoredClip.cs"), "using Microsoft.Extensions.VectorData;\n" + programs["vectordata"]);
        await Searches();
    }

    private async Task Searches()
    {
        using var process = Start("dotnet", [Build("search"), Clip, Path.GetDirectoryName(data.Video(0))!, "--urls", "http://127.0.0.1:0"], folder.File("search"));
        try
        {
            var address = "";
            while (address.Length == 0 && await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
                if (Listening().Match(line) is { Success: true } match) address = match.Value;
            _ = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            Assert.NotEmpty(address);
            using var client = new HttpClient { BaseAddress = new Uri(address) };
            var found = await client.GetFromJsonAsync<JsonElement>("/search?q=a+red+circle", TestContext.Current.CancellationToken);
            Assert.True(found.GetArrayLength() > 0);
            Assert.EndsWith(".mp4", found[0].GetProperty("path").GetString(), StringComparison.Ordinal);
            Assert.Equal("Healthy", await client.GetStringAsync(new Uri("/health", UriKind.Relative), TestContext.Current.CancellationToken));
        }
        finally
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }
    }

    private void Make(string name, string sdk, string code, params string[] packages)
    {
        Directory.CreateDirectory(folder.File(name));
        var references = packages.Select(package => $"""<PackageReference Include="{package}" Version="{version}" />""");
        if (name == "search") references = references.Append("""<PackageReference Include="Microsoft.Extensions.AI" Version="10.11.0" /><PackageReference Include="Microsoft.Extensions.VectorData.Abstractions" Version="10.11.0" />""");
        File.WriteAllText(folder.File($"{name}/{name}.csproj"), $"""
            <Project Sdk="{sdk}">
              <PropertyGroup>
                <OutputType>Exe</OutputType>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                <RestoreAdditionalProjectSources>{folder.File("feed")}</RestoreAdditionalProjectSources>
              </PropertyGroup>
              <ItemGroup>
                {string.Join("\n    ", references)}
              </ItemGroup>
            </Project>
            """);
        File.WriteAllText(folder.File($"{name}/Program.cs"), code);
    }

    private string Build(string name)
    {
        Run("dotnet", ["build", name, "-v", "quiet", "-nologo", "-o", folder.File($"{name}.out")], folder.Path);
        return folder.File($"{name}.out/{name}.dll");
    }

    private string[] Lines(string name, params string[] arguments) => Run("dotnet", [Build(name), .. arguments], folder.Path).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private static string Run(string program, string[] arguments, string workingFolder, params (string Name, string Value)[] environment)
    {
        using var process = Start(program, arguments, workingFolder, environment);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        if (!process.WaitForExit(Limit))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} {string.Join(' ', arguments)} takes longer than {Limit.TotalMinutes} minutes");
        }
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}: {output.Result}{error.Result}");
        return output.Result;
    }

    private static Process Start(string program, string[] arguments, string workingFolder, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(program, arguments) { WorkingDirectory = workingFolder, RedirectStandardOutput = true, RedirectStandardError = true };
        // Neither this program's native library nor what MSBuild told the tests.
        foreach (var name in start.Environment.Keys.Where(name => name is "MVADAPTER_NATIVE" or "MSBUILDDISABLENODEREUSE" || name.StartsWith("MSBuild", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        (start.Environment["MSBUILDDISABLENODEREUSE"], start.Environment["DOTNET_CLI_TELEMETRY_OPTOUT"], start.Environment["HF_HUB_OFFLINE"]) = ("1", "1", "1");
        start.Environment["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1";
        foreach (var (name, value) in environment) start.Environment[name] = value;
        return Process.Start(start)!;
    }

    private static void Delete(string path)
    {
        if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
    }

    [GeneratedRegex(@"^```csharp (?<name>\w+)\n(?<code>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Programs();

    [GeneratedRegex(@"http://127\.0\.0\.1:\d+")]
    private static partial Regex Listening();
}
