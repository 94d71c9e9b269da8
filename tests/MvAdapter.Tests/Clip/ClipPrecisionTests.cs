using System.Numerics.Tensors;
using MvAdapter.Clip;
using MvAdapter.Datasets;
using MvAdapter.Tests.Support;
using MvAdapter.Torch;
using Tensor = MvAdapter.Torch.Tensor;

namespace MvAdapter.Tests.Clip;

/// <summary>What a trained CLIP gives in bfloat16 beside what it gives in float32.</summary>
public sealed class ClipPrecisionTests
{
    private const int Pictures = 200;
    private static readonly string Checkpoint = Path.Combine(Fixtures.Repository, "assets", "moving-shapes-clip");
    private static readonly StillPicture[] Shapes = [.. StillShapes.Generate(64, seed: 1, ShapeLevel.Easy).Take(Pictures)];

    [Fact]
    public void Pictures_and_captions_have_the_same_embeddings_in_bfloat16()
    {
        var tokenizer = ClipTokenizer.Load(Checkpoint);
        float[][] Embeddings(DType precision)
        {
            using var inference = new InferenceMode();
            using var scope = new TensorScope();
            using var clip = ClipCheckpoint.Load(Checkpoint, Device.Cpu, precision);
            var mean = Tensor.From([0.48145466f, 0.4578275f, 0.40821073f], 3, 1, 1);
            var deviation = Tensor.From([0.26862954f, 0.26130258f, 0.27577711f], 3, 1, 1);
            var pictures = Tensor.From(Shapes.SelectMany(shape => shape.Pixels).ToArray(), Pictures, 64, 64, 3).Permute(0, 3, 1, 2).To(DType.Float32) / 255;
            var ids = Tensor.From(Shapes.SelectMany(shape => tokenizer.EncodeRow(shape.Caption, 24)).Select(id => (long)id).ToArray(), Pictures, 24);
            return [.. Rows(clip.EncodeImages((pictures - mean) / deviation)), .. Rows(clip.EncodeTexts(ids))];
        }
        var cosines = Embeddings(DType.Float32).Zip(Embeddings(DType.BFloat16), (plain, half) => TensorPrimitives.CosineSimilarity(plain, half)).ToArray();
        Assert.InRange(cosines[..Pictures].Min(), 0.9998f, 1.0001f);
        Assert.InRange(cosines[Pictures..].Min(), 0.999f, 1.0001f);
    }

    private static IEnumerable<float[]> Rows(Tensor embeddings) => embeddings.ToFloats().Chunk((int)embeddings.Size(1));
}
