using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

[Collection(Alone.Name)]
public sealed class GeneratorTests
{
    private static float[] Draw(Generator? generator, long count = 8)
    {
        using var scope = new TensorScope();
        return Tensor.RandN([count], generator).ToArray<float>();
    }

    [Fact]
    public void The_same_seed_gives_the_same_numbers()
    {
        using Generator a = new(7), b = new(7), c = new(8);
        var first = Draw(a);
        Assert.Equal(first, Draw(b));
        Assert.NotEqual(first, Draw(c));
        Assert.NotEqual(first, Draw(a));
    }

    [Fact]
    public void Generators_do_not_disturb_each_other()
    {
        using Generator alone = new(7), among = new(7), other = new(9);
        var expected = Draw(alone).Concat(Draw(alone));
        var first = Draw(among);
        Draw(other);
        Draw(null);
        Assert.Equal(expected, first.Concat(Draw(among)));
    }

    [Fact]
    public void A_saved_state_goes_on_where_it_was()
    {
        using Generator a = new(7), b = new(0);
        Draw(a, 3);
        var state = a.GetState();
        var expected = Draw(a);
        a.SetState(state);
        Assert.Equal(expected, Draw(a));
        b.SetState(state);
        Assert.Equal(expected, Draw(b));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    [InlineData(100_000)]
    public void A_state_of_the_wrong_size_is_refused(int size)
    {
        using var generator = new Generator(1);
        Assert.StartsWith("generator: ", Assert.Throws<TorchException>(() => generator.SetState(new byte[size])).Message);
    }

    [Fact]
    public void The_manual_seed_governs_what_has_no_generator()
    {
        using var scope = new TensorScope();
        Generator.ManualSeed(5);
        var (numbers, dropped) = (Draw(null), Functional.Dropout(Tensor.Ones([50]), 0.5, true).ToFloats());
        Generator.ManualSeed(5);
        Assert.Equal(numbers, Draw(null));
        Assert.Equal(dropped, Functional.Dropout(Tensor.Ones([50]), 0.5, true).ToFloats());
    }

    [Fact]
    public void Numbers_follow_their_distribution()
    {
        using var scope = new TensorScope();
        using var generator = new Generator(1);
        var uniform = Tensor.Rand([20_000], generator).ToFloats();
        Assert.All(uniform, value => Assert.InRange(value, 0f, 0.99999999f));
        Assert.Equal(0.5, uniform.Average(), 0.02);
        var normal = Tensor.RandN([20_000], generator).ToFloats();
        Assert.Equal(0, normal.Average(), 0.03);
        Assert.Equal(1, normal.Average(value => value * value), 0.05);
    }

    [Fact]
    public void Without_that_GPU_there_is_no_generator_for_it() =>
        Assert.Throws<TorchException>(() => new Generator(1, Device.Cuda(TorchRuntime.CudaDevices)));
}
