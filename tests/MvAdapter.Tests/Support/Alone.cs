using MvAdapter.Torch;

namespace MvAdapter.Tests.Support;

/// <summary>Tests that read what belongs to the whole process (living tensors, resident memory, threads) run while no other does.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class Alone
{
    public const string Name = "Alone";

    /// <summary>The living tensors, once those that earlier tests left to the garbage collector are gone.</summary>
    public static long LivingTensors()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return Tensor.Living;
    }
}
