using MvAdapter.Tests.Support;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class CreationTests
{
    [Fact]
    public void Every_element_type_comes_back_as_it_went_in()
    {
        RoundTrip<byte>(DType.UInt8, 0, 1, 255);
        RoundTrip<sbyte>(DType.Int8, -128, 0, 127);
        RoundTrip<short>(DType.Int16, short.MinValue, 0, short.MaxValue);
        RoundTrip(DType.Int32, int.MinValue, 0, int.MaxValue);
        RoundTrip(DType.Int64, long.MinValue, 0, long.MaxValue);
        RoundTrip(DType.Float16, Half.MinValue, (Half)0.5, Half.PositiveInfinity);
        RoundTrip(DType.Float32, float.MinValue, float.Epsilon, float.NaN);
        RoundTrip(DType.Float64, double.MinValue, double.Epsilon, double.NegativeInfinity);
        RoundTrip(DType.Bool, true, false, true);

        static void RoundTrip<T>(DType dtype, params T[] values) where T : unmanaged
        {
            using var scope = new TensorScope();
            var tensor = Tensor.From(values, values.Length);
            Assert.Equal(dtype, tensor.DType);
            Assert.Equal([values.Length], tensor.Shape);
            Assert.Equal(values, tensor.ToArray<T>());
            Assert.Equal(values, tensor.AsSpan<T>().ToArray());
            Assert.Equal(values, Tensor.FromBytes(tensor.ToBytes(), dtype, values.Length).ToArray<T>());
        }
    }

    [Theory]
    [InlineData(DType.UInt8, 1)]
    [InlineData(DType.Int8, 1)]
    [InlineData(DType.Bool, 1)]
    [InlineData(DType.Int16, 2)]
    [InlineData(DType.Float16, 2)]
    [InlineData(DType.BFloat16, 2)]
    [InlineData(DType.Int32, 4)]
    [InlineData(DType.Float32, 4)]
    [InlineData(DType.Int64, 8)]
    [InlineData(DType.Float64, 8)]
    public void Bytes_are_as_many_as_elements_and_their_size(DType dtype, int size)
    {
        using var scope = new TensorScope();
        Assert.Equal(size, dtype.ElementSize());
        Assert.Equal(new byte[6 * size], Tensor.Zeros([2, 3], dtype).ToBytes());
        Assert.Equal([2L, 3L], Tensor.FromBytes(new byte[6 * size], dtype, 2, 3).Shape);
    }

    [Fact]
    public void Bfloat16_is_the_upper_half_of_a_float()
    {
        using var scope = new TensorScope();
        var tensor = Tensor.From([1f, -2.5f], 2).To(DType.BFloat16);
        Assert.Equal([(ushort)0x3f80, (ushort)0xc020], tensor.AsSpan<ushort>().ToArray());
        Assert.Equal([0x80, 0x3f, 0x20, 0xc0], tensor.ToBytes());
        Assert.Equal([1f, -2.5f], tensor.ToFloats());
    }

    [Fact]
    public void Filled_tensors_hold_what_their_names_say()
    {
        using var scope = new TensorScope();
        Assert.Equal([0f, 0f, 0f, 0f], Tensor.Zeros([2, 2]).ToArray<float>());
        Assert.Equal([1L, 1L], Tensor.Ones([2], DType.Int64).ToArray<long>());
        Assert.Equal([0.25, 0.25], Tensor.Full([2], 0.25, DType.Float64).ToArray<double>());
        Assert.Equal([0L, 1L, 2L, 3L], Tensor.Arange(4).ToArray<long>());
        Assert.Equal([3L, 0L, 2L], Tensor.Empty([3, 0, 2], DType.Int8).Shape);
    }

    [Fact]
    public void A_scalar_has_no_dimensions_and_an_empty_tensor_no_elements()
    {
        using var scope = new TensorScope();
        var scalar = Tensor.From([4.5]);
        Assert.Equal((0, 1L, 4.5), (scalar.Dimensions, scalar.ElementCount, scalar.ToDouble()));
        var empty = Tensor.From(Array.Empty<float>(), 2, 0);
        Assert.Equal((2, 0L), (empty.Dimensions, empty.ElementCount));
        Assert.Empty(empty.ToArray<float>());
        Assert.Empty(empty.ToBytes());
    }

    [Fact]
    public void Writing_through_the_span_changes_the_tensor()
    {
        using var scope = new TensorScope();
        var tensor = Tensor.Zeros([2, 2], DType.Int32);
        tensor.AsSpan<int>()[3] = 7;
        Assert.Equal(7, tensor[1, 1].ToDouble());
    }

    [Fact]
    public void A_transposed_tensor_is_read_in_its_own_order()
    {
        using var scope = new TensorScope();
        var transposed = Tensor.From([1, 2, 3, 4, 5, 6], 2, 3).T();
        Assert.False(transposed.IsContiguous);
        Assert.Equal([1, 4, 2, 5, 3, 6], transposed.ToArray<int>());
        Assert.Equal(transposed.Contiguous().ToBytes(), transposed.ToBytes());
        Assert.Contains("ToArray", Assert.Throws<InvalidOperationException>(() => transposed.AsSpan<int>().Length).Message);
    }

    [Fact]
    public void The_shape_must_hold_the_elements()
    {
        Assert.Contains("[2, 2]", Assert.Throws<ArgumentException>(() => Tensor.From([1f, 2f, 3f], 2, 2)).Message);
        Assert.Contains("int32[2]", Assert.Throws<ArgumentException>(() => Tensor.FromBytes(new byte[9], DType.Int32, 2)).Message);
        Assert.Throws<ArgumentException>(() => Tensor.FromBytes(new byte[3], DType.Int16, 1));
    }

    [Theory]
    [InlineData(-1, -4)]
    [InlineData(1L << 40, 1)]
    [InlineData(long.MaxValue, long.MaxValue)]
    [InlineData(1L << 62, 4)]
    public void An_absurd_shape_is_refused_before_anything_is_allocated(long rows, long columns)
    {
        Assert.Throws<ArgumentException>(() => Tensor.From(new float[4], rows, columns));
        Assert.Throws<ArgumentException>(() => Tensor.FromBytes(new byte[4], DType.UInt8, rows, columns));
    }

    [Fact]
    public void A_type_that_is_no_element_type_is_refused() =>
        Assert.Contains("Char", Assert.Throws<NotSupportedException>(() => Tensor.From(['a'], 1)).Message);

    [Fact]
    public void Properties_describe_the_tensor()
    {
        using var scope = new TensorScope();
        var tensor = Tensor.Zeros([2, 3, 4]);
        Assert.Equal((3, 24L, Device.Cpu, true), (tensor.Dimensions, tensor.ElementCount, tensor.Device, tensor.IsContiguous));
        Assert.Equal((2L, 4L, 2L), (tensor.Size(0), tensor.Size(-1), tensor.Size(-3)));
        Assert.Contains("float32[2, 3, 4]", Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Size(3)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Size(-4));
    }

    [Fact]
    public void Shape_follows_an_operator_that_changes_it()
    {
        using var scope = new TensorScope();
        var tensor = Tensor.Zeros([4, 2]);
        Assert.Equal([4L, 2L], tensor.Shape);
        Operator.Call("aten::resize_", tensor, new long[] { 3 });
        Assert.Equal([3L], tensor.Shape);
        Assert.Equal(3, tensor.AsSpan<float>().Length);
    }

    [Fact]
    public void Conversion_keeps_values_and_rounds_as_the_type_does()
    {
        using var scope = new TensorScope();
        var tensor = Tensor.From([1.75, -1.75, 0], 3);
        Assert.Equal([1L, -1L, 0L], tensor.To(DType.Int64).ToArray<long>());
        Assert.Equal([true, true, false], tensor.To(DType.Bool).ToArray<bool>());
        Assert.Equal([1.75f, -1.75f, 0f], tensor.To(Device.Cpu).ToFloats());
        Assert.Equal(1 / 3.0, Tensor.From([1 / 3.0], 1).ToDouble());
        TensorValues.AssertClose([1.75, -1.75, 0], tensor.To(DType.BFloat16));
    }
}
