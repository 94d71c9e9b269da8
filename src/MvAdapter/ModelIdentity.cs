namespace MvAdapter;

/// <summary>
/// What tells one model from another: embeddings are comparable when both parts are equal. Each is a hash of 16
/// hexadecimal digits over names, shapes and values; values count as bfloat16, so precision and file format do not matter.
/// </summary>
/// <param name="Backbone">The CLIP that was adapted, before any task trained it.</param>
/// <param name="Adapter">The method, its settings, and all that it trained.</param>
public readonly record struct ModelIdentity(string Backbone, string Adapter);
