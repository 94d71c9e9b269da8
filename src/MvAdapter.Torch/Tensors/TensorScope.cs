namespace MvAdapter.Torch;

/// <summary>
/// Frees the tensors made inside it when it ends. The garbage collector does not see native memory, so a
/// training step, an encoded batch, a request each run in a scope: <c>using var scope = new TensorScope();</c>.
/// A scope belongs to the thread that made it and must not span an <c>await</c>.
/// </summary>
public sealed class TensorScope : IDisposable
{
    [ThreadStatic] private static TensorScope? current;

    private readonly HashSet<Tensor> owned = new(ReferenceEqualityComparer.Instance);
    private readonly TensorScope? outer;
    private readonly int thread = Environment.CurrentManagedThreadId;
    private bool ended;

    /// <summary>Begins a scope inside the thread's current one.</summary>
    public TensorScope()
    {
        outer = current;
        current = this;
    }

    /// <summary>How many living tensors the scope will free.</summary>
    public int Count => owned.Count(tensor => tensor.Scope == this);

    /// <summary>
    /// Hands a tensor of this scope, or of one inside it, to the enclosing scope (to nobody when there is none),
    /// and returns it. A tensor that will outlive this scope anyway stays where it is.
    /// </summary>
    /// <exception cref="InvalidOperationException">Another thread made the scope.</exception>
    public Tensor Keep(Tensor tensor)
    {
        if (thread != Environment.CurrentManagedThreadId)
            throw new InvalidOperationException("a TensorScope keeps tensors on the thread that made it");
        if (tensor.Scope is not { } owner || !owner.IsWithin(this)) return tensor;
        owner.owned.Remove(tensor);
        tensor.Scope = outer;
        outer?.owned.Add(tensor);
        return tensor;
    }

    /// <summary>Ends the scope and frees what it still owns.</summary>
    /// <exception cref="InvalidOperationException">Another thread, or an inner scope has not ended.</exception>
    public void Dispose()
    {
        if (ended) return;
        if (thread != Environment.CurrentManagedThreadId || current != this)
            throw new InvalidOperationException("a TensorScope ends on the thread that made it, after the scopes inside it");
        ended = true;
        current = outer;
        foreach (var tensor in owned)
        {
            // Another thread may have taken it out of the scope meanwhile.
            if (tensor.Scope != this) continue;
            tensor.Scope = null;
            tensor.Dispose();
        }
        owned.Clear();
    }

    private bool IsWithin(TensorScope other)
    {
        var scope = this;
        while (scope is not null && scope != other) scope = scope.outer;
        return scope is not null;
    }

    internal static TensorScope? Adopt(Tensor tensor)
    {
        current?.owned.Add(tensor);
        return current;
    }

    internal void Forget(Tensor tensor)
    {
        // The set is this thread's alone: what another thread takes out stays listed, and the end passes over it.
        if (thread == Environment.CurrentManagedThreadId) owned.Remove(tensor);
    }
}
