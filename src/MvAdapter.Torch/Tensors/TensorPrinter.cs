using System.Globalization;
using System.Text;

namespace MvAdapter.Torch;

/// <summary>Writes a tensor's elements for a debugger: nested brackets, the ends of a long dimension.</summary>
internal static class TensorPrinter
{
    public static string Elements(Tensor tensor)
    {
        using var scope = new TensorScope();
        var shape = tensor.Sizes;
        var edge = Edge(shape.Length);
        var corners = tensor.Detach();
        // Only what will be printed is copied, so that a GPU tensor of gigabytes prints at once.
        for (var d = 0; d < shape.Length; d++)
            if (shape[d] > 2 * edge)
                corners = Tensor.Concatenate([corners.Narrow(d, 0, edge), corners.Narrow(d, shape[d] - edge, edge)], d);
        var values = Texts(corners);
        var builder = new StringBuilder();
        var next = 0;
        Write(builder, values, ref next, shape, 0);
        return builder.ToString();
    }

    // Fewer elements a dimension where there are many, so that every tensor fits on a screen.
    private static int Edge(int dimensions) => dimensions switch { <= 2 => 3, 3 => 2, _ => 1 };

    private static string[] Texts(Tensor tensor)
    {
        if (tensor.DType == DType.Bool) return Array.ConvertAll(tensor.ToArray<bool>(), value => value ? "true" : "false");
        return tensor.DType.IsFloatingPoint()
            ? Array.ConvertAll(tensor.To(DType.Float64).ToArray<double>(), value => value.ToString("G5", CultureInfo.InvariantCulture))
            : Array.ConvertAll(tensor.To(DType.Int64).ToArray<long>(), value => value.ToString(CultureInfo.InvariantCulture));
    }

    private static void Write(StringBuilder builder, string[] values, ref int next, long[] shape, int dimension)
    {
        if (dimension == shape.Length)
        {
            builder.Append(values[next++]);
            return;
        }
        builder.Append('[');
        var edge = Edge(shape.Length);
        var shown = Math.Min(shape[dimension], 2 * edge);
        for (var i = 0; i < shown; i++)
        {
            if (i > 0) builder.Append(", ");
            if (i == edge && shape[dimension] > 2 * edge) builder.Append("…, ");
            Write(builder, values, ref next, shape, dimension + 1);
        }
        builder.Append(']');
    }
}
