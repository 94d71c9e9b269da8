using System.Net;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>Frozen weights, once for all workers of a machine: in a file in memory that each of them maps, and that has no name left once all have.</summary>
internal static class SharedWeights
{
    private const string MemoryFolder = "/dev/shm";
    private const long Alignment = 64;

    /// <summary>Puts the shared weights into the place of each worker's own. Those on a GPU stay where they are.</summary>
    /// <param name="workers">The workers; all of them call this.</param>
    /// <param name="model">The model, whose weights are the same for all.</param>
    /// <param name="say">Told where a worker keeps its own.</param>
    public static void Share(Workers workers, RetrievalModel model, Action<string> say)
    {
        if (!model.Device.IsCpu) return;
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        List<Tensor> frozen = [.. model.Clip.Parameters.Items.Where(item => !model.Method.Trains(item.Key)).Select(item => item.Value)];
        var total = frozen.Sum(Room);
        var host = Dns.GetHostName();
        var file = "";
        try
        {
            var (leads, others) = (workers.Environment.LocalRank == 0, workers.Environment.LocalWorldSize > 1);
            if (leads && others) file = TryWrite(frozen, total, say);
            var told = workers.Gather($"{host}\n{(leads ? "leads" : "")}\n{file}");
            var mine = told.Select(text => text.Split('\n')).FirstOrDefault(parts => parts[0] == host && parts[1].Length > 0)?[2] ?? "";
            if (mine.Length > 0 && (leads || File.Exists(mine))) Take(frozen, mine, total);
            workers.Guarded(workers.Group.Barrier);
        }
        finally
        {
            if (file.Length > 0) File.Delete(file);
        }
    }

    // Room is taken before anything is written: a write into memory that is not there would kill the process.
    private static string TryWrite(List<Tensor> frozen, long total, Action<string> say)
    {
        var path = Path.Combine(MemoryFolder, $"mvadapter-{Guid.NewGuid():N}");
        try
        {
            using (var handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, FileOptions.None, total))
            {
                long at = 0;
                foreach (var tensor in frozen)
                {
                    RandomAccess.Write(handle, tensor.ToBytes(), at);
                    at += Room(tensor);
                }
                RandomAccess.SetLength(handle, total);
            }
            return path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            File.Delete(path);
            say(FormattableString.Invariant($"{MemoryFolder} has no room for {total / 1e6:0} MB of frozen weights, so each worker keeps its own; give it more (docker run --shm-size) to hold them once"));
            return "";
        }
    }

    private static void Take(List<Tensor> frozen, string path, long total)
    {
        Tensor all = Operator.Call("aten::from_file", path, false, total, DType.UInt8);
        long at = 0;
        foreach (var tensor in frozen)
        {
            Tensor bytes = all.Narrow(0, at, tensor.ElementCount * tensor.DType.ElementSize());
            Tensor typed = Operator.Call("aten::view.dtype", bytes, tensor.DType);
            Operator.Call("aten::set_.source_Tensor", tensor, typed.View([.. tensor.Shape]));
            at += Room(tensor);
        }
    }

    private static long Room(Tensor tensor) => (tensor.ElementCount * tensor.DType.ElementSize() + Alignment - 1) / Alignment * Alignment;
}
