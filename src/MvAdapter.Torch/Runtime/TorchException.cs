namespace MvAdapter.Torch;

/// <summary>libtorch refused a call; the message names the operator, the shapes it got and libtorch's reason.</summary>
public sealed class TorchException : Exception
{
    /// <summary>Makes the exception from its message.</summary>
    public TorchException(string message, Exception? inner = null) : base(message, inner) { }
}
