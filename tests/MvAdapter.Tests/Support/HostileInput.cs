namespace MvAdapter.Tests.Support;

/// <summary>Damages a valid file in many reproducible ways and checks that its reader answers with a clear line alone.</summary>
public static class HostileInput
{
    /// <summary>Runs the reader on cuts, changed bytes and noise; nothing but InvalidFileException may come out of it.</summary>
    public static void Check(byte[] valid, Action<string> read, int seed = 1, int cases = 300)
    {
        var random = new Random(seed);
        using var folder = new TemporaryFolder();
        for (var i = 0; i < cases; i++)
        {
            var path = folder.Write("hostile", Damage(valid, random, i % 4));
            try
            {
                read(path);
            }
            catch (InvalidFileException exception)
            {
                Assert.DoesNotContain('\n', exception.Message);
            }
        }
    }

    private static byte[] Damage(byte[] valid, Random random, int way)
    {
        switch (way)
        {
            case 0:
                return valid[..random.Next(valid.Length)];
            case 1:
                var noise = new byte[random.Next(600)];
                random.NextBytes(noise);
                return noise;
            default:
                // The structure lies at either end of the formats at hand, so that is where most of the damage goes.
                var bytes = (byte[])valid.Clone();
                var reach = Math.Min(bytes.Length, 600);
                for (var n = random.Next(1, 6); n > 0; n--)
                {
                    var position = random.Next(reach);
                    bytes[way == 2 ? position : bytes.Length - 1 - position] = (byte)random.Next(256);
                }
                return bytes;
        }
    }
}
