using System.Globalization;

namespace MvAdapter.Tests.Support;

/// <summary>How often a test kills what it tests: MVADAPTER_KILLS times, where that is set, for a trial at length.</summary>
internal static class Kills
{
    public static int Of(int usual) => Environment.GetEnvironmentVariable("MVADAPTER_KILLS") is { Length: > 0 } wanted ? int.Parse(wanted, CultureInfo.InvariantCulture) : usual;
}
