namespace MvAdapter.Checkpoints;

/// <summary>The values a pickle has made so far, the marks that delimit groups of them, and the memo.</summary>
internal sealed class PickleStack
{
    private readonly List<object?> values = [];
    private readonly List<int> marks = [];
    private readonly Dictionary<long, object?> memo = [];

    public void Push(object? value) => values.Add(value);

    public void Mark() => marks.Add(values.Count);

    public object? Peek() => values.Count > Floor ? values[^1] : throw Underflow();

    public object? Pop()
    {
        var value = Peek();
        values.RemoveAt(values.Count - 1);
        return value;
    }

    public T Pop<T>(string what) => Pop() is T value ? value : throw new PickleException($"the pickle is damaged: {what} is missing");

    /// <summary>The value below, which the operation at hand fills.</summary>
    public T Peek<T>(string what) => Peek() is T value ? value : throw new PickleException($"the pickle is damaged: {what} is missing");

    public object?[] PopTuple(int count)
    {
        var items = new object?[count];
        for (var i = count - 1; i >= 0; i--) items[i] = Pop();
        return items;
    }

    /// <summary>Everything above the last mark, and the mark itself.</summary>
    public object?[] PopToMark()
    {
        if (marks.Count == 0) throw Underflow();
        var start = Floor;
        object?[] items = [.. values[start..]];
        values.RemoveRange(start, items.Length);
        marks.RemoveAt(marks.Count - 1);
        return items;
    }

    /// <summary>Drops the topmost value, or the mark where that is topmost.</summary>
    public void Drop()
    {
        if (marks.Count > 0 && Floor == values.Count) marks.RemoveAt(marks.Count - 1);
        else Pop();
    }

    public void Remember(long index) => memo[index] = Peek();

    public void RememberNext() => Remember(memo.Count);

    public void Recall(long index)
    {
        if (!memo.TryGetValue(index, out var value)) throw new PickleException($"the pickle is damaged: its memo has no entry {index}");
        Push(value);
    }

    private int Floor => marks.Count > 0 ? marks[^1] : 0;

    private static PickleException Underflow() => new("the pickle is damaged: it takes a value that it never made");
}
