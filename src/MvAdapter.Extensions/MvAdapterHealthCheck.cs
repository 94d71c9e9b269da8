using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MvAdapter.Extensions;

/// <summary>Healthy when the model is loaded, degraded while it is being loaded, unhealthy when it cannot be.</summary>
/// <param name="thread">Owns the model.</param>
public sealed class MvAdapterHealthCheck(EncoderThread thread) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var data = new Dictionary<string, object> { ["model"] = thread.ModelName, ["waiting"] = thread.Waiting };
        return Task.FromResult(thread.Loaded.Status switch
        {
            TaskStatus.RanToCompletion => HealthCheckResult.Healthy($"{thread.ModelName} is loaded", data),
            TaskStatus.Faulted or TaskStatus.Canceled => new HealthCheckResult(context?.Registration.FailureStatus ?? HealthStatus.Unhealthy,
                thread.Loaded.Exception?.GetBaseException().Message ?? "the model is not loaded", data: data),
            _ => HealthCheckResult.Degraded($"{thread.ModelName} is being loaded", data: data),
        });
    }
}
