using MvAdapter.Torch;

namespace MvAdapter.Tests.Torch;

public sealed class TensorPrinterTests
{
    private static void Prints(string expected, Tensor tensor) => Assert.Equal(expected, tensor.ToString());

    [Fact]
    public void Scalars_and_vectors_and_matrices()
    {
        using var scope = new TensorScope();
        Prints("float64[] 2.5", Tensor.From([2.5]));
        Prints("float32[3] [1, -0.5, 1E-08]", Tensor.From([1f, -0.5f, 1e-8f], 3));
        Prints("int64[2, 2] [[1, 2], [3, 4]]", Tensor.From([1L, 2, 3, 4], 2, 2));
        Prints("int64[2, 2] [[1, 3], [2, 4]]", Tensor.From([1L, 2, 3, 4], 2, 2).T());
    }

    [Fact]
    public void Empty_tensors()
    {
        using var scope = new TensorScope();
        Prints("float32[0] []", Tensor.Zeros([0]));
        Prints("float32[2, 0] [[], []]", Tensor.Zeros([2, 0]));
        Prints("float32[0, 9] []", Tensor.Zeros([0, 9]));
        Prints("float32[9, 0] [[], [], [], …, [], [], []]", Tensor.Zeros([9, 0]));
    }

    [Fact]
    public void Every_element_type()
    {
        using var scope = new TensorScope();
        Prints("bool[2] [true, false]", Tensor.From([true, false], 2));
        Prints("bfloat16[1] [0.33398]", Tensor.From([1 / 3f], 1).To(DType.BFloat16));
        Prints("float16[1] [0.33325]", Tensor.From([(Half)(1 / 3f)], 1));
        Prints("uint8[1] [255]", Tensor.From([(byte)255], 1));
        Prints("int64[1] [9007199254740993]", Tensor.From([9007199254740993], 1));
        Prints("float32[3] [NaN, Infinity, -Infinity]", Tensor.From([float.NaN, float.PositiveInfinity, float.NegativeInfinity], 3));
    }

    [Fact]
    public void Large_tensors_show_their_ends()
    {
        using var scope = new TensorScope();
        Prints("int64[6] [0, 1, 2, 3, 4, 5]", Tensor.Arange(6));
        Prints("int64[7] [0, 1, 2, …, 4, 5, 6]", Tensor.Arange(7));
        Prints("int64[100, 7] [[0, 1, 2, …, 4, 5, 6], [7, 8, 9, …, 11, 12, 13], [14, 15, 16, …, 18, 19, 20], …, "
            + "[679, 680, 681, …, 683, 684, 685], [686, 687, 688, …, 690, 691, 692], [693, 694, 695, …, 697, 698, 699]]",
            Tensor.Arange(700).Reshape(100, 7));
        Assert.True(Tensor.Ones([64, 12, 3, 32, 32]).ToString().Length < 400);
    }

    [Fact]
    public void Freed_tensors_and_tensors_of_every_mode_print()
    {
        using var scope = new TensorScope();
        var leaf = Tensor.Ones([1]);
        leaf.RequiresGrad = true;
        Prints("float32[1] [2]", leaf * 2);
        using (new InferenceMode()) Prints("float32[1] [3]", leaf * 3);
        using (new Autocast(Device.Cpu)) Prints("float32[1] [1]", leaf);
        leaf.Dispose();
        Prints("freed tensor", leaf);
    }
}
