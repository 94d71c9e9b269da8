namespace MvAdapter.Server;

/// <summary>What was asked for is not there (any more).</summary>
internal sealed class NotFoundException(string message) : MvAdapterException(message);
