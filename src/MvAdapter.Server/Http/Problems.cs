using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Extensions.Logging;

namespace MvAdapter.Server;

/// <summary>Turns what goes wrong into a status and one sentence (RFC 9457), as the command line does with exit codes.</summary>
internal sealed partial class Problems(RequestDelegate next, ServerOptions options, ILogger<Problems> log)
{
    /// <summary>What a log calls a request whose sender has gone.</summary>
    private const int ClientClosedRequest = 499;

    public async Task InvokeAsync(HttpContext context)
    {
        try
        {
            await next(context).ConfigureAwait(false);
            if (context.Response is { HasStarted: false, StatusCode: >= 400, ContentLength: null } response)
                await Write(context, response.StatusCode, Sentence(response.StatusCode, context)).ConfigureAwait(false);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            context.Response.StatusCode = ClientClosedRequest;
        }
        catch (Exception e) when (!context.Response.HasStarted)
        {
            var (status, sentence) = Describe(e, context);
            if (status == StatusCodes.Status500InternalServerError) Failed(context.TraceIdentifier, e);
            context.Response.Clear();
            if (status == StatusCodes.Status503ServiceUnavailable) context.Response.Headers.RetryAfter = "1";
            await Write(context, status, sentence).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Half an answer must not look like a whole one.
            Failed(context.TraceIdentifier, e);
            context.Abort();
        }
    }

    private (int Status, string Sentence) Describe(Exception exception, HttpContext context) => exception switch
    {
        OverloadException => (StatusCodes.Status503ServiceUnavailable, exception.Message),
        ForbiddenException => (StatusCodes.Status403Forbidden, exception.Message),
        NotFoundException => (StatusCodes.Status404NotFound, exception.Message),
        UsageException => (StatusCodes.Status400BadRequest, exception.Message),
        VideoException => (StatusCodes.Status422UnprocessableEntity, exception.Message),
        InvalidFileException => (StatusCodes.Status409Conflict, exception.Message),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } when !SendsVideo(context) => (StatusCodes.Status413PayloadTooLarge, "the body is too large"),
        BadHttpRequestException { InnerException: System.Text.Json.JsonException } => (StatusCodes.Status400BadRequest, "the body is no JSON of the form that /openapi/v1.json describes"),
        BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } when !SendsVideo(context) => (StatusCodes.Status415UnsupportedMediaType, SendJson),
        BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } =>
            (StatusCodes.Status413PayloadTooLarge, $"the video may have at most {options.MaxUploadBytes >> 20} MB"),
        BadHttpRequestException bad => (bad.StatusCode, NoNumber().Match(bad.Message) is { Success: true } match
            ? $"'{match.Groups[1].Value}' is no number that fits; /openapi/v1.json says what each parameter takes" : bad.Message),
        OperationCanceledException =>
            (StatusCodes.Status504GatewayTimeout, $"the query took longer than {options.QueryTimeout.TotalSeconds:0} s"),
        MvAdapterException => (StatusCodes.Status500InternalServerError, exception.Message),
        _ => (StatusCodes.Status500InternalServerError, $"unexpected error; the server's log has it as request {context.TraceIdentifier}"),
    };

    private const string SendJson = "send JSON, with Content-Type: application/json";

    private static bool SendsVideo(HttpContext context) => context.Request.Path == SearchEndpoints.Address;

    private static string Sentence(int status, HttpContext context) => status switch
    {
        StatusCodes.Status415UnsupportedMediaType when !SendsVideo(context) => SendJson,
        StatusCodes.Status413PayloadTooLarge => "the body is too large",
        StatusCodes.Status404NotFound => "there is nothing at this address; /openapi/v1.json lists what there is",
        StatusCodes.Status400BadRequest => "the request is addressed to another host, or cannot be read",
        StatusCodes.Status415UnsupportedMediaType =>
            "send the video's bytes as the body, with Content-Type: application/octet-stream or video/*",
        StatusCodes.Status405MethodNotAllowed => "this address takes another method; /openapi/v1.json lists which",
        _ => ReasonPhrases.GetReasonPhrase(status),
    };

    private static Task Write(HttpContext context, int status, string sentence) =>
        TypedResults.Problem(TextForMessage.Quote(sentence, 1000), statusCode: status).ExecuteAsync(context);

    // All parameters that are not text are numbers; ASP.NET names their types, which say nothing to whoever asked.
    [GeneratedRegex("^Failed to bind parameter .* from \"(.*)\"\\.$", RegexOptions.Singleline)]
    private static partial Regex NoNumber();

    [LoggerMessage(2, LogLevel.Error, "request {Id} failed")]
    private partial void Failed(string id, Exception exception);
}
