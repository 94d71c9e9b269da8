using MvAdapter.Adapters;
using MvAdapter.Clip.Layers;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Adapters;

[Trait("Category", "Fixtures")]
public sealed class PeerFixtureTests
{
    private const int FramesPerVideo = 4;

    public static TheoryData<string> Files => Fixtures.Names("peers", "*.safetensors");

    [Theory, MemberData(nameof(Files))]
    public void Forward_is_the_published_codes(string name)
    {
        using var peer = new Peer(name);
        using var scope = new TensorScope();
        using var inference = new InferenceMode();
        peer.Numbers.AssertClose("y", peer.Delta(peer.Numbers["x"]), 1e-5);
    }

    [Theory, MemberData(nameof(Files))]
    public void Gradients_are_the_published_codes(string name)
    {
        using var peer = new Peer(name);
        using var scope = new TensorScope();
        var x = peer.Numbers["x"];
        foreach (var leaf in peer.Parameters.Items.Select(item => item.Value).Append(x)) leaf.RequiresGrad = true;
        var y = peer.Delta(x);
        var count = (int)y.ElementCount;
        var linspace = Enumerable.Range(0, count).Select(i => (float)(-1 + 2.0 * i / (count - 1))).ToArray();
        y.Backward(Tensor.From(linspace, [.. y.Shape]).To(TestDevice.Current));
        peer.Numbers.AssertClose("grad_x", x.Grad!, 1e-4);
        foreach (var (parameter, value) in peer.Parameters.Items) peer.Numbers.AssertClose("grad." + parameter, value.Grad!, 1e-4);
    }

    [Theory, MemberData(nameof(Files))]
    public void Every_stored_parameter_is_the_modules_own(string name)
    {
        using var peer = new Peer(name);
        Assert.Equal(peer.Numbers.Names.Where(item => item.StartsWith("param.", StringComparison.Ordinal)).Order(),
            peer.Parameters.Names.Select(item => "param." + item).Order());
    }

    /// <summary>One adapter module with the stored parameters; its kind comes from the file's name, its sizes from the shapes.</summary>
    private sealed class Peer : IDisposable
    {
        private readonly Func<Tensor, BlockContext, Tensor> forward;

        public Peer(string file)
        {
            Numbers = new StoredTensors(Fixtures.Find($"peers/{file}"));
            using var scope = new TensorScope();
            using var generator = new Generator(0);
            var p = new ParameterBuilder(Parameters, (name, _, _) => Numbers["param." + name], generator);
            var width = Numbers["x"].Size(2);
            forward = Make(file, p, width);
        }

        public StoredTensors Numbers { get; }
        public ParameterSet Parameters { get; } = new();

        public Tensor Delta(Tensor x)
        {
            var grid = (long)Math.Sqrt(x.Size(1) - 1);
            return forward(x, new BlockContext(x.Size(0) / FramesPerVideo, Training: false) { Frames = FramesPerVideo, GridHeight = grid, GridWidth = grid });
        }

        public void Dispose() => Parameters.Dispose();

        private Func<Tensor, BlockContext, Tensor> Make(string file, ParameterBuilder p, long width)
        {
            if (file.StartsWith("adaptformer", StringComparison.Ordinal))
            {
                var block = new AdaptFormerBlock(p, width, new AdaptFormerSettings { Bottleneck = Rows("down_proj.weight") });
                return (x, context) => block.BesideMlp(x, x, context);
            }
            if (file.StartsWith("convpass", StringComparison.Ordinal))
                return new ConvolutionalBypass(p, width, new ConvpassSettings { Bottleneck = Rows("adapter_down.weight") }, convolution: true).Forward;
            Assert.SkipUnless(file.StartsWith("st_adapter", StringComparison.Ordinal), $"{file}: no method of this version");
            var kernel = Numbers["param.conv.weight"].Shape.Skip(2).Select(size => (int)size).ToArray();
            return new StAdapterBlock(p, width, new StAdapterSettings { Bottleneck = Rows("fc1.weight"), Kernel = kernel }).OnInput;
        }

        private int Rows(string parameter) => (int)Numbers["param." + parameter].Size(0);
    }
}
