using System.Text;
using FsCheck;
using FsCheck.Fluent;
using MvAdapter.Clip;

namespace MvAdapter.Tests.Clip;

public sealed class TextCleanerTests
{
    [Theory]
    [InlineData("", "")]
    [InlineData(" \t\r\n ", "")]
    [InlineData("A MAN is  riding\ta bike,   quickly!", "a man is riding a bike, quickly!")]
    [InlineData("line\r\nbreak\u2028and\u2029more\u0085end", "line break and more…end")]
    [InlineData("a\u3000b\u00A0c\u2003d", "a b c d")]
    [InlineData("“quoted” it’s ‘so’ „low‟ ‚x‛", "\"quoted\" it's 'so' \"low\" 'x'")]
    [InlineData("ﬁne ﬂow oﬃce aﬄuent ĳs ǆ", "fine flow office affluent ijs dž")]
    [InlineData("ＡＢＣ１２３！ ｶﾞｷﾞ ￥￡ ￣ ￭", "abc123! ガギ ¥£ ̄ ■")]
    [InlineData("\u001B[36;44mblue\u001B[0m sky\u001B[K", "blue sky")]
    [InlineData("bell\u0007 null\0 del\u007F bom\uFEFF x\uFFFAy", "bell null del bom xy")]
    [InlineData("e\u0301 a\u0323\u0302 \u1112\u1161\u11AB \u212B", "é ậ 한 å")]
    [InlineData("İstanbul STRASSE ẞ ΟΔΟΣ Σ ΑΣΑ", "i̇stanbul strasse ß οδος σ ασα")]
    public void Mends_characters(string text, string expected) => Assert.Equal(expected, TextCleaner.Clean(text));

    [Fact]
    public void Lone_surrogates_become_replacement_characters() =>
        Assert.Equal("a \uFFFD b \uFFFD c 😀", TextCleaner.Clean("a \uD83D b \uDE00 c \uD83D\uDE00"));

    [Theory]
    [InlineData("rock &amp; roll", "rock & roll")]
    [InlineData("&lt;b&gt;bold&lt;/b&gt; &amp;amp; more", "<b>bold</b> & more")]
    [InlineData("&ldquo;hi&rdquo; &hellip; &frac12; &NTILDE; &Eacute;t&eacute;", "\"hi\" … ½ ñ été")]
    [InlineData("<i> &ldquo;hi&rdquo;", "<i> “hi”")]
    [InlineData("&#65;&#x42;&#X43; &#128;&#x99; &#x1F600;", "abc €™ 😀")]
    [InlineData("&amp &lt &copy 1 &notit; &AMP &unknown; & &; &#; &#x;", "& < © 1 ¬it; & &unknown; & &; &#; &#x;")]
    [InlineData("&#0; &#xD800; &#x110000; &#99999999999999999999; a&#1;b&#x7F;c", "\uFFFD \uFFFD \uFFFD \uFFFD abc")]
    [InlineData("&CounterClockwiseContourIntegral; &bne;", "∳ =⃥")]
    [InlineData("fish&nbsp;chips &#59;", "fish chips ;")]
    public void Unescapes_html(string text, string expected) => Assert.Equal(expected, TextCleaner.Clean(text));

    [Theory]
    [InlineData("Ã©tÃ© naÃ¯ve schÃ¶n", "été naïve schön")]
    [InlineData("Ã\u0083Â©tÃ\u0083Â©", "été")]
    [InlineData("ÃƒÂ©tÃƒÂ©", "été")]
    [InlineData("itâ€™s â€œfineâ€\u009D â€” reallyâ€¦", "it's \"fine\" — really…")]
    [InlineData("Ã¼ber Ã–l and MÃ¼nchen", "über öl and münchen")]
    [InlineData("a cafÃ© and a café", "a café and a café")]
    [InlineData("smile ðŸ˜€ and ð\u009F\u0098\u0080", "smile 😀 and 😀")]
    [InlineData("æ—¥æœ¬èªž", "日本語")]
    [InlineData("Ð¿Ñ€Ð¸Ð²ÐµÑ‚ Ð¼Ð¸Ñ€", "привет мир")]
    [InlineData("BrandÂ® costs Â£5, 20Â°C", "brand® costs £5, 20°c")]
    [InlineData("tradeâ„¢ â‚¬5 â˜… âœ“", "trade™ €5 ★ ✓")]
    [InlineData("siÄ™ Å¼ÃłÅ‚w maÅ‚y", "się żãłłw mały")]
    [InlineData("never UTF-8\u0085 \u0093quoted\u0094", "never utf-8… \"quoted\"")]
    public void Mends_misread_utf8(string text, string expected) => Assert.Equal(expected, TextCleaner.Clean(text));

    public static TheoryData<string> CorrectTexts =>
    [
        "café naïve über façade señor",
        "Русский текст — «кавычки» № 5",
        "中文字符，日本語とひらがな、한국어",
        "emoji 😀 👩‍👩‍👧 🇫🇷 ❤️",
        "not such a fan of Charlotte Brontë…”",
        "AHÅ™, the new sofa from IKEA®",
        "« Voilà ! » dit-il, l’été\u00A0» et «\u00A0où\u00A0»",
        "NESCAFÉ® at the CAFÉ… the CAFÉ’s menu, ROSÉ™",
        "BLÅ–GUL flagga, ÖL–BAR, Straße” und Spaß… GROSSE SPÄẞE",
        "CORAÇÃO DE MÃE, IRMÃ… AMANHÃ” NÃO",
        "Příliš žluťoučký kůň úpěl ďábelské ódy – už máš… KÝŽ ÁŠ",
        "zażółć gęślą jaźń ŁÓDŹ",
        "İstanbul’da güneş çok şık ğ ı",
        "Tiếng Việt Ă Â Đ Ê Ô Ơ Ư đẹp",
        "3×½ = 1½, 5 °C ± 2 µm, £5 ¥6 ¢7 §8 ¶9 ¼",
        "ελληνικά ΑΒΓ עברית العربية हिन्दी ไทย",
        "¿Qué? ¡Olé! «así» niño NIÑO",
        "Ærø Åse Øl Ångström ÐÞ ðþ æøå",
    ];

    [Theory]
    [MemberData(nameof(CorrectTexts))]
    public void Leaves_correct_text_alone(string text) => Assert.Equal(text, Mojibake.Mend(text));

    [Theory]
    [MemberData(nameof(CorrectTexts))]
    public void Mends_any_text_that_was_misread(string text)
    {
        var misread = Misread(text);
        var twice = Misread(misread);
        Assert.Equal(text, Mojibake.Mend(misread));
        Assert.Equal(text, Mojibake.Mend(twice));

        static string Misread(string text) => string.Concat(Encoding.UTF8.GetBytes(text).Select(Windows1252.ToChar));
    }

    [Fact]
    public void Never_throws_and_folds_white_space() =>
        Prop.ForAll(HostileText.Arbitrary, text =>
        {
            var cleaned = TextCleaner.Clean(text);
            return !cleaned.Contains("  ", StringComparison.Ordinal) && cleaned == cleaned.Trim();
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Composition_is_idempotent() =>
        Prop.ForAll(HostileText.Arbitrary, text =>
            CanonicalForm.Compose(CanonicalForm.Compose(text)) == CanonicalForm.Compose(text)).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData("\u0958", "\u0915\u093C")]
    [InlineData("q\u0307\u0323", "q\u0323\u0307")]
    [InlineData("a\u0327\u0301\u0323", "\u1EA1\u0327\u0301")]
    [InlineData("\uAC00\u11A8", "\uAC01")]
    [InlineData("\uF900", "\u8C48")]
    [InlineData("\U0001D15E", "\U0001D157\U0001D165")]
    [InlineData("\U00011099\U000110BA", "\U0001109A")]
    public void Composes_canonically(string text, string expected) => Assert.Equal(expected, CanonicalForm.Compose(text));
}
