namespace MvAdapter.Video;

/// <summary>What a media program writes into one pipe.</summary>
/// <param name="stream">The pipe's end here.</param>
/// <param name="alive">Called whenever something came.</param>
internal sealed class MediaOutput(Stream stream, Action alive) : IDisposable
{
    /// <summary>Fills the buffer and returns the number of bytes read: fewer only at the end of the output.</summary>
    public int Fill(Span<byte> buffer)
    {
        var filled = 0;
        while (filled < buffer.Length)
        {
            var read = stream.Read(buffer[filled..]);
            if (read == 0) break;
            filled += read;
            alive();
        }
        return filled;
    }

    /// <summary>Takes no more: the program's next write here fails, instead of waiting for ever.</summary>
    public void Dispose() => stream.Dispose();
}
