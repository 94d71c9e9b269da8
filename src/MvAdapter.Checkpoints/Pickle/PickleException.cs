namespace MvAdapter.Checkpoints;

/// <summary>
/// Why a pickle cannot be read. It never leaves <see cref="Pickle"/>, which adds the file's name; functions of
/// <see cref="PickleGlobals"/> throw it too.
/// </summary>
internal sealed class PickleException(string reason) : Exception(reason);
