namespace MvAdapter.Video;

/// <summary>
/// The boxes that stand side by side in a box of an MP4 or MOV file: four letters that say what a box holds, and its
/// content. Whatever is unusual ends in an <see cref="InvalidDataException"/>, and so does a kind that nobody expected,
/// since it may change what the others mean.
/// </summary>
internal sealed class MovBoxes
{
    // Some ten stand in one place; only tracks may be many.
    private const int MaxBoxes = 100;
    private const int HeaderLength = 8;
    private readonly List<(string Type, ReadOnlyMemory<byte> Content)> boxes = [];

    /// <summary>Splits the bytes into boxes, which must fill them and be of these kinds.</summary>
    public MovBoxes(ReadOnlyMemory<byte> bytes, params ReadOnlySpan<string> kinds)
    {
        while (bytes.Length > 0)
        {
            var header = new MovFields(bytes.Span);
            long length = header.UInt32();
            var type = header.Type();
            // Lengths 0 and 1 (to the end of the file, or in 64 bits) are for pictures, not for what stands in a header.
            MovFields.Demand(length >= HeaderLength && length <= bytes.Length && boxes.Count < MaxBoxes && kinds.Contains(type));
            boxes.Add((type, bytes[HeaderLength..(int)length]));
            bytes = bytes[(int)length..];
        }
    }

    /// <summary>The contents of the boxes of a kind.</summary>
    public IEnumerable<ReadOnlyMemory<byte>> All(string type) => boxes.Where(box => box.Type == type).Select(box => box.Content);

    /// <summary>The content of the one box of a kind.</summary>
    public ReadOnlyMemory<byte> One(string type) => Optional(type) ?? throw new InvalidDataException($"no {type}");

    /// <summary>The content of the box of a kind; null without one.</summary>
    public ReadOnlyMemory<byte>? Optional(string type)
    {
        var found = All(type).ToList();
        MovFields.Demand(found.Count <= 1);
        if (found.Count == 0) return null; // no conditional expression: its null would become an empty content
        return found[0];
    }
}
