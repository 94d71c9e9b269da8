using System.Globalization;
using System.Text;

namespace MvAdapter.Torch;

/// <summary>Writes a tensor's elements for a debugger: nested brackets, three at each end of a long dimension.</summary>
internal static class TensorPrinter
{
    private const int Edge = 3;

    public static string Elements(Tensor tensor)
    {
        using var scope = new TensorScope();
        var shape = tensor.Sizes;
        var corners = tensor.Detach();
        // Only what will be printed is copied, so that a GPU tensor of gigabytes prints at once.
        for (var d = 0; d < shape.Length; d++)
            if (shape[d] > 2 * Edge)
                corners = Tensor.Concatenate([corners.Narrow(d, 0, Edge), corners.Narrow(d, shape[d] - Edge, Edge)], d);
        var values = corners.To(DType.Float64).ToArray<double>();
        var builder = new StringBuilder();
        var next = 0;
        Write(builder, values, ref next, shape, 0, tensor.DType.IsFloatingPoint());
        return builder.ToString();
    }

    private static void Write(StringBuilder builder, double[] values, ref int next, long[] shape, int dimension, bool real)
    {
        if (dimension == shape.Length)
        {
            builder.Append(values[next++].ToString(real ? "G5" : "0", CultureInfo.InvariantCulture));
            return;
        }
        builder.Append('[');
        var shown = Math.Min(shape[dimension], 2 * Edge);
        for (var i = 0; i < shown; i++)
        {
            if (i > 0) builder.Append(", ");
            if (i == Edge && shape[dimension] > 2 * Edge) builder.Append("…, ");
            Write(builder, values, ref next, shape, dimension + 1, real);
        }
        builder.Append(']');
    }
}
