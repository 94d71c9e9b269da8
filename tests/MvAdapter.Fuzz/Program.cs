using MvAdapter.Fuzz;
using SharpFuzz;

// Called by afl-fuzz, see eng/fuzz: the name of a target, and for one input its file.
if (args is [var list] && list == "--list")
{
    foreach (var name in FuzzTargets.All.Keys) Console.WriteLine(name);
    return 0;
}
if (args.Length is 0 or > 2 || !FuzzTargets.All.ContainsKey(args[0]))
{
    Console.Error.WriteLine("usage: MvAdapter.Fuzz TARGET [FILE]; targets: " + string.Join(", ", FuzzTargets.All.Keys));
    return 2;
}
if (args is [var target, var file])
{
    FuzzTargets.Run(target, File.ReadAllBytes(file));
    return 0;
}
Fuzzer.Run(stream =>
{
    using var bytes = new MemoryStream();
    stream.CopyTo(bytes);
    FuzzTargets.Run(args[0], bytes.ToArray());
});
return 0;
