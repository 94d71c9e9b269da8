using MvAdapter.Clip;

namespace MvAdapter.Training;

/// <summary>The recipe of the small CLIP that MovingShapes starts from. The defaults are that of the one in the repository.</summary>
public sealed record PretrainConfig
{
    /// <summary>
    /// The model's sizes; that of its vocabulary is filled in. Large patches: every step of an adapter's training runs
    /// hundreds of frames through the model, so that its tokens are what time goes into.
    /// </summary>
    public ClipConfig Clip { get; init; } = new(
        EmbeddingWidth: 128, ImageSize: 64, PatchSize: 16, VisionWidth: 128, VisionLayers: 4,
        TextWidth: 128, TextLayers: 2, ContextLength: 32, VocabularySize: 0);

    /// <summary>Steps of the optimiser.</summary>
    public int Steps { get; init; } = 1500;

    /// <summary>Pictures a step; all of them show different things.</summary>
    public int Batch { get; init; } = 128;

    /// <summary>
    /// So many pictures in succession are alike but for places, or but for sizes and outlines. Among unlike pictures,
    /// colours would explain almost all, and the rest be learnt late.
    /// </summary>
    public int Run { get; init; } = 8;

    /// <summary>The highest learning rate.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Decoupled decay of matrices, per unit of learning rate.</summary>
    public double WeightDecay { get; init; } = 0.05;

    /// <summary>The part of the run in which the learning rate rises.</summary>
    public double Warmup { get; init; } = 0.1;

    /// <summary>Decides the pictures, their order and the first weights.</summary>
    public ulong Seed { get; init; }
}
