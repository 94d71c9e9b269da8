using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class DeviceTests
{
    [Theory]
    [InlineData("cpu", "cpu")]
    [InlineData("cuda", "cuda:0")]
    [InlineData("cuda:3", "cuda:3")]
    [InlineData("cuda:127", "cuda:127")]
    public void Names_are_read_and_written(string text, string expected)
    {
        var device = Device.Parse(text);
        Assert.Equal(expected, device.ToString());
        Assert.Equal(device, Device.Parse(device.ToString()));
        Assert.Equal(device.IsCpu, !device.IsCuda);
    }

    [Theory]
    [InlineData("")]
    [InlineData("CPU")]
    [InlineData("cpu:0")]
    [InlineData("gpu")]
    [InlineData("cuda:")]
    [InlineData("cuda:-1")]
    [InlineData("cuda: 1")]
    [InlineData("cuda:128")]
    [InlineData("cuda:99999999999")]
    public void What_is_no_device_is_refused(string text) =>
        Assert.Contains("cuda:N", Assert.Throws<FormatException>(() => Device.Parse(text)).Message);

    [Theory]
    [InlineData(-1)]
    [InlineData(128)]
    [InlineData(int.MaxValue)]
    public void A_number_that_libtorch_cannot_hold_is_refused(int index) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Device.Cuda(index));

    [Fact]
    public void Devices_are_values()
    {
        Assert.Equal(Device.Cpu, default);
        Assert.Equal(Device.Cuda(2), Device.Parse("cuda:2"));
        Assert.NotEqual(Device.Cuda(), Device.Cpu);
        Assert.Equal((2, 0), (Device.Cuda(2).Index, Device.Cpu.Index));
    }

    [Theory]
    [InlineData(DType.Float16, true)]
    [InlineData(DType.BFloat16, true)]
    [InlineData(DType.Float32, true)]
    [InlineData(DType.Float64, true)]
    [InlineData(DType.Int64, false)]
    [InlineData(DType.Bool, false)]
    public void Floating_point_types_are_known(DType dtype, bool expected) => Assert.Equal(expected, dtype.IsFloatingPoint());

    [Fact]
    public void An_unknown_element_type_has_no_size() => Assert.Throws<ArgumentOutOfRangeException>(() => ((DType)99).ElementSize());
}
