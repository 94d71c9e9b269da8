using System.Security.Cryptography;
using System.Text;

namespace MvAdapter.Search;

/// <summary>What tells one model from another: embeddings are comparable when both parts are equal.</summary>
/// <param name="Backbone">The CLIP.</param>
/// <param name="Adapter">The method and all that it trained.</param>
public readonly record struct ModelIdentity(string Backbone, string Adapter);

/// <summary>The identity of the model in an encoder.</summary>
internal static class EncoderIdentity
{
    public static ModelIdentity Of(VideoTextEncoder encoder)
    {
        var model = encoder.Model;
        var backbone = string.Join(' ', model.Clip.Parameters.Items.Select(item => $"{item.Key} {item.Value.ToFloats().Sum():R}"));
        var adapter = string.Join(' ', model.TrainableParameters().Select(item => $"{item.Key} {item.Value.ToFloats().Sum():R}"));
        return new ModelIdentity(Hash(backbone), Hash($"{model.Method.Name} {adapter}"));
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)))[..16];
}
