using MvAdapter.Tests.Support;
using MvAdapter.Training;

namespace MvAdapter.Tests.Training;

public sealed class JsonLinesTests
{
    private sealed record Entry(long Step, double TrainLoss);

    [Fact]
    public void Lines_are_appended_over_reopenings_and_read_while_open()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("runs/log.jsonl");
        using (var log = new JsonLinesWriter(path)) log.Append(new Entry(1, 0.5));
        using (var log = new JsonLinesWriter(path))
        {
            log.Append(new Entry(2, double.NaN));
            Assert.Equal([new Entry(1, 0.5), new Entry(2, double.NaN)], JsonLines.Read<Entry>(path));
        }
        Assert.Equal("""{"step":1,"train_loss":0.5}""", File.ReadLines(path).First());
    }

    [Fact]
    public void A_line_torn_anywhere_costs_only_itself()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("log.jsonl");
        using (var log = new JsonLinesWriter(path))
        {
            log.Append(new Entry(1, 0.5));
            log.Append(new Entry(2, 0.25));
        }
        var whole = File.ReadAllBytes(path);
        var firstLine = Array.IndexOf(whole, (byte)'\n') + 1;
        for (var length = firstLine; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Equal([new Entry(1, 0.5)], JsonLines.Read<Entry>(path));
            using (var log = new JsonLinesWriter(path)) log.Append(new Entry(3, 1));
            Assert.Equal([new Entry(1, 0.5), new Entry(3, 1)], JsonLines.Read<Entry>(path));
        }
    }

    [Fact]
    public void A_long_torn_line_is_removed()
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("log.jsonl", "{\"step\":1,\"train_loss\":2}\n" + new string('x', 200_000));
        using (new JsonLinesWriter(path)) { }
        Assert.Equal([new Entry(1, 2)], JsonLines.Read<Entry>(path));
        Assert.Equal(26, new FileInfo(path).Length);
    }

    [Theory]
    [InlineData("{\"step\":1,\"train_loss\":2}\n{\"step\n")]
    [InlineData("{\"step\":1,\"train_loss\":2}\nnull\n")]
    public void A_bad_line_is_named(string text)
    {
        using var folder = new TemporaryFolder();
        var path = folder.Write("log.jsonl", text);
        var error = Assert.Throws<InvalidFileException>(() => JsonLines.Read<Entry>(path));
        Assert.Contains("line 2", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_log_that_cannot_be_opened_is_named()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<InvalidFileException>(() => new JsonLinesWriter(folder.Path));
        Assert.Throws<InvalidFileException>(() => JsonLines.Read<Entry>(folder.File("absent")));
    }
}
