namespace MvAdapter.Torch;

public sealed partial class Tensor
{
    /// <summary>Element-wise sum, with broadcasting.</summary>
    public static Tensor operator +(Tensor a, Tensor b) => Operator.Call("aten::add.Tensor", a, b);
    /// <summary>Adds a number to every element.</summary>
    public static Tensor operator +(Tensor a, double b) => Operator.Call("aten::add.Scalar", a, b);
    /// <summary>Adds a number to every element.</summary>
    public static Tensor operator +(double a, Tensor b) => b + a;
    /// <summary>Element-wise difference, with broadcasting.</summary>
    public static Tensor operator -(Tensor a, Tensor b) => Operator.Call("aten::sub.Tensor", a, b);
    /// <summary>Subtracts a number from every element.</summary>
    public static Tensor operator -(Tensor a, double b) => Operator.Call("aten::sub.Scalar", a, b);
    /// <summary>Subtracts every element from a number.</summary>
    public static Tensor operator -(double a, Tensor b) => Operator.Call("aten::rsub.Scalar", b, a);
    /// <summary>The negative.</summary>
    public static Tensor operator -(Tensor a) => Operator.Call("aten::neg", a);
    /// <summary>Element-wise product, with broadcasting.</summary>
    public static Tensor operator *(Tensor a, Tensor b) => Operator.Call("aten::mul.Tensor", a, b);
    /// <summary>Multiplies every element by a number.</summary>
    public static Tensor operator *(Tensor a, double b) => Operator.Call("aten::mul.Scalar", a, b);
    /// <summary>Multiplies every element by a number.</summary>
    public static Tensor operator *(double a, Tensor b) => b * a;
    /// <summary>Element-wise quotient, with broadcasting.</summary>
    public static Tensor operator /(Tensor a, Tensor b) => Operator.Call("aten::div.Tensor", a, b);
    /// <summary>Divides every element by a number.</summary>
    public static Tensor operator /(Tensor a, double b) => Operator.Call("aten::div.Scalar", a, b);

    /// <summary>Divides a number by every element.</summary>
    public static Tensor operator /(double a, Tensor b)
    {
        using var reciprocal = Operator.Call("aten::reciprocal", b);
        return reciprocal * a;
    }

    /// <summary>Adds in place; not for tensors that a graph still needs.</summary>
    public Tensor AddInPlace(Tensor other, double scale = 1) => InPlace("aten::add_.Tensor", this, other, scale);
    /// <summary>Multiplies in place by a number.</summary>
    public Tensor MultiplyInPlace(double factor) => InPlace("aten::mul_.Scalar", this, factor);
    /// <summary>Multiplies in place, element by element.</summary>
    public Tensor MultiplyInPlace(Tensor other) => InPlace("aten::mul_.Tensor", this, other);
    /// <summary>this += scale * a * b.</summary>
    public Tensor AddProductInPlace(Tensor a, Tensor b, double scale) => InPlace("aten::addcmul_", this, a, b, scale);
    /// <summary>Overwrites the elements with another tensor's, converting type and device.</summary>
    public Tensor CopyFrom(Tensor source) => InPlace("aten::copy_", this, source);
    /// <summary>Sets every element to a number.</summary>
    public Tensor Fill(double value) => InPlace("aten::fill_.Scalar", this, value);
    /// <summary>Limits every element from above, in place.</summary>
    public Tensor ClampMaxInPlace(double maximum) => InPlace("aten::clamp_max_", this, maximum);

    /// <summary>e to the power of every element.</summary>
    public Tensor Exp() => Operator.Call("aten::exp", this);
    /// <summary>The natural logarithm.</summary>
    public Tensor Log() => Operator.Call("aten::log", this);
    /// <summary>The square root.</summary>
    public Tensor Sqrt() => Operator.Call("aten::sqrt", this);
    /// <summary>The absolute value.</summary>
    public Tensor Abs() => Operator.Call("aten::abs", this);
    /// <summary>1 / (1 + exp(-x)).</summary>
    public Tensor Sigmoid() => Operator.Call("aten::sigmoid", this);
    /// <summary>max(x, 0).</summary>
    public Tensor Relu() => Operator.Call("aten::relu", this);
    /// <summary>Limits every element to a range.</summary>
    public Tensor Clamp(double minimum, double maximum) => Operator.Call("aten::clamp", this, minimum, maximum);
    /// <summary>Limits every element from below.</summary>
    public Tensor ClampMin(double minimum) => Operator.Call("aten::clamp_min", this, minimum);
    /// <summary>Whether every element equals the number.</summary>
    public Tensor EqualTo(double value) => Operator.Call("aten::eq.Scalar", this, value);
    /// <summary>Element-wise equality.</summary>
    public Tensor EqualTo(Tensor other) => Operator.Call("aten::eq.Tensor", this, other);
    /// <summary>Element-wise comparison with a number.</summary>
    public Tensor GreaterThan(double value) => Operator.Call("aten::gt.Scalar", this, value);
    /// <summary>Whether every element is finite.</summary>
    public Tensor IsFinite() => Operator.Call("aten::isfinite", this);
    /// <summary>Puts the number where the mask is true.</summary>
    public Tensor MaskedFill(Tensor mask, double value) => Operator.Call("aten::masked_fill.Scalar", this, mask, value);

    /// <summary>The matrix product, batched over leading dimensions.</summary>
    public Tensor MatMul(Tensor other) => Operator.Call("aten::matmul", this, other);

    // An in-place operator returns a second handle of the same tensor; the caller gets the one it has.
    private Tensor InPlace(string name, params ReadOnlySpan<Argument> arguments)
    {
        Operator.Call(name, arguments).Dispose();
        return this;
    }
}
