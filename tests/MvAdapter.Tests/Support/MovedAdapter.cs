using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Torch;

namespace MvAdapter.Tests.Support;

/// <summary>A task's model as if it had been trained: what trains is moved at random from where it starts.</summary>
internal static class MovedAdapter
{
    public static RetrievalModel Create(ClipModel backbone, string method, ulong seed = 3)
    {
        var settings = method == "mv-adapter" ? TinyClip.AdapterSettings.ToJson() : null;
        var model = RetrievalModel.Create(backbone, Methods.Find(method).Create(backbone.Config, settings, seed));
        using var scope = new TensorScope();
        using var noGrad = new NoGrad();
        using var generator = new Generator(seed);
        foreach (var (_, value) in model.TrainableParameters()) value.AddInPlace(Tensor.RandN([.. value.Shape], generator), 0.05);
        return model;
    }
}
