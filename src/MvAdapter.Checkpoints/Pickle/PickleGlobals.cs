using System.Text;

namespace MvAdapter.Checkpoints;

/// <summary>
/// The Python names that a pickle may mention, each with a function of ours in its place. Python itself would import
/// and call whatever a pickle names; here a name off the list is refused.
/// </summary>
internal sealed class PickleGlobals
{
    private readonly Dictionary<(string Module, string Name), PickleGlobal> globals = [];
    private readonly List<string> classPrefixes = [];

    /// <summary>Python's containers, and the way in which old protocols spell bytes and sets.</summary>
    public static PickleGlobals Containers()
    {
        var globals = new PickleGlobals().Allow("collections", "OrderedDict", MakeDictionary).Allow("_codecs", "encode", Encode);
        foreach (var builtins in (string[])["builtins", "__builtin__"])
        {
            globals.Allow(builtins, "set", MakeSet).Allow(builtins, "frozenset", MakeSet).Allow(builtins, "bytearray", MakeBytes);
        }
        return globals;
    }

    /// <summary>Allows a function or class, and says what calling it gives.</summary>
    public PickleGlobals Allow(string module, string name, Func<object?[], object?> call)
    {
        globals.Add((module, name), new PickleGlobal(module, name, call));
        return this;
    }

    /// <summary>Allows a name that is only mentioned, such as the type of a storage.</summary>
    public PickleGlobals AllowName(string module, string name)
    {
        globals.Add((module, name), new PickleGlobal(module, name, call: null));
        return this;
    }

    /// <summary>Allows instances of every class whose module starts so; they become <see cref="PickleObject"/>.</summary>
    public PickleGlobals AllowClasses(string modulePrefix)
    {
        classPrefixes.Add(modulePrefix);
        return this;
    }

    /// <summary>The global of a name, or an exception that says the name.</summary>
    public PickleGlobal Find(string module, string name)
    {
        if (globals.TryGetValue((module, name), out var global)) return global;
        foreach (var prefix in classPrefixes)
        {
            if (module.StartsWith(prefix, StringComparison.Ordinal))
                return new PickleGlobal(module, name, _ => new PickleObject($"{module}.{name}"));
        }
        throw new PickleException(
            $"the file asks for the Python function or class {PickleGlobal.Quoted(module, name)}, which is not among those that plain data needs; nothing was run");
    }

    private static object MakeDictionary(object?[] arguments)
    {
        var dictionary = new Dictionary<object, object?>(PickleKeyComparer.Instance);
        if (arguments is []) return dictionary;
        if (arguments is not [List<object?> pairs]) throw new PickleException("it makes an OrderedDict of something else than pairs");
        foreach (var pair in pairs)
        {
            if (Items(pair) is not [var key, var value]) throw new PickleException("it makes an OrderedDict of something else than pairs");
            dictionary[Pickle.Key(key)] = value;
        }
        return dictionary;
    }

    private static IReadOnlyList<object?> Items(object? value) => value switch
    {
        object?[] tuple => tuple,
        List<object?> list => list,
        _ => [],
    };

    private static object MakeSet(object?[] arguments)
    {
        var set = new HashSet<object>(PickleKeyComparer.Instance);
        foreach (var item in arguments is [var items] ? Items(items) : []) set.Add(Pickle.Key(item));
        return set;
    }

    private static object MakeBytes(object?[] arguments) => arguments switch
    {
        [] => Array.Empty<byte>(),
        [byte[] bytes] => bytes,
        [string text, ..] => Encoding.Latin1.GetBytes(text),
        _ => throw new PickleException("it makes a bytearray of something else than bytes"),
    };

    // Protocols 0 to 2 have no bytes: Python writes them as text whose characters are the bytes.
    private static object Encode(object?[] arguments) => arguments is [string text, "latin1" or "latin-1"]
        ? Encoding.Latin1.GetBytes(text)
        : throw new PickleException("it encodes text in another way than latin1");
}
