namespace MvAdapter.Clip;

/// <summary>The one-byte encoding behind nearly all mis-decoded text, with Latin-1 where it leaves a byte undefined.</summary>
internal static class Windows1252
{
    private const string HighControls =
        "€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008DŽ\u008F\u0090‘’“”•–—˜™š›œ\u009DžŸ";

    /// <summary>The character of a byte.</summary>
    public static char ToChar(byte value) => value is >= 0x80 and <= 0x9F ? HighControls[value - 0x80] : (char)value;

    /// <summary>The byte that was read as this character, by windows-1252 or by Latin-1; -1 for none.</summary>
    public static int ToByte(char c)
    {
        if (c <= 0xFF) return c;
        var index = HighControls.IndexOf(c, StringComparison.Ordinal);
        return index < 0 ? -1 : 0x80 + index;
    }
}
