using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

/// <summary>A wrong call is an exception that names the operator and what it got.</summary>
public sealed class MisuseTests
{
    [Fact]
    public void Shapes_that_do_not_fit_are_named()
    {
        using var scope = new TensorScope();
        var (a, b) = (Tensor.Ones([2, 3]), Tensor.Ones([4, 5], DType.Float32));
        Assert.StartsWith("aten::matmul(float32[2, 3], float32[4, 5]): ", Assert.Throws<TorchException>(() => a.MatMul(b)).Message);
        Assert.StartsWith("aten::add.Tensor(float32[2, 3], float32[4, 5]): ", Assert.Throws<TorchException>(() => a + b).Message);
        Assert.StartsWith("aten::reshape(float32[2, 3], [7]): ", Assert.Throws<TorchException>(() => a.Reshape(7)).Message);
        Assert.StartsWith("aten::layer_norm(float32[2, 3], [2], ", Assert.Throws<TorchException>(
            () => Functional.LayerNorm(a, Tensor.Ones([2]), Tensor.Ones([2]), 1e-5)).Message);
    }

    [Fact]
    public void Types_that_do_not_fit_are_named()
    {
        using var scope = new TensorScope();
        var (a, b) = (Tensor.Ones([2, 2]), Tensor.Ones([2, 2], DType.Int64));
        Assert.StartsWith("aten::matmul(float32[2, 2], int64[2, 2]): ", Assert.Throws<TorchException>(() => a.MatMul(b)).Message);
        Assert.Contains("float32[2, 2] are read as Single, not Int64", Assert.Throws<InvalidOperationException>(() => a.AsSpan<long>().Length).Message);
        Assert.Throws<InvalidOperationException>(() => a.ToArray<double>());
    }

    [Fact]
    public void A_freed_tensor_is_named_with_the_rest_of_the_call()
    {
        using var scope = new TensorScope();
        var (living, freed) = (Tensor.Ones([2, 3]), Tensor.Ones([3]));
        freed.Dispose();
        Assert.Contains("aten::add.Tensor(float32[2, 3], freed tensor)", Assert.Throws<ObjectDisposedException>(() => living + freed).Message);
        Assert.Contains("aten::cat([float32[2, 3], freed tensor], 0)",
            Assert.Throws<ObjectDisposedException>(() => Tensor.Concatenate([living, freed])).Message);
        Assert.Throws<ObjectDisposedException>(() => freed.Shape);
        Assert.Throws<ObjectDisposedException>(() => freed.DType);
        Assert.Throws<ObjectDisposedException>(() => freed.ToFloats());
        Assert.Throws<ObjectDisposedException>(() => freed.AsSpan<float>().Length);
        Assert.Throws<ObjectDisposedException>(() => freed.Backward());
        Assert.Throws<ObjectDisposedException>(() => freed.Grad);
        Assert.Throws<ObjectDisposedException>(() => freed.RequiresGrad = true);
        Assert.Throws<ObjectDisposedException>(() => freed[0]);
        Assert.Throws<ObjectDisposedException>(() => living[freed]);
    }

    [Fact]
    public void A_freed_generator_is_refused()
    {
        var generator = new Generator(1);
        generator.Dispose();
        generator.Dispose();
        Assert.Throws<ObjectDisposedException>(() => Tensor.RandN([2], generator));
        Assert.Throws<ObjectDisposedException>(generator.GetState);
    }

    [Fact]
    public void A_missing_tensor_is_refused()
    {
        using var scope = new TensorScope();
        var x = Tensor.Ones([2]);
        Assert.StartsWith("aten::mul.Tensor(float32[2], none): ", Assert.Throws<TorchException>(() => x * (Tensor)null!).Message);
        Assert.Throws<TorchException>(() => Tensor.Concatenate([x, null!]));
    }

    [Fact]
    public void A_GPU_that_is_not_there_is_named()
    {
        var device = Device.Cuda(TorchRuntime.CudaDevices);
        Assert.Contains(device.ToString(), Assert.Throws<TorchException>(() => Tensor.Zeros([2], device: device)).Message);
    }

    [Fact]
    public void Tensors_on_two_devices_are_named()
    {
        Assert.SkipWhen(TorchRuntime.CudaDevices == 0, "needs a GPU");
        using var scope = new TensorScope();
        var error = Assert.Throws<TorchException>(() => Tensor.Ones([2, 3]).MatMul(Tensor.Ones([3, 4], device: Device.Cuda())));
        Assert.StartsWith("aten::matmul(float32[2, 3], float32[3, 4]@cuda:0): ", error.Message);
    }

    [Fact]
    public void More_memory_than_there_is_is_refused() =>
        Assert.StartsWith("aten::empty.memory_format([1073741824, 1073741824]", Assert.Throws<TorchException>(() => Tensor.Empty([1 << 30, 1 << 30])).Message);
}
