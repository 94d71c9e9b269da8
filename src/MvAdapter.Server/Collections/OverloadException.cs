namespace MvAdapter.Server;

/// <summary>There is more to do than the server takes on; whoever asks again in a moment may have better luck.</summary>
internal sealed class OverloadException(string message) : MvAdapterException(message);
