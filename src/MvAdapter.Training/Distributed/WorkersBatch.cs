using System.Security.Cryptography;
using System.Text;
using MvAdapter.Datasets;

namespace MvAdapter.Training;

/// <summary>What workers must agree on before they divide batches: the rows, and the pairs that they are drawn from.</summary>
internal static class WorkersBatch
{
    /// <summary>Refuses a batch that the workers cannot divide, and datasets that differ.</summary>
    /// <exception cref="MvAdapterException">The line says which sizes can be divided, or who sees other videos.</exception>
    public static void Agree(Workers workers, Dataset training, int batchSize)
    {
        if (batchSize % workers.Count != 0) throw new UsageException(Refusal(batchSize, workers.Count));
        var digest = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', training.Pairs.Select(pair => $"{pair.Sample.Id}\t{pair.Caption}")))));
        var seen = workers.Gather($"{training.Samples.Count} videos and {training.Pairs.Count} pairs|{digest}");
        for (var rank = 1; rank < seen.Length; rank++)
            if (seen[rank] != seen[0])
                throw new MvAdapterException($"{workers.Name(rank)} sees {Numbers(seen[rank])}, {workers.Name(0)} sees {Numbers(seen[0])}{(Numbers(seen[rank]) == Numbers(seen[0]) ? ", but others" : "")}: all workers need the same annotations and videos");

        static string Numbers(string text) => text[..text.IndexOf('|', StringComparison.Ordinal)];
    }

    private static string Refusal(int batchSize, int workers)
    {
        var below = batchSize / workers * workers;
        var above = below + workers;
        var choices = below >= Math.Max(2, workers) ? $"{below} or {above}" : $"{above}";
        return batchSize < workers
            ? $"batch_size {batchSize} has fewer rows than there are workers ({workers}): use fewer workers, or batch_size {choices}"
            : $"batch_size {batchSize} cannot be divided among {workers} workers: use {choices}";
    }
}
