namespace MvAdapter.Search;

/// <summary>What somebody said of a clip.</summary>
public enum AnnotationKind
{
    /// <summary>The text says what is seen.</summary>
    Caption,

    /// <summary>The clip is a right answer to the query that the text is.</summary>
    Right,

    /// <summary>The clip is a wrong answer to it.</summary>
    Wrong,
}

/// <summary>
/// A caption of a clip, or a mark on an answer to a query. It belongs to the file's content and to seconds of it, and not to a row of a
/// collection: it stays when the file moves, and when the clips are encoded again by another model.
/// </summary>
/// <param name="Token">What whoever says it calls it: said again with the same token it is the same, so that a request may be repeated.</param>
/// <param name="Kind">What is said.</param>
/// <param name="Hash">The hash of the video's file, as <see cref="VideoEntry.Hash"/>.</param>
/// <param name="Path">Where the file was.</param>
/// <param name="Span">The seconds of the clip.</param>
/// <param name="Text">The caption, or the query.</param>
public sealed record ClipAnnotation(string Token, AnnotationKind Kind, string Hash, string Path, ClipSpan Span, string Text)
{
    /// <summary>The longest text, in UTF-16 units; a CLIP reads some 75 tokens of it.</summary>
    public const int LongestText = 500;

    private const int LongestToken = 64;
    private const int LongestName = 60;

    /// <summary>Who said it; empty where nobody is known.</summary>
    public string Who { get; init; } = "";

    /// <summary>When (UTC), to the second.</summary>
    public DateTime At { get; init; } = Now();

    /// <summary>Whether it says that text and clip belong together.</summary>
    public bool IsPair => Kind != AnnotationKind.Wrong;

    /// <summary>What tells its clip from others.</summary>
    public (string Hash, ClipSpan Span) Clip => (Hash, Span);

    /// <summary>A new token.</summary>
    public static string NewToken() => Guid.NewGuid().ToString("N");

    /// <summary>A text without white space around it, each inside being one space.</summary>
    /// <exception cref="UsageException">It is empty, too long, or holds control characters.</exception>
    public static string Clean(string? text)
    {
        var clean = string.Join(' ', (text ?? "").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        if (clean.Length == 0) throw new UsageException("a caption must not be empty");
        if (clean.Length > LongestText) throw new UsageException($"a caption may have at most {LongestText} characters, not {clean.Length}");
        // Half a character would come back as another one from a database.
        return clean.Any(char.IsControl) || clean.EnumerateRunes().Any(rune => rune == System.Text.Rune.ReplacementChar)
            ? throw new UsageException("a caption must not hold control characters or broken ones") : clean;
    }

    /// <summary>Refuses what a store should not keep.</summary>
    /// <exception cref="UsageException">The text, token or times cannot be.</exception>
    internal ClipAnnotation Checked()
    {
        if (Token.Length is 0 or > LongestToken || !Token.All(c => char.IsAsciiLetterOrDigit(c) || c == '-'))
            throw new UsageException($"a token has 1 to {LongestToken} letters, digits or -");
        if (Who.Length > LongestName || Who.Any(char.IsControl)) throw new UsageException($"a name may have at most {LongestName} characters");
        if (Hash.Length == 0) throw new UsageException("the video's file could not be read when it was indexed; index it again");
        if (!(Span.Start >= 0 && Span.End > Span.Start && double.IsFinite(Span.End))) throw new UsageException("the clip's end is not after its start");
        return this with { Text = Clean(Text) };
    }

    internal static string Name(AnnotationKind kind) => kind switch
    {
        AnnotationKind.Caption => "caption",
        AnnotationKind.Right => "right",
        _ => "wrong",
    };

    internal static AnnotationKind Parse(string name) => name switch
    {
        "caption" => AnnotationKind.Caption,
        "right" => AnnotationKind.Right,
        "wrong" => AnnotationKind.Wrong,
        _ => throw new MvAdapterException($"'{TextForMessage.Quote(name, 20)}' is no kind of annotation; the index was made by a newer version"),
    };

    private static DateTime Now() => new(DateTime.UtcNow.Ticks / TimeSpan.TicksPerSecond * TimeSpan.TicksPerSecond, DateTimeKind.Utc);
}
