using System.ComponentModel;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing;
using MvAdapter.Search;

namespace MvAdapter.Server;

/// <summary>Teaching: captions of clips, marks on answers, and the training of an adapter on them.</summary>
internal sealed class TeachEndpoints(ClipStore store, Collections collections, ClipSearch search, ClipAddresses addresses, ServerOptions options, TeachingJobs? jobs)
{
    private const int MostAtOnce = 100;
    private const int TextsThatTellDoubt = 64;
    private static readonly TimeSpan PatienceForDoubts = TimeSpan.FromSeconds(2);

    public void Map(IEndpointRouteBuilder routes)
    {
        const string clips = "/api/collections/{collection:long}/clips/{clip:long}/annotations";
        routes.MapGet("/api/teaching", Status).WithSummary("How far teaching is").Describe("Teaching");
        routes.MapGet("/api/collections/{collection:long}/teach", Next).WithSummary("Clips whose captions would teach most").Describe("Teaching");
        routes.MapGet(clips, Of).WithSummary("What people said of a clip").Describe("Teaching");
        routes.MapGet("/api/collections/{collection:long}/marks", Marks).WithSummary("Which of some clips are marked right or wrong for a query").Describe("Teaching");
        routes.MapPost(clips, Add).WithSummary("Captions a clip, or marks it for a query").Describe("Teaching", role: KeyRole.Teach).WithMetadata(new Writes());
        routes.MapDelete("/api/annotations/{token}", Remove).WithSummary("Takes a caption or a mark back").Describe("Teaching", role: KeyRole.Teach).WithMetadata(new Writes());
        routes.MapPost("/api/teaching/train", Train).WithSummary("Trains an adapter, or goes on with it").Describe("Teaching", role: KeyRole.Train).WithMetadata(new Writes());
        routes.MapPost("/api/teaching/stop", Stop).WithSummary("Stops the training; it can be gone on with").Describe("Teaching", role: KeyRole.Train).WithMetadata(new Writes());
        routes.MapPost("/api/teaching/use", Use).WithSummary("Encodes all clips by the trained adapter, which then answers").Describe("Teaching", role: KeyRole.Train).WithMetadata(new Writes());
    }

    private TeachingAnswer Status(HttpContext context, [FromQuery(Name = "collection")] long? collection)
    {
        var chosen = collections.Choose(collection).Collection;
        var all = store.Annotations.All();
        var counts = all.CountBy(annotation => annotation.Kind).ToDictionary();
        var taught = all.Where(annotation => annotation.IsPair).ToList();
        var known = store.AnnotatedHashes(chosen);
        var there = taught.Select(annotation => annotation.Hash).Where(known.Contains).ToHashSet(StringComparer.Ordinal);
        var running = jobs?.IsRunning ?? false;
        var role = KeyGuard.Holder(context)?.Role ?? KeyRole.Train;
        return new TeachingAnswer(counts.GetValueOrDefault(AnnotationKind.Caption), counts.GetValueOrDefault(AnnotationKind.Right), counts.GetValueOrDefault(AnnotationKind.Wrong),
            taught.Where(annotation => there.Contains(annotation.Hash)).Select(annotation => annotation.Clip).Distinct().Count(), there.Count,
            taught.Count(annotation => !there.Contains(annotation.Hash)), options.Teaching?.LeastClips ?? 0, options.Teaching?.LeastVideos ?? 0,
            options.Writable && role >= KeyRole.Teach, jobs is not null && options.Writable && role >= KeyRole.Train, running, jobs?.State(), running ? null : jobs?.Report());
    }

    private async Task<TeachAnswer> Next(long collection, [FromQuery(Name = "count"), Description("How many, 1 to 100")] int? count,
        [FromQuery(Name = "skip"), Description("Clips that were passed over, with commas between")] string? skip, CancellationToken aborted)
    {
        if (count is < 1 or > MostAtOnce) throw new UsageException($"count must be from 1 to {MostAtOnce}");
        var state = collections.Choose(collection);
        var passed = FilterParameters.Numbers(skip);
        var all = store.Annotations.All().Where(annotation => annotation.IsPair).ToList();
        var known = all.Select(annotation => annotation.Clip).ToHashSet();
        string[] texts = [.. all.Select(annotation => annotation.Text).Distinct(StringComparer.OrdinalIgnoreCase).TakeLast(TextsThatTellDoubt)];
        var vectors = await Encode(state, texts, aborted).ConfigureAwait(false);
        var chosen = await Waiting.Run(() => TeachingChoice.Next(store.Sample(state.Collection, TeachingChoice.LookedAt), clip => known.Contains((clip.Hash, clip.Clip.Span)) || passed.Contains(clip.Clip.Id),
            count ?? 24, [.. vectors.Select(vector => (ReadOnlyMemory<float>)vector)])).ConfigureAwait(false);
        return new TeachAnswer([.. chosen.Select(clip => addresses.Describe(collection, new ClipMatch(clip.Clip, 0)))]);
    }

    // Whoever teaches does not wait for searches: while the model is busy, clips are chosen without its doubts.
    private async Task<float[][]> Encode(CollectionModelState state, string[] texts, CancellationToken aborted)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        limit.CancelAfter(PatienceForDoubts);
        try
        {
            return await Task.WhenAll(texts.Select(text => search.Encode(state, text, limit.Token))).ConfigureAwait(false);
        }
        catch (Exception e) when (e is OverloadException or OperationCanceledException && !aborted.IsCancellationRequested)
        {
            return [];
        }
    }

    private IReadOnlyList<AnnotationAnswer> Of(long collection, long clip)
    {
        var (span, video) = Find(collection, clip);
        return [.. store.Annotations.Of(video.Hash).Where(annotation => annotation.Span == span).Select(AnnotationAnswer.Of)];
    }

    private Dictionary<string, AnnotationAnswer> Marks(long collection, [FromQuery(Name = "q"), Description("The query")] string? words,
        [FromQuery(Name = "clips"), Description("The clips' numbers, with commas between")] string? clips)
    {
        var text = ClipAnnotation.Clean(QueryMix.Parse(FilterParameters.CheckWords(words)).Words);
        var found = new Dictionary<string, AnnotationAnswer>(StringComparer.Ordinal);
        foreach (var clip in FilterParameters.Numbers(clips).Take(MostAtOnce))
        {
            if (TryFind(collection, clip) is not var (span, video)) continue;
            if (store.Annotations.Of(video.Hash).LastOrDefault(annotation => annotation.Kind != AnnotationKind.Caption && annotation.Span == span && annotation.Text == text) is { } mark)
                found[clip.ToString(System.Globalization.CultureInfo.InvariantCulture)] = AnnotationAnswer.Of(mark);
        }
        return found;
    }

    private AnnotationAnswer Add(HttpContext context, long collection, long clip, [FromBody] AnnotationRequest request)
    {
        RefuseReadOnly();
        if (!Enum.TryParse<AnnotationKind>(request.Kind, ignoreCase: true, out var kind) || !Enum.IsDefined(kind)) throw new UsageException("kind must be caption, right or wrong");
        var (span, video) = Find(collection, clip);
        // Of a query only what is to be seen says something of a clip.
        var text = kind == AnnotationKind.Caption || string.IsNullOrWhiteSpace(request.Text) ? request.Text ?? "" : QueryMix.Parse(request.Text).Words;
        return AnnotationAnswer.Of(store.Annotations.Add(new ClipAnnotation(request.Token ?? ClipAnnotation.NewToken(), kind, video.Hash, video.Path, span, text)
        {
            Who = KeyGuard.Holder(context)?.Name ?? "",
        }));
    }

    private NoContent Remove(string token)
    {
        RefuseReadOnly();
        store.Annotations.Remove(token);   // taken back is taken back, however often
        return TypedResults.NoContent();
    }

    private Accepted Train([FromBody] TrainRequest request)
    {
        Jobs().Train(collections.Choose(request.Collection).Collection.Id);
        return TypedResults.Accepted("/api/teaching");
    }

    private Accepted Stop([FromBody] TrainRequest _)
    {
        Jobs().Stop();
        return TypedResults.Accepted("/api/teaching");
    }

    private Accepted Use([FromBody] TrainRequest request)
    {
        Jobs().Use(request.Force);
        return TypedResults.Accepted("/api/teaching");
    }

    private TeachingJobs Jobs()
    {
        RefuseReadOnly();
        return jobs ?? throw new ForbiddenException("this server does not train");
    }

    private void RefuseReadOnly()
    {
        if (!options.Writable) throw new ForbiddenException("the index is opened for reading only, so nothing can be taught");
    }

    private (ClipSpan Span, VideoEntry Video) Find(long collection, long clip) => TryFind(collection, clip)
        ?? throw new NotFoundException($"there is no clip {clip} in collection {collection} any more: its video has changed or is gone, or was encoded again; search anew");

    private (ClipSpan Span, VideoEntry Video)? TryFind(long collection, long clip)
    {
        var owner = collections.Choose(collection).Collection;
        return store.FindClip(owner, clip) is { } found && store.FindVideo(owner, found.Clip.Path) is { } video ? (found.Clip.Span, video.Entry) : null;
    }
}
