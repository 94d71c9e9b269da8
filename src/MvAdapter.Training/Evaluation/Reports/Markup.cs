using System.Net;

namespace MvAdapter.Evaluation;

/// <summary>Foreign text made safe for HTML and SVG, as content or as a quoted attribute.</summary>
internal static class Markup
{
    public static string Escape(string text) => WebUtility.HtmlEncode(string.Concat(text.Where(IsCharacterOfXml)));

    /// <summary>XML cannot hold control characters other than white space, not even as references.</summary>
    private static bool IsCharacterOfXml(char c) => c is '\t' or '\n' or '\r' or (>= ' ' and not '\uFFFE' and not '\uFFFF');
}
