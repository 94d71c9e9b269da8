using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace MvAdapter;

/// <summary>Reads YAML that is a list of keys and values, from files that anybody may have written.</summary>
public static class YamlMap
{
    private const int LongestText = 1 << 20;
    private const int DeepestNesting = 16;

    /// <summary>The map; null where the text is empty.</summary>
    /// <exception cref="InvalidFileException">It is no YAML, or no map.</exception>
    public static YamlMappingNode? Read(string text, string origin)
    {
        if (text.Length > LongestText) throw new InvalidFileException(origin, "is too large for a config: more than 1 MiB");
        var yaml = new YamlStream();
        try
        {
            CheckNesting(text, origin);
            yaml.Load(new StringReader(text));
        }
        catch (YamlException e)
        {
            throw new InvalidFileException(origin, $"line {e.Start.Line}: no YAML ({TextForMessage.Quote(e.Message, 120)})", e);
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentException)
        {
            // The parser's own state does not survive some malformed texts.
            throw new InvalidFileException(origin, "no YAML", e);
        }
        if (yaml.Documents.Count == 0) return null;
        return yaml.Documents[0].RootNode as YamlMappingNode ?? throw new InvalidFileException(origin, "line 1: a config is a list of 'key: value' lines");
    }

    // Nodes are loaded by recursion, and an alias repeats what may hold aliases itself.
    private static void CheckNesting(string text, string origin)
    {
        var parser = new Parser(new StringReader(text));
        var depth = 0;
        while (parser.MoveNext())
        {
            depth += parser.Current!.NestingIncrease;
            if (depth > DeepestNesting || parser.Current is AnchorAlias)
                throw new InvalidFileException(origin, $"line {parser.Current.Start.Line}: a config is not nested so deeply, and has no aliases");
        }
    }
}
