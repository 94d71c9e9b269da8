using System.Diagnostics;
using System.Globalization;

namespace MvAdapter.Tests.Support;

/// <summary>
/// Two hosts of one machine: network namespaces joined by a pair of virtual cables, that nothing outside can reach. Making them takes rights
/// that not every machine gives.
/// </summary>
internal sealed class TwoHosts : IDisposable
{
    private readonly string name = string.Create(CultureInfo.InvariantCulture, $"mv{Environment.ProcessId % 10_000}x{Environment.TickCount64 % 1000}");

    private TwoHosts() { }

    /// <summary>The first host's address.</summary>
    public static string First => Address(0);

    /// <summary>Makes them; the test is skipped where that is not allowed, or where the programs are not installed.</summary>
    public static TwoHosts Make()
    {
        var hosts = new TwoHosts();
        try
        {
            Assert.SkipUnless(Try("ip", "netns", "add", hosts.Host(0)) && Try("ip", "netns", "add", hosts.Host(1))
                && Try("ip", "link", "add", hosts.Cable(0), "netns", hosts.Host(0), "type", "veth", "peer", "name", hosts.Cable(1), "netns", hosts.Host(1)),
                "network namespaces cannot be made here");
            for (var i = 0; i < 2; i++)
            {
                hosts.On(i, "ip", "addr", "add", Address(i) + "/24", "dev", hosts.Cable(i));
                hosts.On(i, "ip", "link", "set", hosts.Cable(i), "up");
                hosts.On(i, "ip", "link", "set", "lo", "up");
            }
            return hosts;
        }
        catch
        {
            hosts.Dispose();
            throw;
        }
    }

    /// <summary>Starts the program on a host.</summary>
    public Process Start(int host, string[] arguments, (string Name, string Value)[] environment) =>
        CommandLine.Start(arguments, environment: environment, before: ["ip", "netns", "exec", Host(host)]);

    /// <summary>Makes every packet late by so many milliseconds, give or take a quarter, and loses some; the test is skipped where the system cannot.</summary>
    public void Disturb(int milliseconds, double lossPercent) => Assert.SkipUnless(
        Try("ip", "netns", "exec", Host(0), "tc", "qdisc", "add", "dev", Cable(0), "root", "netem",
            "delay", Text(milliseconds) + "ms", Text(milliseconds / 4) + "ms", "loss", lossPercent.ToString(CultureInfo.InvariantCulture) + "%"),
        "this system cannot disturb a network (tc netem)");

    /// <summary>From now on nothing arrives, and nobody is told so.</summary>
    public void Cut() => On(0, "ip", "link", "set", Cable(0), "down");

    public void Dispose()
    {
        foreach (var i in new[] { 0, 1 }) Try("ip", "netns", "del", Host(i));
    }

    private static string Address(int host) => $"10.213.77.{Text(host + 1)}";

    private string Host(int host) => name + Text(host);

    private string Cable(int host) => "v" + name + Text(host);

    private void On(int host, params string[] command) => Assert.True(Try(["ip", "netns", "exec", Host(host), .. command]), string.Join(' ', command));

    private static bool Try(params string[] command)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true })!;
            process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;   // not installed
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
