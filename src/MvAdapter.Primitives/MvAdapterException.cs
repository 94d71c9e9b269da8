namespace MvAdapter;

/// <summary>
/// A mistake that the user can mend: the message is one line that says what, where and what to do.
/// The command line prints it alone (exit code 1) and shows a stack trace only with <c>--verbose</c>.
/// </summary>
public class MvAdapterException : Exception
{
    /// <summary>Makes the exception from the line the user will read.</summary>
    public MvAdapterException(string message, Exception? inner = null) : base(message, inner) { }
}

/// <summary>The command or call itself is wrong: an option that does not exist or fit (exit code 2).</summary>
public sealed class UsageException(string message) : MvAdapterException(message);

/// <summary>A file cannot be used: missing, cut off, malformed, or of another kind than expected.</summary>
public class InvalidFileException : MvAdapterException
{
    /// <summary>Names the file and what is wrong with it.</summary>
    public InvalidFileException(string path, string reason, Exception? inner = null)
        : base($"{TextForMessage.Quote(path)}: {reason}", inner) => (Path, Reason) = (path, reason);

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>What is wrong with it.</summary>
    public string Reason { get; }
}

/// <summary>A video that cannot be decoded; lists skip it, name it at the end and go on.</summary>
public sealed class VideoException(string path, string reason, Exception? inner = null)
    : InvalidFileException(path, reason, inner);

/// <summary>Makes foreign text safe inside a one-line message.</summary>
public static class TextForMessage
{
    /// <summary>
    /// The text with control characters (newlines in a file name, terminal escapes) written as <c>\xNN</c>,
    /// and cut to <paramref name="limit"/> characters.
    /// </summary>
    public static string Quote(string text, int limit = 400)
    {
        var builder = new System.Text.StringBuilder(Math.Min(text.Length, limit) + 8);
        foreach (var c in text.Length > limit ? text[..limit] : text)
        {
            if (char.IsControl(c)) builder.Append(System.Globalization.CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
            else builder.Append(c);
        }
        if (text.Length > limit) builder.Append('…');
        return builder.ToString();
    }
}
