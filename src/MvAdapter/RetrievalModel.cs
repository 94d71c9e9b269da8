using MvAdapter.Adapters;
using MvAdapter.Clip;
using MvAdapter.Clip.Layers;
using MvAdapter.Torch;

namespace MvAdapter;

/// <summary>
/// A CLIP and a method as one function from tensors to embeddings: what the trainer differentiates and what every
/// use of the model goes through. It owns both; the CLIP is as a rule a view of a backbone
/// (<see cref="ClipModel.Derive"/>) that shares its frozen weights with other tasks' models.
/// </summary>
/// <param name="clip">CLIP, with the parameters that the task trains.</param>
/// <param name="method">The adaptation; null for zero-shot CLIP.</param>
/// <param name="backbone">The identity of the CLIP that was adapted; null when that is the given one as it stands.</param>
public sealed class RetrievalModel(ClipModel clip, Method? method = null, string? backbone = null) : IDisposable
{
    private static readonly double MaxLogitScale = Math.Log(100);

    /// <summary>The backbone.</summary>
    public ClipModel Clip { get; } = clip;

    /// <summary>The adaptation.</summary>
    public Method Method { get; } = method ?? Adapters.ZeroShot.Definition.Create(clip.Config);

    /// <summary>Where the model runs.</summary>
    public Device Device => Clip.LogitScale.Device;

    /// <summary>Whether training keeps only the input of each block and computes the block again for its gradient: less memory, more time.</summary>
    public bool GradientCheckpointing { get; set; }

    /// <summary>
    /// Patch tokens of each frame that every block of the vision tower merges with others that are alike (ToMe, arXiv 2210.09461): faster, and not
    /// the same. 0, as by default, is exact.
    /// </summary>
    public int MergeTokens { get; set; }

    /// <summary>What tells this model's embeddings from another's. It reads every trained weight, at each call anew.</summary>
    public ModelIdentity Identity => new(BackboneIdentity,
        WeightHash.Of($"{Method.Name} {Method.Settings}{(MergeTokens > 0 ? $" merge {MergeTokens}" : "")}", TrainableParameters()));

    /// <summary>The identity of the CLIP that was adapted.</summary>
    internal string BackboneIdentity => backbone ?? Clip.Identity;

    /// <summary>The features of every frame, those of padding too, which <see cref="EncodeVideos(FrameBatch, bool)"/> spares.</summary>
    /// <param name="pixels">Normalised frames [B, F, 3, S, S].</param>
    /// <param name="frameMask">1 for a frame, 0 for padding: [B, F] of any type; null when no frame is padding.</param>
    /// <param name="training">Whether dropout is on.</param>
    /// <returns>[B, F, E], not normalised.</returns>
    public Tensor EncodeFrames(Tensor pixels, Tensor? frameMask, bool training = false)
    {
        var (videos, frames) = (pixels.Size(0), pixels.Size(1));
        var context = new BlockContext(videos, training) { Frames = frames, FrameMask = frameMask?.To(DType.Float32), MergeTokens = MergeTokens, Recompute = training && GradientCheckpointing };
        return Clip.Vision.Forward(pixels.Flatten(0, 1), context, Method.Vision).View(videos, frames, -1);
    }

    /// <summary>One L2-normalised vector a video (model.md section 8): [B, E].</summary>
    public Tensor EncodeVideos(FrameBatch batch, bool training = false)
    {
        ArgumentNullException.ThrowIfNull(batch);
        var context = new BlockContext(batch.Videos, training)
        {
            Frames = batch.Frames, FrameMask = batch.Mask, Places = batch.Places, MergeTokens = MergeTokens, Recompute = training && GradientCheckpointing,
        };
        var frames = context.ToVideos(Clip.Vision.Forward(batch.Pixels, context, Method.Vision));
        return Method.PoolFrames(frames, batch.Mask, training);
    }

    /// <summary>The same of padded frames. Parameters as <see cref="EncodeFrames"/>.</summary>
    public Tensor EncodeVideos(Tensor pixels, Tensor? frameMask, bool training = false) => EncodeVideos(FrameBatch.Padded(pixels, frameMask), training);

    /// <summary>One L2-normalised vector a text. ids [B, L] (int64) -> [B, E].</summary>
    public Tensor EncodeTexts(Tensor ids, bool training = false) =>
        Functional.Normalize(Clip.Text.Forward(ids, Method.Text, training, training && GradientCheckpointing));

    /// <summary>exp(logit_scale) T V^T: texts [T, E] and videos [V, E] -> [T, V].</summary>
    public Tensor Logits(Tensor texts, Tensor videos) => Clip.LogitScale.Exp() * texts.MatMul(videos.T());

    /// <summary>A plain CLIP that gives the same embeddings, sharing the weights that stay. The caller frees it.</summary>
    /// <exception cref="UsageException">The method adds what CLIP has no place for.</exception>
    public ClipModel Merge() => Method.Merge(Clip)
        ?? throw new UsageException($"{Method.Name} adds layers that CLIP has no place for, so it cannot be merged; to store it smaller use export, and give it by --adapter");

    /// <summary>Keeps the factor on similarities at 100 or below, after each step of training.</summary>
    public void ClampLogitScale()
    {
        using var _ = new NoGrad();
        Clip.LogitScale.ClampMaxInPlace(MaxLogitScale);
    }

    /// <summary>Zero-shot CLIP over a shared backbone.</summary>
    public static RetrievalModel ZeroShot(ClipModel backbone) => new(backbone.Derive(static (_, _) => null));

    /// <summary>A model to train: the method over a backbone whose trained parameters are copied, the rest shared.</summary>
    /// <param name="backbone">The backbone; it may be freed afterwards.</param>
    /// <param name="method">The method.</param>
    /// <param name="precision">BFloat16 stores the frozen weights of products so, and runs them so.</param>
    /// <param name="device">Where the model runs; null for where the backbone is.</param>
    public static RetrievalModel Create(ClipModel backbone, Method method, DType precision = DType.Float32, Device? device = null)
    {
        method.InitializeFrom(backbone);
        var target = device ?? backbone.LogitScale.Device;
        return new RetrievalModel(
            backbone.Derive((name, tensor) =>
            {
                using var scope = new TensorScope();   // what a conversion leaves behind would hold the backbone's memory
                // Small updates would be lost in bfloat16, so what trains is float32 even over a backbone stored in bfloat16.
                return scope.Keep(
                    method.Trains(name) ? tensor.To(target).Detach().To(DType.Float32).Clone()
                    : ClipModel.IsProductWeight(name) ? tensor.Detach().To(precision).To(target)
                    : tensor.Detach().To(target));
            }),
            method,
            backbone.Identity);
    }

    /// <summary>What trains, under the names of the published checkpoints without their <c>clip.</c>: the method's parameters first.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> TrainableParameters() =>
        Method.Parameters.Items.Concat(Clip.Parameters.Items.Where(item => Method.Trains(item.Key)));

    /// <summary>Frees the method and this view of CLIP; weights shared with a backbone live on there.</summary>
    public void Dispose()
    {
        Method.Dispose();
        Clip.Dispose();
    }
}
