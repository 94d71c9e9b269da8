namespace MvAdapter;

/// <summary>How the numbers of an adapter are stored, from the widest to the narrowest.</summary>
public enum AdapterPrecision
{
    /// <summary>As they were trained: four bytes a number.</summary>
    Float32,

    /// <summary>Two bytes a number.</summary>
    BFloat16,

    /// <summary>One byte a number of a matrix, with a float32 scale for each of its rows; bfloat16 for the rest.</summary>
    Int8,
}

/// <summary>The names of precisions in files and on the command line.</summary>
public static class AdapterPrecisionNames
{
    private static readonly string[] Names = ["fp32", "bf16", "int8"];

    /// <summary>The short name: fp32, bf16 or int8.</summary>
    public static string ToName(this AdapterPrecision precision) => Names[(int)precision];

    /// <summary>The precision of a name, or null.</summary>
    public static AdapterPrecision? TryParse(string name) =>
        Array.IndexOf(Names, name) is >= 0 and var index ? (AdapterPrecision)index : null;
}
