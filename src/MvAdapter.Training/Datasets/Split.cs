namespace MvAdapter.Datasets;

/// <summary>The part of a dataset.</summary>
public enum Split
{
    /// <summary>To learn from.</summary>
    Train,
    /// <summary>To choose a checkpoint by.</summary>
    Val,
    /// <summary>To report.</summary>
    Test,
}

/// <summary>How splits are written in files and options.</summary>
public static class SplitNames
{
    /// <summary>The split's usual name: <c>train</c>, <c>val</c> or <c>test</c>.</summary>
    public static string ToName(this Split split) => split switch
    {
        Split.Train => "train",
        Split.Val => "val",
        _ => "test",
    };

    /// <summary>Reads a name, with the other spellings of the validation split that files use.</summary>
    public static bool TryParse(string name, out Split split)
    {
        Split? parsed = name.Trim().ToLowerInvariant() switch
        {
            "train" or "training" => Split.Train,
            "val" or "valid" or "validate" or "validation" or "dev" => Split.Val,
            "test" or "testing" => Split.Test,
            _ => null,
        };
        split = parsed.GetValueOrDefault();
        return parsed is not null;
    }

    /// <summary>Reads a name given by the user.</summary>
    public static Split Parse(string name) => TryParse(name, out var split)
        ? split
        : throw new UsageException($"unknown split '{TextForMessage.Quote(name)}': use train, val or test");
}
