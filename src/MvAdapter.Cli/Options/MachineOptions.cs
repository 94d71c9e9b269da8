using System.CommandLine;
using MvAdapter.Torch;

namespace MvAdapter.Cli;

/// <summary>The options that say where a model runs and how, whichever it is.</summary>
internal sealed class MachineOptions
{
    private readonly Option<string> precision = new("--precision") { Description = "fp32, or bf16 for products in bfloat16", DefaultValueFactory = _ => "fp32" };
    private readonly Option<string> device = new("--device") { Description = "cpu, cuda or cuda:N; several with commas between, or all, to encode on every GPU", DefaultValueFactory = _ => "cpu" };
    private readonly Option<int?> threads = new("--threads") { Description = "Threads of the model's work, and decoders at once (by default one a core)", HelpName = "N" };

    /// <summary>Adds the options to a command.</summary>
    public MachineOptions(Command command, bool withPrecision = true)
    {
        precision.AcceptOnlyFromAmong("fp32", "bf16");
        if (withPrecision) command.Add(precision);
        command.Add(device);
        command.Add(threads);
    }

    /// <summary>The device as it was named.</summary>
    public string DeviceName(ParseResult parsed) => parsed.GetValue(device)!;

    /// <summary>Sets the threads, and the device and precision of a model.</summary>
    public ModelSource Apply(ParseResult parsed, ModelSource source)
    {
        ModelOptions.SetThreads(parsed.GetValue(threads));
        var devices = ModelOptions.ParseDevices(parsed.GetValue(device)!);
        return source with
        {
            Precision = parsed.GetValue(precision) == "bf16" ? DType.BFloat16 : DType.Float32,
            Device = devices[0],
            OtherDevices = devices[1..],
        };
    }
}
