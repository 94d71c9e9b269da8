using MvAdapter.Checkpoints;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Checkpoints;

public sealed class StoredTensorTests
{
    [Theory]
    [InlineData(DType.Float16, new byte[] { 0x00, 0xC0, 0x00, 0x3C }, new[] { -2f, 1f })]
    [InlineData(DType.BFloat16, new byte[] { 0x00, 0xC0, 0x80, 0x3F }, new[] { -2f, 1f })]
    [InlineData(DType.Float32, new byte[] { 0x00, 0x00, 0x00, 0xC0 }, new[] { -2f })]
    [InlineData(DType.Float64, new byte[] { 0, 0, 0, 0, 0, 0, 0x00, 0xC0 }, new[] { -2f })]
    [InlineData(DType.Int64, new byte[] { 0xFE, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF }, new[] { -2f })]
    [InlineData(DType.Int32, new byte[] { 0xFE, 0xFF, 0xFF, 0xFF }, new[] { -2f })]
    [InlineData(DType.Int16, new byte[] { 0xFE, 0xFF }, new[] { -2f })]
    [InlineData(DType.Int8, new byte[] { 0xFE }, new[] { -2f })]
    [InlineData(DType.UInt8, new byte[] { 0xFE }, new[] { 254f })]
    [InlineData(DType.Bool, new byte[] { 0, 2 }, new[] { 0f, 1f })]
    public void Every_type_becomes_floats(DType dtype, byte[] bytes, float[] expected)
    {
        var tensor = new StoredTensor(dtype, [expected.Length], bytes);
        Assert.Equal(expected, tensor.ToFloats());
        Assert.Equal(expected.Length, tensor.ElementCount);
    }

    [Fact]
    public void Floats_come_back_unchanged() =>
        Assert.Equal([float.NaN, -0f, float.Epsilon], StoredTensor.FromFloats([float.NaN, -0f, float.Epsilon], 3).ToFloats());

    [Theory]
    [InlineData(3L)]
    [InlineData(-2L)]
    [InlineData(1L << 62)]
    public void A_shape_that_does_not_fit_is_refused(long size) =>
        Assert.Throws<ArgumentException>(() => new StoredTensor(DType.Float32, [size], new byte[8]));
}
