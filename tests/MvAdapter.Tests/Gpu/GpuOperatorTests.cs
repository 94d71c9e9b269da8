using MvAdapter.Clip.Layers;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Gpu;

/// <summary>What is compiled for the GPU at hand, against libtorch's operators on the processor in double precision.</summary>
[Collection(Alone.Name)]
[Trait("Category", "Gpu")]
public sealed class GpuOperatorTests : IDisposable
{
    private const double Epsilon = 1e-5;
    private readonly Device device = TestDevice.Gpu();   // first: where there is none nothing is begun that would have to end
    private readonly TensorScope scope = new();
    private readonly Generator generator = new(0);

    public void Dispose()
    {
        generator.Dispose();
        scope.Dispose();
    }

    [Fact]
    public void They_are_compiled() => Assert.Null(Fused.GpuFault(device));

    [Theory]
    [InlineData(DType.Float32, 1, 1e-6)]
    [InlineData(DType.Float32, 3001, 1e-6)]
    [InlineData(DType.BFloat16, 7, 4e-3)]
    [InlineData(DType.BFloat16, 100_003, 4e-3)]
    public void QuickGelu_and_its_gradient_are_the_plain_ones(DType type, int count, double bound)
    {
        var (x, received) = (Random(type, count), Random(type, count));
        var (ours, theirs) = (Leaf(x.To(device)), Leaf(x.To(DType.Float64)));
        var (y, wanted) = (Fused.QuickGelu(ours), theirs * (theirs * 1.702).Sigmoid());
        Near(wanted, y, bound);
        Near(Gradient(wanted, theirs, received), Gradient(y, ours, received), bound);
    }

    // Widths that vectors of four, two and one divide; the types of the residual stream, of what is added and of the next product.
    [Theory]
    [InlineData(768, DType.BFloat16, DType.BFloat16, true)]
    [InlineData(768, DType.Float32, DType.Float32, true)]
    [InlineData(64, DType.Float32, DType.BFloat16, true)]
    [InlineData(1664, DType.BFloat16, DType.BFloat16, false)]
    [InlineData(514, DType.BFloat16, DType.Float32, true)]
    [InlineData(77, DType.BFloat16, DType.BFloat16, false)]
    public void Layer_normalisation_and_its_gradients_are_the_plain_ones(int width, DType delta, DType type, bool add)
    {
        const int rows = 1003;
        var bound = type == DType.BFloat16 ? 1e-2 : 1e-5;
        var values = new[] { Random(DType.Float32, rows, width), Random(delta, rows, width), Random(DType.Float32, width), Random(DType.Float32, width) };
        var (received, through) = (Random(type, rows, width), Random(DType.Float32, rows, width));
        var ours = values.Select(value => Leaf(value.To(device))).ToList();
        var theirs = values.Select(value => Leaf(value.To(DType.Float64))).ToList();
        var (sum, y) = add ? Fused.AddLayerNorm(ours[0], ours[1], ours[2], ours[3], type) : (ours[0] * 1, Fused.LayerNorm(ours[0], ours[2], ours[3], type));
        var wantedSum = add ? theirs[0] + theirs[1] : theirs[0] * 1;
        var wanted = Functional.LayerNorm(wantedSum, theirs[2], theirs[3], Epsilon);
        Near(wantedSum, sum, 1e-6);
        Near(wanted, y, bound);
        var used = add ? new[] { 0, 1, 2, 3 } : [0, 2, 3];
        var gradients = Autograd.Gradient([(y * received.To(device)).To(DType.Float32).Sum() + (sum * through.To(device)).Sum()], [.. used.Select(i => ours[i])]);
        var expected = Autograd.Gradient([(wanted * received.To(DType.Float64)).Sum() + (wantedSum * through.To(DType.Float64)).Sum()], [.. used.Select(i => theirs[i])]);
        for (var i = 0; i < used.Length; i++) Near(expected[i]!, gradients[i]!, gradients[i]!.DType == DType.BFloat16 ? 1e-2 : bound);
    }

    // libtorch 2.11 leaves this gradient empty when it is asked for the bias's alone over so many rows.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_bias_that_trains_under_a_frozen_weight_has_a_gradient_over_many_rows(bool fused)
    {
        using var parameters = new ParameterSet();
        var layer = new LayerNorm(new ParameterBuilder(parameters, (_, shape, initialize) => initialize(shape).To(device), generator), 64);
        var bias = parameters["bias"];
        bias.RequiresGrad = true;
        Fused.Enabled = fused;
        try
        {
            var y = layer.Forward(Tensor.Ones([70_000, 64], device: device));
            Near(Tensor.Ones([64]) * 70_000, Autograd.Gradient([y.Sum()], [bias])[0]!, 1e-5);
        }
        finally
        {
            Fused.Enabled = true;
        }
    }

    private static Tensor Leaf(Tensor value)
    {
        var leaf = value.Detach();
        leaf.RequiresGrad = true;
        return leaf;
    }

    private static Tensor Gradient(Tensor y, Tensor x, Tensor received) =>
        Autograd.Gradient([(y * received.To(y.Device).To(y.DType)).Sum()], [x])[0]!;

    private static void Near(Tensor wanted, Tensor ours, double bound)
    {
        var exact = wanted.To(Device.Cpu).To(DType.Float64);
        var distance = (ours.To(Device.Cpu).To(DType.Float64) - exact).Norm().ToDouble() / exact.Norm().ToDouble();
        Assert.InRange(distance, 0, bound);
    }

    private Tensor Random(DType type, params long[] shape) => (Tensor.RandN(shape, generator) * 2).To(type);
}
