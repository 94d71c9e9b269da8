namespace MvAdapter;

/// <summary>There is more to do than the server takes on; whoever asks again in a moment may have better luck.</summary>
public sealed class OverloadException(string message) : MvAdapterException(message);
