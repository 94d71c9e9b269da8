using System.Globalization;
using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using MvAdapter.Torch;

namespace MvAdapter.Training;

/// <summary>
/// The processes that train together: this one's place among them, their process group, and the watch over them. They have met, are of
/// one version and have agreed on what to do.
/// </summary>
public sealed class Workers : IDisposable
{
    private readonly RendezvousStore store;
    private readonly WorkerWatch watch;
    private readonly IReadOnlyList<string> names;

    private Workers(WorkerEnvironment environment, RendezvousStore store, ProcessGroup group, WorkerWatch watch, IReadOnlyList<string> names) =>
        (Environment, this.store, Group, this.watch, this.names) = (environment, store, group, watch, names);

    /// <summary>This worker's place.</summary>
    public WorkerEnvironment Environment { get; }

    /// <summary>The group over which tensors travel.</summary>
    public ProcessGroup Group { get; }

    /// <summary>This worker's number, from 0.</summary>
    public int Rank => Environment.Rank;

    /// <summary>How many there are.</summary>
    public int Count => Environment.WorldSize;

    /// <summary>Whether this is the worker that writes files and speaks.</summary>
    public bool IsFirst => Rank == 0;

    /// <summary>Time spent with the others so far: waiting for the slowest, and on the wire.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Cancelled by another thread when a worker is lost, even where this one waits for it inside a library.</summary>
    public CancellationToken Lost => watch.LostToken;

    /// <summary>What a worker is called in messages: its rank and host.</summary>
    public string Name(int rank) => names[rank];

    /// <summary>Meets the others.</summary>
    /// <param name="environment">This worker's place.</param>
    /// <param name="device">Where its model is.</param>
    /// <param name="agreement">What all must be given alike, by name: a difference ends all of them, with its name.</param>
    /// <param name="options">Times, and what to do when a worker is lost.</param>
    /// <exception cref="MvAdapterException">Not all have come in time, or they differ.</exception>
    public static Workers Join(WorkerEnvironment environment, Device device, IReadOnlyDictionary<string, string> agreement, WorkersOptions? options = null)
    {
        options ??= new WorkersOptions();
        if (!ProcessGroup.IsAvailable(device))
            throw new TorchException($"{environment.WorldSize} workers need {(device.IsCuda ? "NCCL" : "Gloo")}, which this build of libmvtorch lacks{(device.IsCuda ? "" : ": on Debian install libgloo-dev and run eng/setup")}; run one worker");
        RendezvousStore? store = null;
        WorkerWatch? watch = null;
        try
        {
            store = Open(environment, options.JoinTimeout, isServer: environment.Rank == 0 && !environment.LauncherKeepsStore);
            var names = new Rendezvous(environment, store, options.JoinTimeout).Meet(Me(agreement));
            watch = new WorkerWatch(environment, () => Open(environment, options.JoinTimeout), names, options);
            var group = ProcessGroup.Open(store, environment.Attempt + "/group", environment.Rank, environment.WorldSize, device, Address(environment), options.Timeout);
            return new Workers(environment, store, group, watch, names);
        }
        catch (Exception e) when (e is TorchException or MvAdapterException)
        {
            var failure = watch?.Explain(e) ?? e;
            watch?.Dispose();
            store?.Dispose();
            if (failure == e) throw;
            throw failure;
        }
    }

    /// <summary>A text of each worker, in the order of ranks.</summary>
    public string[] Gather(string text) => Array.ConvertAll(Guarded(() => Group.AllGather(Encoding.UTF8.GetBytes(text))), Encoding.UTF8.GetString);

    /// <summary>Numbers of each worker, as many from each, in the order of ranks.</summary>
    public double[][] Gather(params double[] values) => Guarded(() =>
    {
        using var scope = new TensorScope();
        return Array.ConvertAll(Group.AllGather(Tensor.From(values, values.Length).To(Group.Device)), part => part.ToArray<double>());
    });

    /// <summary>Elements of each worker, of any number.</summary>
    public T[][] Gather<T>(ReadOnlySpan<T> elements) where T : unmanaged
    {
        var bytes = MemoryMarshal.AsBytes(elements).ToArray();
        return Array.ConvertAll(Guarded(() => Group.AllGather(bytes)), part => MemoryMarshal.Cast<byte, T>(part).ToArray());
    }

    /// <summary>The part of a list that is this worker's: neighbours, so that parts in the order of ranks are the list.</summary>
    public IReadOnlyList<T> Part<T>(IReadOnlyList<T> list) => [.. list.Take(First(Rank + 1, list.Count)).Skip(First(Rank, list.Count))];

    /// <summary>Runs work that speaks with the others; where one of them is lost, says which and why.</summary>
    /// <exception cref="WorkerException">A worker is lost.</exception>
    public T Guarded<T>(Func<T> work)
    {
        var start = System.Diagnostics.Stopwatch.GetTimestamp();
        try
        {
            var result = work();
            Waited += System.Diagnostics.Stopwatch.GetElapsedTime(start);
            return result;
        }
        catch (TorchException e)
        {
            throw watch.Explain(e);
        }
    }

    /// <inheritdoc cref="Guarded{T}(Func{T})"/>
    public void Guarded(Action work) => Guarded(() =>
    {
        work();
        return true;
    });

    /// <summary>Tells the others that this worker ends, and why.</summary>
    public void Fail(string reason) => watch.Fail(reason);

    /// <summary>Leaves; the store waits for the others to leave as well, as the first worker may keep it.</summary>
    public void Dispose()
    {
        watch.Leave();
        Group.Dispose();
        watch.Dispose();
        store.Dispose();
    }

    private int First(int rank, int count) => (int)((long)rank * count / Count);

    private static Dictionary<string, string> Me(IReadOnlyDictionary<string, string> agreement) => new(agreement)
    {
        [Rendezvous.VersionKey] = $"{typeof(Workers).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}, libtorch {TorchRuntime.Version}",
        [Rendezvous.HostKey] = Dns.GetHostName(),
    };

    private static RendezvousStore Open(WorkerEnvironment environment, TimeSpan timeout, bool isServer = false)
    {
        if (environment.File is { } file) return RendezvousStore.OpenFile(file);
        try
        {
            return RendezvousStore.OpenTcp(environment.MasterAddress, environment.MasterPort, isServer, timeout);
        }
        catch (TorchException e) when (isServer)
        {
            throw new MvAdapterException($"the workers' store cannot be kept at port {environment.MasterPort}: another program may have it, or this is not {TextForMessage.Quote(environment.MasterAddress, 100)}; choose another MASTER_PORT ({TextForMessage.Quote(e.Message, 200)})", e);
        }
        catch (TorchException e)
        {
            throw new MvAdapterException(string.Create(CultureInfo.InvariantCulture,
                $"rank {environment.Rank} cannot reach the first worker at {environment.MasterAddress}:{environment.MasterPort} ({timeout.TotalSeconds:0} s): is it running, and is the port open between the machines? ({TextForMessage.Quote(e.Message, 200)})"), e);
        }
    }

    // The address by which the others reach this worker: that of the interface which leads to the first one.
    private static string Address(WorkerEnvironment environment)
    {
        if (environment.File is not null) return IPAddress.Loopback.ToString();
        if (System.Environment.GetEnvironmentVariable("GLOO_SOCKET_IFNAME") is { Length: > 0 } wanted)
            return AddressOf(network => network.Name == wanted) ?? throw new UsageException($"GLOO_SOCKET_IFNAME names {TextForMessage.Quote(wanted, 40)}, which this machine has not");
        IPAddress local;
        try
        {
            var master = Dns.GetHostAddresses(environment.MasterAddress)[0];
            using var probe = new Socket(master.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            probe.Connect(master, environment.MasterPort);   // sends nothing
            local = ((IPEndPoint)probe.LocalEndPoint!).Address;
        }
        catch (SocketException e)
        {
            throw new MvAdapterException($"MASTER_ADDR {TextForMessage.Quote(environment.MasterAddress, 100)} cannot be found: {e.Message}", e);
        }
        // The first worker's own name often leads to itself alone.
        return IPAddress.IsLoopback(local) && environment.WorldSize > environment.LocalWorldSize
            ? AddressOf(network => network.NetworkInterfaceType != NetworkInterfaceType.Loopback) ?? local.ToString()
            : local.ToString();
    }

    private static string? AddressOf(Func<NetworkInterface, bool> wanted) => NetworkInterface.GetAllNetworkInterfaces()
        .Where(network => network.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown && wanted(network))
        .SelectMany(network => network.GetIPProperties().UnicastAddresses).Select(address => address.Address)
        .Where(address => !address.IsIPv6LinkLocal).OrderBy(address => address.AddressFamily == AddressFamily.InterNetwork ? 0 : 1)
        .FirstOrDefault()?.ToString();
}
