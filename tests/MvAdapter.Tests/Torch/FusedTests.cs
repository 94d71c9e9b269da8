using MvAdapter.Clip.Layers;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

/// <summary>Each fused operator against its plain twin. Alone, because the switch between them is the process's.</summary>
[Collection(Alone.Name)]
public sealed class FusedTests : IDisposable
{
    private const int SumsOfAttention = 4, SumsOfNormalization = 2;   // scores, exponents, their sum, values; mean, variance
    private readonly TensorScope scope = new();
    private readonly InferenceMode inference = new();
    private readonly Generator generator = new(0);
    private readonly ParameterSet parameters = new();
    private int blocks;

    public FusedTests()
    {
        if (Fused.Available) return;
        Dispose();   // nobody else does where a constructor throws
        Assert.Skip("the native library is built without oneDNN");
    }

    public void Dispose()
    {
        Fused.Enabled = true;
        parameters.Dispose();
        generator.Dispose();
        inference.Dispose();
        scope.Dispose();
    }

    // Rows that fill the last part of an MLP or do not; one alone; widths that no vector divides.
    [Theory]
    [InlineData(1, 1, 8, 1)]
    [InlineData(3, 7, 24, 2)]
    [InlineData(5, 197, 64, 4)]
    [InlineData(16, 65, 48, 3)]
    [InlineData(2, 1024, 16, 2)]
    public void A_block_is_the_plain_block(int n, int length, int width, int heads)
    {
        foreach (var mask in new[] { null, Causal(length), Keys(n, length) })
        {
            var (fused, plain) = Both(Block(width, heads), Tensor.RandN([n, length, width], generator), mask);
            Rounding.AssertSame(plain, fused, Rounding.SumsOfBlock);
        }
    }

    [Fact]
    public void A_block_in_bfloat16_is_as_near_to_float32_as_the_plain_one()
    {
        var x = Tensor.RandN([4, 50, 128], generator);
        var exact = Both(Block(128, 2), x, null).Plain;
        var (fused, plain) = Both(Block(128, 2, DType.BFloat16), x, null);
        Assert.InRange(Distance(fused, exact), 0, 1.2 * Distance(plain, exact));
    }

    [Fact]
    public void Wrong_shapes_are_named()
    {
        var x = Tensor.Ones([2, 3, 12]);
        Assert.Contains("weight", Assert.Throws<TorchException>(() => Fused.Linear(x, Tensor.Ones([4, 11]), null)).Message, StringComparison.Ordinal);
        Assert.Contains("weights", Assert.Throws<TorchException>(() => Fused.Mlp(x, Tensor.Ones([4, 12]), null, Tensor.Ones([12, 5]), null)).Message, StringComparison.Ordinal);
    }

    // Lengths around the queries that are scored at once and widths around whole vectors; a width of its own for what is padded.
    [Theory]
    [InlineData(1, 1, 4, 1)]
    [InlineData(2, 31, 64, 2)]
    [InlineData(2, 48, 12, 3)]
    [InlineData(3, 49, 65, 5)]
    [InlineData(1, 200, 128, 2)]
    public void Attention_and_its_gradient_are_the_plain_ones(int n, int length, int width, int heads) => Recording(() =>
    {
        foreach (var mask in new[] { null, Causal(length), Infinite(length), Keys(n, length) })
        {
            var (qkv, received) = (Tensor.RandN([n, length, 3 * width], generator), Tensor.RandN([n, length, width], generator));
            qkv.RequiresGrad = true;
            var (fused, plain) = (Fused.Attention(qkv, heads, mask), PlainAttention(qkv, heads, mask));
            Rounding.AssertSame(plain, fused, SumsOfAttention);
            var gradients = new[] { fused, plain }.Select(result => Autograd.Gradient([(result * received).Sum()], [qkv])[0]!).ToList();
            Rounding.AssertSame(gradients[1], gradients[0], 3 * SumsOfAttention);
        }
    });

    [Fact]
    public void Libtorchs_own_fused_attention_is_the_plain_one()
    {
        Assert.SkipUnless(Functional.HasScaledDotProductAttention, "this libtorch has none");
        var qkv = Tensor.RandN([2, 30, 96], generator);
        var parts = qkv.View(2, 30, 3, 2, 16).Permute(2, 0, 3, 1, 4);
        foreach (var mask in new[] { null, Infinite(30), Keys(2, 30) })
        {
            var mixed = Functional.ScaledDotProductAttention(parts.Select(0, 0), parts.Select(0, 1), parts.Select(0, 2), mask);
            Rounding.AssertSame(PlainAttention(qkv, 2, mask), mixed.Transpose(1, 2).Reshape(2, 30, 32), SumsOfAttention);
        }
    }

    [Fact]
    public void Attention_of_bfloat16_is_that_of_its_values()
    {
        var qkv = Tensor.RandN([2, 50, 96], generator).To(DType.BFloat16);
        var exact = PlainAttention(qkv.To(DType.Float32), 2, null);
        // Rounded once, at the end: to 8 bits.
        Assert.InRange(Distance(Fused.Attention(qkv, 2, null).To(DType.Float32), exact), 0, exact.Abs().Max().ToDouble() / 256);
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(5, 7)]
    [InlineData(300, 64)]
    [InlineData(3, 1030)]
    public void Layer_normalisation_after_an_addition_and_its_gradients_are_the_plain_ones(int rows, int width) => Recording(() =>
    {
        Tensor Drawn(params long[] shape)
        {
            var tensor = Tensor.RandN(shape, generator);
            tensor.RequiresGrad = true;
            return tensor;
        }
        var (x, delta, weight, bias) = (Drawn(rows, width), Drawn(rows, width), Drawn(width), Drawn(width));
        var (toSum, toNormalized) = (Tensor.RandN([rows, width], generator), Tensor.RandN([rows, width], generator));
        var (sum, normalized) = Fused.AddLayerNorm(x, delta, weight, bias, DType.Float32);
        var plainSum = x + delta;
        var plain = Functional.LayerNorm(plainSum, weight, bias, 1e-5);
        Assert.Equal(0, Distance(sum, plainSum));
        Rounding.AssertSame(plain, normalized, SumsOfNormalization);
        Rounding.AssertSame(plain, Fused.LayerNorm(plainSum, weight, bias, DType.Float32), SumsOfNormalization);
        var rounded = Fused.LayerNorm(plainSum, weight, bias, DType.BFloat16);
        Assert.Equal(0, Distance(rounded.To(DType.Float32), Fused.LayerNorm(plainSum, weight, bias, DType.Float32).To(DType.BFloat16).To(DType.Float32)));
        var fusedGradients = Autograd.Gradient([(sum * toSum + normalized * toNormalized).Sum()], [x, delta, weight, bias]);
        // Kept in bfloat16 for the gradient, where the result is.
        var (halfSum, half) = Fused.AddLayerNorm(x, delta, weight, bias, DType.BFloat16);
        var halfGradients = Autograd.Gradient([(halfSum * toSum + half * toNormalized).Sum()], [x, delta, weight, bias]);
        var plainGradients = Autograd.Gradient([(plainSum * toSum + plain * toNormalized).Sum()], [x, delta, weight, bias]);
        foreach (var (ours, theirs) in fusedGradients.Zip(plainGradients))
            Rounding.AssertSame(theirs!, ours!, 3 * SumsOfNormalization);
        foreach (var (ours, theirs) in halfGradients.Zip(plainGradients))
            Assert.InRange(Distance(ours!, theirs!), 0, 0.01 * (1 + theirs!.Abs().Max().ToDouble()));
    });

    [Fact]
    public void Gradients_in_bfloat16_are_near_those_of_float32() => Recording(() =>
    {
        var x = Tensor.RandN([4, 50, 128], generator);
        x.RequiresGrad = true;
        var received = Tensor.RandN([4, 50, 128], generator);
        Tensor Gradient(TransformerBlock block) => Autograd.Gradient([(block.Forward(x) * received).Sum()], [x])[0]!;
        var (exact, half) = (Gradient(Block(128, 2)), Gradient(Block(128, 2, DType.BFloat16)));
        Assert.InRange(Distance(half, exact), 1e-6, 0.02 * exact.Abs().Max().ToDouble());
    });

    [Fact]
    public void Attention_refuses_what_are_no_heads_and_a_mask_of_another_length()
    {
        Assert.Contains("heads", Assert.Throws<TorchException>(() => Fused.Attention(Tensor.Ones([1, 2, 12]), 5, null)).Message, StringComparison.Ordinal);
        Assert.Contains("mask", Assert.Throws<TorchException>(() => Fused.Attention(Tensor.Ones([1, 2, 12]), 2, Tensor.Ones([3, 3]))).Message, StringComparison.Ordinal);
        Assert.Contains("bias", Assert.Throws<TorchException>(() => Fused.LayerNorm(Tensor.Ones([1, 2, 12]), Tensor.Ones([12]), Tensor.Ones([11]), DType.Float32)).Message, StringComparison.Ordinal);
    }

    // What trains of a block is its biases, and its input depends on what trained before it.
    [Theory]
    [InlineData(1, 1, 8, 1, true)]
    [InlineData(5, 197, 64, 4, true)]
    [InlineData(2, 1024, 16, 2, true)]
    [InlineData(3, 9, 16, 2, false)]
    public void Gradients_are_those_of_the_plain_block(int n, int length, int width, int heads, bool ofInput) => Recording(() =>
    {
        var block = Block(width, heads);
        var x = Tensor.RandN([n, length, width], generator);
        x.RequiresGrad = ofInput;
        var weight = Tensor.RandN([n, length, width], generator);
        List<Tensor> Gradients(bool fused)
        {
            Fused.Enabled = fused;
            var leaves = parameters.Items.Select(item => item.Value).Where(parameter => parameter.Dimensions == 1).ToList();
            foreach (var leaf in leaves) leaf.RequiresGrad = true;
            if (ofInput) leaves.Add(x);
            return [.. Autograd.Gradient([(block.Forward(x) * weight).Sum()], [.. leaves]).Select(gradient => gradient!)];
        }
        // A bias's gradient sums n L rows of numbers about one. Rounded in another order such a sum errs by some epsilons of the root of
        // their number, even where it comes to nothing (keys), or of its own size. QuickGELU with 1.701 fails in every case.
        foreach (var (fused, plain) in Gradients(true).Zip(Gradients(false)))
            Assert.InRange(Distance(fused, plain), 0, 32 * Rounding.Epsilon * (Math.Sqrt(n * length) + plain.Abs().Max().ToDouble()));
    });

    [Fact]
    public void They_serve_unless_a_weight_trains()
    {
        Assert.True(Fused.Serves(Tensor.Ones([1])));
        Assert.False(Fused.Serves(Tensor.Ones([1]).To(DType.Float64)));
        Recording(() =>
        {
            var weight = Tensor.Ones([2, 2]);
            Assert.True(Fused.Serves(Tensor.Ones([2]), weight));
            weight.RequiresGrad = true;
            Assert.False(Fused.Serves(Tensor.Ones([2]), weight));
            Assert.Contains("gradient by a weight", Assert.Throws<TorchException>(() => Fused.Linear(Tensor.Ones([2]), weight, null)).Message, StringComparison.Ordinal);
        });
    }

    // The class is in inference mode; another thread is not.
    private static void Recording(Action body)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var other = new TensorScope();
                body();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
    }

    private static (Tensor Fused, Tensor Plain) Both(TransformerBlock block, Tensor x, Tensor? mask)
    {
        Fused.Enabled = true;
        var fused = block.Forward(x, mask);
        Fused.Enabled = false;
        return (fused, block.Forward(x, mask));
    }

    private TransformerBlock Block(int width, int heads, DType? type = null)
    {
        using var same = new Generator(7);   // the same weights in either type
        // Biases begin as zero, and would hide that they are left out.
        var builder = new ParameterBuilder(parameters, (_, shape, initialize) =>
            (initialize(shape) + Tensor.RandN(shape, same) * 0.1).To(shape.Length > 1 && type is { } stored ? stored : DType.Float32), same);
        return TransformerBlock.CreateClip(builder[blocks++], width, heads, 1);
    }

    private static Tensor PlainAttention(Tensor qkv, int heads, Tensor? mask)
    {
        var (n, length, width) = (qkv.Size(0), qkv.Size(1), qkv.Size(2) / 3);
        var parts = qkv.View(n, length, 3, heads, width / heads).Permute(2, 0, 3, 1, 4);
        var scores = (parts.Select(0, 0) * (1 / Math.Sqrt(width / heads))).MatMul(parts.Select(0, 1).Transpose(-2, -1));
        return Functional.Softmax(mask is null ? scores : scores + mask, -1).MatMul(parts.Select(0, 2)).Transpose(1, 2).Reshape(n, length, width);
    }

    private static Tensor Infinite(int length) => Tensor.Full([length, length], double.NegativeInfinity).UpperTriangle(1);

    private static Tensor Causal(int length) => Operator.Call("aten::triu", Tensor.Ones([length, length]), 1) * -1e6;

    private static Tensor Keys(int n, int length)
    {
        var mask = Tensor.Zeros([n, 1, 1, length]);
        return length < 2 ? mask : Tensor.Concatenate([mask.Narrow(3, 0, length - length / 3), mask.Narrow(3, 0, length / 3) - 1e6], 3);
    }

    private static double Distance(Tensor a, Tensor b) => (a - b).Abs().Max().ToDouble();
}
