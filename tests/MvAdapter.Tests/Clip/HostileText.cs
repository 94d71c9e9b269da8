using FsCheck;
using FsCheck.Fluent;

namespace MvAdapter.Tests.Clip;

/// <summary>Strings of what breaks text code: lone surrogates, marks, references, escapes, damaged UTF-8.</summary>
internal static class HostileText
{
    private static readonly Gen<string> Piece = Gen.OneOf(
        Gen.Choose(0, 0xFFFF).Select(code => ((char)code).ToString()),
        Gen.Choose(' ', '~').Select(code => ((char)code).ToString()),
        Gen.Choose(0x80, 0xFF).Select(code => ((char)code).ToString()),
        Gen.Elements("\uD83D", "\uDE00", "😀", "𝒳", "\u0301", "Ã©", "â€™", "&amp;", "&#x", "&#128;", "&", ";", "\u001B[", "m",
            "<|startoftext|>", "<|endoftext|>", "'s", "'", "Σ", "İ", "\uFF76\uFF9E", "\u1100\u1161\u11A8", " ", "\n", "word"));

    public static Arbitrary<string> Arbitrary { get; } = Piece.ListOf().Select(string.Concat).ToArbitrary();
}
