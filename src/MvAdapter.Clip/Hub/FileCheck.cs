using MvAdapter.Checkpoints;

namespace MvAdapter.Clip;

/// <summary>What could be checked of a file of weights, where nothing was wrong.</summary>
/// <param name="Path">The file.</param>
/// <param name="Result">In words.</param>
/// <param name="Whole">Whether every byte of the weights has a checksum that was right.</param>
public sealed record FileCheck(string Path, string Result, bool Whole)
{
    /// <summary>Checks the weights at a path: a file, a folder of a CLIP, or an index of shards, each of them.</summary>
    /// <exception cref="InvalidFileException">A file is missing or damaged.</exception>
    public static IEnumerable<FileCheck> Run(string path)
    {
        var file = Directory.Exists(path) ? ClipFolder.FindWeights(path) : path;
        foreach (var part in ClipFolder.IsIndex(file) ? ClipFolder.Shards(file) : [file]) yield return Check(part);
    }

    private static FileCheck Check(string path)
    {
        if (System.IO.Path.GetExtension(path).ToLowerInvariant() is ".pt" or ".pth" or ".bin")
        {
            var (right, all) = TorchArchive.CheckSums(path);
            return new FileCheck(path, right == all ? $"the CRC-32 of all {all} entries is right" : $"the CRC-32 of {right} of {all} entries is right; the others have none", right == all);
        }
        var tensors = Safetensors.Read(path).Tensors.Count;
        return Safetensors.HasDigest(path) ? new FileCheck(path, $"the digest of all {tensors} tensors is right", true)
            : new FileCheck(path, $"{tensors} tensors, laid out as the header says; it carries no digest, so nothing more can be said", false);
    }
}
