using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter.Adapters;

/// <summary>
/// Cross-modal interaction of the paper's first version (model.md section 6): both branches of a layer draw their
/// down weight from one parameter space, W = sum over k of A_k kron B_k, with A shared and B the branch's own.
/// </summary>
public sealed class KroneckerInteraction
{
    private readonly Tensor shared; // A [n, n, n]: k, rows, columns
    private readonly Tensor own;    // B [n, m / n, D / n]

    /// <summary>The branch's own factors, such that W has the deviation of the plain initialisation.</summary>
    /// <exception cref="MvAdapterException">n does not divide both widths.</exception>
    public KroneckerInteraction(ParameterBuilder p, Tensor shared, long bottleneck, long branchWidth, double deviation)
    {
        var n = shared.Size(0);
        Setting.Require(bottleneck % n == 0 && branchWidth % n == 0,
            $"kronecker ({n}) must divide the bottleneck ({bottleneck}) and the branch width ({branchWidth})");
        this.shared = shared;
        // The n products each have variance (1 / n) * var(B), so var(W) = var(B).
        own = p.Normal("kronecker_down", deviation, n, bottleneck / n, branchWidth / n);
    }

    /// <summary>The shared factors of a layer: normal with deviation n^-1/2.</summary>
    public static Tensor CreateShared(ParameterBuilder p, int n) => p.Normal("shared", 1 / Math.Sqrt(n), n, n, n);

    /// <summary>The down weight [m, D]. It is made anew at each call, so no more than one layer's lives at a time.</summary>
    public Tensor Weight()
    {
        var (n, rows, columns) = (shared.Size(0), own.Size(1), own.Size(2));
        // sum_k A_k[i, j] B_k[r, c] -> W[i * rows + r, j * columns + c]
        var products = shared.Reshape(n, n * n).T().MatMul(own.Reshape(n, rows * columns));
        return products.View(n, n, rows, columns).Permute(0, 2, 1, 3).Reshape(n * rows, n * columns);
    }
}
