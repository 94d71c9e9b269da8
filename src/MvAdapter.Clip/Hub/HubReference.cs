using System.Text.RegularExpressions;

namespace MvAdapter.Clip;

/// <summary>A model on the hub, written <c>hf:owner/name</c> or <c>hf:owner/name@revision</c>.</summary>
/// <param name="Repository">The owner and the name, such as <c>openai/clip-vit-base-patch32</c>.</param>
/// <param name="Revision">A branch, tag or commit.</param>
public sealed partial record HubReference(string Repository, string Revision)
{
    private const string Prefix = "hf:";
    private const string DefaultRevision = "main";

    /// <summary>Whether a backbone is named by its place on the hub, not by a path.</summary>
    public static bool IsReference(string text) => text.StartsWith(Prefix, StringComparison.Ordinal);

    /// <summary>Reads a reference.</summary>
    /// <exception cref="UsageException">The text has another form.</exception>
    public static HubReference Parse(string text)
    {
        // Names become folders and parts of an address: ".." and the like must not get through.
        var match = Form().Match(text);
        if (!match.Success || text.Contains("..", StringComparison.Ordinal))
            throw new UsageException($"{TextForMessage.Quote(text, 120)} is no model of the hub; write hf:owner/name or hf:owner/name@revision");
        return new HubReference(match.Groups["repository"].Value, match.Groups["revision"] is { Success: true } revision ? revision.Value : DefaultRevision);
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Prefix}{Repository}@{Revision}";

    [GeneratedRegex(@"\Ahf:(?<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?<revision>\w[\w.-]*(/\w[\w.-]*)*))?\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
