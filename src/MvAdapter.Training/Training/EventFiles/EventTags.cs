namespace MvAdapter.Training;

/// <summary>
/// Protobuf tags (field number, then wire type in the low three bits) of TensorFlow's event.proto and summary.proto, as far
/// as scalars need them.
/// </summary>
internal static class EventTags
{
    public const string Version = "brain.Event:2";
    public const uint WallTime = (1 << 3) | Fixed64;
    public const uint Step = (2 << 3) | Varint;
    public const uint FileVersion = (3 << 3) | LengthDelimited;
    public const uint Summary = (5 << 3) | LengthDelimited;
    public const uint SessionLog = (7 << 3) | LengthDelimited;

    public const uint SummaryValue = (1 << 3) | LengthDelimited;
    public const uint ValueTag = (1 << 3) | LengthDelimited;
    public const uint ValueSimple = (2 << 3) | Fixed32;

    public const uint SessionStatus = (1 << 3) | Varint;
    public const int SessionStart = 1;

    private const uint Varint = 0;
    private const uint Fixed64 = 1;
    private const uint LengthDelimited = 2;
    private const uint Fixed32 = 5;
}
