using System.CommandLine;
using MvAdapter.Search;

namespace MvAdapter.Cli;

/// <summary>The options that say which collection of an index is meant: by its model, by its number, or the only one.</summary>
internal sealed class CollectionOptions
{
    private readonly Option<long?> number = NumberOption();
    private readonly ModelOptions model;

    /// <summary>The option that names a collection by its number.</summary>
    public static Option<long?> NumberOption() => new("--collection") { Description = "The collection's number, where the index has several (see index collections)", HelpName = "N" };

    /// <summary>Adds the options to a command.</summary>
    public CollectionOptions(Command command)
    {
        command.Add(number);
        model = new ModelOptions(command, needsClip: false);
    }

    /// <summary>Loads the model that is named and its collection, or the collection that is there and its model.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="store">The index.</param>
    /// <param name="adding">How a new collection cuts videos, where one may be made; otherwise null.</param>
    /// <param name="cancellation">Ends downloads.</param>
    public (ClipCollection Collection, VideoTextEncoder Encoder) Load(ParseResult parsed, ClipStore store, ClipSplitting? adding, CancellationToken cancellation)
    {
        if (!model.IsNamed(parsed))
        {
            model.RefuseWithoutClip(parsed);
            var known = Choose(store, parsed.GetValue(number));
            return (known, ModelOptions.Load(model.OnThisMachine(parsed, known.Model.ToSource()), cancellation));
        }
        if (parsed.GetValue(number) is not null) throw new UsageException("give --collection or --clip, not both");
        var source = model.Source(parsed);
        var encoder = ModelOptions.Load(source, cancellation);
        try
        {
            var identity = encoder.Model.Identity;
            return (store.Collections().FirstOrDefault(collection => collection.Model.Identity == identity)
                ?? (adding is null ? throw new MvAdapterException($"{TextForMessage.Quote(store.Name)} has no clips of the model "
                    + $"{identity.Backbone}+{identity.Adapter}; it has {Names(store.Collections())}")
                : store.AddCollection(CollectionModel.Of(source, encoder, adding))), encoder);
        }
        catch
        {
            encoder.Dispose();
            throw;
        }
    }

    /// <summary>The same collection, where no encoder is needed: a model is loaded only to learn which one it is.</summary>
    public ClipCollection Find(ParseResult parsed, ClipStore store, ClipSplitting? adding, CancellationToken cancellation)
    {
        if (!model.IsNamed(parsed))
        {
            model.RefuseWithoutClip(parsed);
            return Choose(store, parsed.GetValue(number));
        }
        var (collection, encoder) = Load(parsed, store, adding, cancellation);
        encoder.Dispose();
        return collection;
    }

    /// <summary>The collection of a number, or the only one whose place no other has taken.</summary>
    /// <param name="store">The index.</param>
    /// <param name="number">The number; null where none was given.</param>
    /// <param name="byModel">Whether the command can name it by its model too.</param>
    /// <exception cref="UsageException">There is no such one, or there are several; the message names them.</exception>
    public static ClipCollection Choose(ClipStore store, long? number, bool byModel = true)
    {
        var all = store.Searchable();
        var name = TextForMessage.Quote(store.Name);
        if (all.Count == 0) throw new UsageException(byModel ? $"{name} has no model yet: name one by --clip (and --adapter) with index add" : $"{name} is empty: fill it by \"index add\"");
        if (number is { } id)
            return all.FirstOrDefault(collection => collection.Id == id) ?? throw new UsageException($"{name} has no collection {id}; it has {Names(all)}");
        return store.Latest() is [var only] ? only : throw new UsageException($"{name} has several collections: choose by --collection{(byModel ? ", or by --clip and --adapter" : "")}; it has {Names(all)}");
    }

    private static string Names(IReadOnlyList<ClipCollection> collections) => collections.Count == 0 ? "none"
        : string.Join(", ", collections.Select(collection => $"{collection.Id} ({collection.Model.Identity.Backbone}+{collection.Model.Identity.Adapter})"));
}
