using MvAdapter.Checkpoints;
using MvAdapter.Torch;

namespace MvAdapter.Clip;

/// <summary>
/// Brings the names of a CLIP checkpoint to the model's own: OpenAI's, with the input projection's bias as three
/// (queries, keys, values). Hugging Face's are translated by the table of model.md section 13; OpenCLIP's are OpenAI's, with <c>text.</c>
/// before those of the text tower under <c>custom_text</c>.
/// </summary>
internal static class ClipNames
{
    private const string CustomText = "text.";
    private static readonly string[] Projections = ["q_proj", "k_proj", "v_proj"];

    // What checkpoints carry besides parameters: OpenAI's three integers, Hugging Face's position counters.
    private static readonly HashSet<string> Ignored = new(StringComparer.Ordinal)
    {
        "input_resolution", "context_length", "vocab_size",
        "text_model.embeddings.position_ids", "vision_model.embeddings.position_ids",
        "attn_mask", "text.attn_mask",
    };

    private static readonly Dictionary<string, string> HuggingFaceRoots = new(StringComparer.Ordinal)
    {
        ["logit_scale"] = "logit_scale",
        ["text_model.embeddings.token_embedding.weight"] = "token_embedding.weight",
        ["text_model.embeddings.position_embedding.weight"] = "positional_embedding",
        ["text_model.final_layer_norm.weight"] = "ln_final.weight",
        ["text_model.final_layer_norm.bias"] = "ln_final.bias",
        ["text_projection.weight"] = "text_projection",
        ["vision_model.embeddings.class_embedding"] = "visual.class_embedding",
        ["vision_model.embeddings.patch_embedding.weight"] = "visual.conv1.weight",
        ["vision_model.embeddings.position_embedding.weight"] = "visual.positional_embedding",
        ["vision_model.pre_layrnorm.weight"] = "visual.ln_pre.weight",
        ["vision_model.pre_layrnorm.bias"] = "visual.ln_pre.bias",
        ["vision_model.post_layernorm.weight"] = "visual.ln_post.weight",
        ["vision_model.post_layernorm.bias"] = "visual.ln_post.bias",
        ["visual_projection.weight"] = "visual.proj",
    };

    private static readonly (string HuggingFace, string OpenAI)[] HuggingFaceLayers =
        [("text_model.encoder.layers.", "transformer.resblocks."), ("vision_model.encoder.layers.", "visual.transformer.resblocks.")];

    private static readonly (string HuggingFace, string OpenAI)[] HuggingFaceLayerParts =
    [
        ("self_attn.out_proj.", "attn.out_proj."), ("layer_norm1.", "ln_1."), ("layer_norm2.", "ln_2."),
        ("mlp.fc1.", "mlp.c_fc."), ("mlp.fc2.", "mlp.c_proj."),
        ("self_attn.q_proj.", "attn.q_proj."), ("self_attn.k_proj.", "attn.k_proj."), ("self_attn.v_proj.", "attn.v_proj."),
    ];

    /// <summary>The tensors under the model's names; a name that is not known stays as it is, to be reported.</summary>
    public static Dictionary<string, StoredTensor> Normalize(IReadOnlyDictionary<string, StoredTensor> tensors)
    {
        var huggingFace = tensors.ContainsKey("visual_projection.weight");
        var customText = tensors.ContainsKey(CustomText + "token_embedding.weight");
        var result = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (var (stored, tensor) in tensors)
        {
            if (Ignored.Contains(stored)) continue;
            var name = customText && stored.StartsWith(CustomText, StringComparison.Ordinal) ? stored[CustomText.Length..] : stored;
            if (name.EndsWith("attn.in_proj_bias", StringComparison.Ordinal) && tensor.Shape is [var rows] && rows % 3 == 0)
                SplitBias(result, name, tensor);
            else if (huggingFace && name is "text_projection.weight" or "visual_projection.weight" && tensor.Shape.Length == 2)
                result[HuggingFaceRoots[name]] = Transpose(tensor);
            else result[huggingFace ? FromHuggingFace(name) : name] = tensor;
        }
        JoinWeights(result);
        return result;
    }

    /// <summary>The model's parameters under OpenCLIP's names and in its shapes.</summary>
    public static Dictionary<string, StoredTensor> ToOpenClip(IReadOnlyDictionary<string, StoredTensor> tensors, bool customText)
    {
        var result = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in tensors)
        {
            var prefix = customText && !name.StartsWith("visual.", StringComparison.Ordinal) && name != "logit_scale" ? CustomText : "";
            var projection = Array.FindIndex(Projections, part => name.EndsWith($"attn.{part}.bias", StringComparison.Ordinal));
            if (projection < 0) result[prefix + name] = tensor;
            else if (projection == 0)
            {
                var block = name[..^"q_proj.bias".Length];
                result[$"{prefix}{block}in_proj_bias"] = StoredTensor.Concatenate([.. Projections.Select(part => tensors[$"{block}{part}.bias"])]);
            }
        }
        return result;
    }

    /// <summary>The model's parameters under Hugging Face's names and in its shapes.</summary>
    public static Dictionary<string, StoredTensor> ToHuggingFace(IEnumerable<KeyValuePair<string, StoredTensor>> tensors)
    {
        const string joined = "attn.in_proj_weight";
        var result = new Dictionary<string, StoredTensor>(StringComparer.Ordinal);
        foreach (var (name, tensor) in tensors)
        {
            if (name.EndsWith(joined, StringComparison.Ordinal)) Split(tensor, i => HuggingFaceName($"{name[..^joined.Length]}attn.{Projections[i]}.weight"));
            else result[HuggingFaceName(name)] = name is "text_projection" or "visual.proj" ? Transpose(tensor) : tensor;
        }
        return result;

        void Split(StoredTensor tensor, Func<int, string> nameOf)
        {
            long[] shape = [tensor.Shape[0] / Projections.Length, .. tensor.Shape[1..]];
            var part = tensor.Data.Length / Projections.Length;
            for (var i = 0; i < Projections.Length; i++)
                result[nameOf(i)] = new StoredTensor(tensor.DType, shape, tensor.Data.Slice(i * part, part));
        }
    }

    private static string HuggingFaceName(string name)
    {
        foreach (var (huggingFace, openAI) in HuggingFaceRoots)
            if (name == openAI) return huggingFace;
        foreach (var (huggingFace, openAI) in HuggingFaceLayers)
        {
            if (!name.StartsWith(openAI, StringComparison.Ordinal)) continue;
            var rest = name[openAI.Length..];
            foreach (var (part, openAIPart) in HuggingFaceLayerParts)
                if (rest.Contains("." + openAIPart, StringComparison.Ordinal))
                    return huggingFace + rest.Replace("." + openAIPart, "." + part, StringComparison.Ordinal);
        }
        throw new ArgumentException($"CLIP has no parameter {name}", nameof(name));
    }

    private static string FromHuggingFace(string name)
    {
        if (HuggingFaceRoots.TryGetValue(name, out var root)) return root;
        foreach (var (from, to) in HuggingFaceLayers)
        {
            if (!name.StartsWith(from, StringComparison.Ordinal)) continue;
            var rest = name[from.Length..];
            foreach (var (part, openAI) in HuggingFaceLayerParts)
                if (rest.Contains("." + part, StringComparison.Ordinal))
                    return to + rest.Replace("." + part, "." + openAI, StringComparison.Ordinal);
        }
        return name;
    }

    private static void SplitBias(Dictionary<string, StoredTensor> result, string name, StoredTensor bias)
    {
        var third = bias.Data.Length / 3;
        for (var i = 0; i < 3; i++)
            result[name.Replace("in_proj_bias", Projections[i] + ".bias", StringComparison.Ordinal)] =
                new StoredTensor(bias.DType, [bias.Shape[0] / 3], bias.Data.Slice(i * third, third));
    }

    /// <summary>Three weights of queries, keys and values become one, in that order.</summary>
    private static void JoinWeights(Dictionary<string, StoredTensor> result)
    {
        const string first = "attn.q_proj.weight";
        foreach (var name in result.Keys.Where(key => key.EndsWith(first, StringComparison.Ordinal)).ToList())
        {
            var block = name[..^first.Length];
            var names = Array.ConvertAll(Projections, projection => $"{block}attn.{projection}.weight");
            if (!names.All(result.ContainsKey)) continue;
            var parts = Array.ConvertAll(names, part => result[part]);
            if (parts.Any(part => part.DType != parts[0].DType || !part.Shape.AsSpan().SequenceEqual(parts[0].Shape) || part.Shape.Length != 2)) continue;
            foreach (var part in names) result.Remove(part);
            result[$"{block}attn.in_proj_weight"] = StoredTensor.Concatenate(parts);
        }
    }

    private static StoredTensor Transpose(StoredTensor matrix)
    {
        using var scope = new TensorScope();
        var transposed = Tensor.FromBytes(matrix.Data.Span, matrix.DType, matrix.Shape).T();
        return new StoredTensor(matrix.DType, [matrix.Shape[1], matrix.Shape[0]], transposed.ToBytes());
    }
}
