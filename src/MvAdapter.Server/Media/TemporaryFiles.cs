namespace MvAdapter.Server;

/// <summary>A folder for files that live no longer than a request.</summary>
internal sealed class TemporaryFiles : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("mvadapter-serve-").FullName;

    /// <summary>The path of a file that is not there yet. Whoever makes it deletes it.</summary>
    public string Next(string extension = "") => Path.Combine(folder, Guid.NewGuid().ToString("N") + extension);

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
