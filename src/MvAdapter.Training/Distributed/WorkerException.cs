namespace MvAdapter.Training;

/// <summary>The workers' work has ended because one of them failed; the line names its rank, its host and the reason.</summary>
public sealed class WorkerException(string message, Exception? inner = null) : MvAdapterException(message, inner);
