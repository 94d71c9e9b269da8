using System.Text;

namespace MvAdapter.Clip;

/// <summary>
/// Merges the bytes of one word into tokens: again and again the pair that stands first in the list of merges,
/// everywhere in the word. A queue makes it n log n, so that a page of text without a space is no trap.
/// </summary>
internal sealed class BytePairEncoder
{
    private const int None = -1;

    private readonly int[] byteIds;
    private readonly int[] lastByteIds;
    private readonly Dictionary<(int Left, int Right), (int Rank, int Id)> merges;

    public BytePairEncoder(Vocabulary vocabulary)
    {
        int IdOf(string token) => vocabulary.Ids.TryGetValue(token, out var id)
            ? id
            : throw new InvalidFileException(vocabulary.Path, $"the vocabulary lacks the token \"{TextForMessage.Quote(token, 80)}\", which a byte or a merge needs");

        byteIds = [.. Enumerable.Range(0, 256).Select(value => IdOf(ByteSymbols.Of((byte)value)))];
        lastByteIds = [.. Enumerable.Range(0, 256).Select(value => IdOf(ByteSymbols.Of((byte)value) + ByteSymbols.EndOfWord))];
        merges = new Dictionary<(int, int), (int, int)>(vocabulary.Merges.Count);
        foreach (var (rank, (left, right)) in vocabulary.Merges.Index())
            merges[(IdOf(left), IdOf(right))] = (rank, IdOf(left + right));
    }

    /// <summary>The token ids of a word that is not empty.</summary>
    public int[] Encode(string word)
    {
        var bytes = Encoding.UTF8.GetBytes(word);
        var ids = new int[bytes.Length];
        for (var i = 0; i < bytes.Length; i++) ids[i] = byteIds[bytes[i]];
        ids[^1] = lastByteIds[bytes[^1]];
        return ids.Length == 1 ? ids : Merge(ids);
    }

    private int[] Merge(int[] ids)
    {
        // A linked list over positions: a merge puts the new token at its left half and unlinks the right one.
        var previous = new int[ids.Length];
        var next = new int[ids.Length];
        var queue = new PriorityQueue<int, long>();
        for (var i = 0; i < ids.Length; i++)
        {
            previous[i] = i - 1;
            next[i] = i + 1 < ids.Length ? i + 1 : None;
        }
        for (var i = 0; i < ids.Length; i++) Offer(i);

        var round = new List<int>();
        while (queue.TryPeek(out _, out var first))
        {
            // All pairs of one rank go before pairs that their merging makes, whatever the rank of those.
            var rank = RankOf(first);
            round.Clear();
            while (queue.TryPeek(out var position, out var priority) && RankOf(priority) == rank)
            {
                queue.Dequeue();
                round.Add(position);
            }
            foreach (var position in round)
                if (TryGetMerge(position, out var merge) && merge.Rank == rank) Join(position, merge.Id);
        }
        return [.. ids.Where(id => id != None)];

        void Join(int position, int id)
        {
            var right = next[position];
            ids[position] = id;
            ids[right] = None;
            next[position] = next[right];
            if (next[right] != None) previous[next[right]] = position;
            Offer(position);
            if (previous[position] != None) Offer(previous[position]);
        }

        void Offer(int position)
        {
            if (TryGetMerge(position, out var merge)) queue.Enqueue(position, ((long)merge.Rank << 32) | (uint)position);
        }

        bool TryGetMerge(int position, out (int Rank, int Id) merge)
        {
            merge = default;
            return ids[position] != None && next[position] != None
                && merges.TryGetValue((ids[position], ids[next[position]]), out merge);
        }

        static int RankOf(long priority) => (int)(priority >> 32);
    }
}
