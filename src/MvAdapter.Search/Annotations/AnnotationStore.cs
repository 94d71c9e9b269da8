namespace MvAdapter.Search;

/// <summary>
/// The captions and marks of a store, for all of its collections. Each change is one transaction. An annotation that is there is not made a
/// second time, and of one query and one clip the last mark counts. Safe for use by several threads and processes.
/// </summary>
public abstract class AnnotationStore
{
    /// <summary>What is kept of one, in both stores.</summary>
    private protected const string Columns = "token, kind, hash, path, start, \"end\", text, who, at";

    /// <summary>Keeps an annotation.</summary>
    /// <returns>What is kept: an earlier one, where the token or an equal caption of the clip is there.</returns>
    /// <exception cref="UsageException">The text is empty, too long or holds control characters.</exception>
    /// <exception cref="MvAdapterException">The store is read-only.</exception>
    public ClipAnnotation Add(ClipAnnotation annotation)
    {
        ArgumentNullException.ThrowIfNull(annotation);
        return Insert(annotation.Checked());
    }

    /// <summary>Takes one back; false when it is not there (any more).</summary>
    public abstract bool Remove(string token);

    /// <summary>All, the oldest first.</summary>
    public abstract IReadOnlyList<ClipAnnotation> All();

    /// <summary>Those of a file's content, the oldest first.</summary>
    public abstract IReadOnlyList<ClipAnnotation> Of(string hash);

    /// <summary>How many there are of each kind.</summary>
    public abstract IReadOnlyDictionary<AnnotationKind, long> Count();

    /// <summary><see cref="Add"/> with what has been checked.</summary>
    protected abstract ClipAnnotation Insert(ClipAnnotation annotation);
}
