using System.Collections;

namespace MvAdapter.Search;

/// <summary>The clips that answer a query, the nearest first, and how thoroughly they were looked for.</summary>
/// <param name="matches">The clips.</param>
public sealed class ClipAnswer(IReadOnlyList<ClipMatch> matches) : IReadOnlyList<ClipMatch>
{
    /// <summary>Whether an approximate index chose which clips were looked at; almost always the nearest are among them.</summary>
    public bool IsApproximate { get; init; }

    /// <summary>The servers whose clips could not be looked at; empty where the answer is whole. A partial answer must not be kept as a whole one.</summary>
    public IReadOnlyList<string> Missing { get; init; } = [];

    /// <inheritdoc/>
    public int Count => matches.Count;

    /// <inheritdoc/>
    public ClipMatch this[int index] => matches[index];

    /// <summary>Some of its clips, looked for as these were.</summary>
    public ClipAnswer With(IEnumerable<ClipMatch> some) => new([.. some]) { IsApproximate = IsApproximate, Missing = Missing };

    /// <inheritdoc/>
    public IEnumerator<ClipMatch> GetEnumerator() => matches.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
