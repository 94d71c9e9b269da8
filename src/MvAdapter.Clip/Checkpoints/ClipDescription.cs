using MvAdapter.Clip.Layers;
using MvAdapter.Video;

namespace MvAdapter.Clip;

/// <summary>How the files of a CLIP are laid out and its weights named.</summary>
public enum ClipForm
{
    /// <summary>One file of OpenAI's names.</summary>
    OpenAI,

    /// <summary>A folder with <c>config.json</c>, as transformers writes it.</summary>
    HuggingFace,

    /// <summary>A folder with <c>open_clip_config.json</c>, as OpenCLIP writes it.</summary>
    OpenClip,

    /// <summary>The same with <c>custom_text</c>: the text tower's names begin with <c>text.</c>.</summary>
    OpenClipCustomText,
}

/// <summary>
/// What the configuration beside a CLIP's weights says that the weights cannot: activation, attention heads, preprocessing. It refuses by the
/// name of the field whatever makes a model of another family (model.md section 14).
/// </summary>
internal sealed record ClipDescription(ClipForm Form)
{
    private const string Supported = "supported are CLIPs of OpenAI's, OpenCLIP's and Hugging Face's form with two transformers, a class token and a causal mask";
    private const double Epsilon = 1e-5;

    public ActivationFunction? Activation { get; init; }

    public int? VisionHeads { get; init; }

    public int? TextHeads { get; init; }

    public Preprocessing Preprocessing { get; init; } = Preprocessing.Clip;

    /// <summary>The side of a picture; null where nothing says it.</summary>
    public int? ImageSize { get; init; }

    /// <summary>Reads <c>config.json</c> and, where there is one, <c>preprocessor_config.json</c>.</summary>
    public static ClipDescription OfHuggingFace(string config, string preprocessor)
    {
        var description = JsonFields.Read(config, root =>
        {
            if (root.Text("model_type") is { } type and not "clip") throw root.Refuse("model_type", $"is '{TextForMessage.Quote(type, 40)}'; {Supported}");
            var (vision, text) = (root.Object("vision_config"), root.Object("text_config"));
            var acts = new[] { vision, text }.OfType<JsonFields>().Select(branch => branch.Text("hidden_act") is { } act ? ParseActivation(branch, act) : (ActivationFunction?)null).Distinct().ToList();
            if (acts.Count > 1) throw root.Refuse("hidden_act", "differs between the towers; supported is one activation for both");
            foreach (var branch in new[] { vision, text }.OfType<JsonFields>()) branch.Require("layer_norm_eps", branch.Number("layer_norm_eps") is not { } eps || Math.Abs(eps - Epsilon) < 1e-9);
            return new ClipDescription(ClipForm.HuggingFace)
            {
                // Without the field transformers takes its default for this type, and so does who wrote the file.
                Activation = acts.FirstOrDefault() ?? ActivationFunction.QuickGelu,
                VisionHeads = vision?.Integer("num_attention_heads"),
                TextHeads = text?.Integer("num_attention_heads"),
                ImageSize = vision?.Integer("image_size"),
            };
        });
        return !File.Exists(preprocessor) ? description : JsonFields.Read(preprocessor, root =>
        {
            var (size, crop) = (Side(root, "size"), Side(root, "crop_size"));
            var cropped = root.Boolean("do_center_crop") ?? true;
            if (cropped && size is { } s && crop is { } c && s != c) throw root.Refuse("crop_size", $"is {c} where size is {s}; supported are pictures whose short side is what is cut out");
            return description with
            {
                ImageSize = description.ImageSize ?? crop ?? size,
                Preprocessing = new Preprocessing(root.Channels("image_mean") ?? Preprocessing.Clip.Mean, root.Channels("image_std") ?? Preprocessing.Clip.StandardDeviation,
                    cropped ? ResizeMode.Shortest : ResizeMode.Squash, root.Integer("resample") switch
                    {
                        2 => true,
                        3 or null => false,
                        var other => throw root.Refuse("resample", $"is {other}; supported are 3 (bicubic) and 2 (bilinear)"),
                    }),
            };
        });
    }

    /// <summary>Reads <c>open_clip_config.json</c>.</summary>
    public static ClipDescription OfOpenClip(string config) => JsonFields.Read(config, root =>
    {
        var model = root.Object("model_cfg") ?? throw root.Refuse("model_cfg", "is missing");
        var (vision, text) = (model.Object("vision_cfg") ?? throw model.Refuse("vision_cfg", "is missing"), model.Object("text_cfg") ?? throw model.Refuse("text_cfg", "is missing"));
        RefuseOtherFamilies(model, vision, text);
        var preprocess = root.Object("preprocess_cfg");
        return new ClipDescription(model.Boolean("custom_text") == true ? ClipForm.OpenClipCustomText : ClipForm.OpenClip)
        {
            Activation = model.Boolean("quick_gelu") == true ? ActivationFunction.QuickGelu : ActivationFunction.Gelu,
            VisionHeads = (vision.Integer("width") ?? 768) / Math.Max(1, vision.Integer("head_width") ?? 64),
            TextHeads = text.Integer("heads") ?? 8,
            ImageSize = vision.Integer("image_size"),
            Preprocessing = preprocess is null ? Preprocessing.Clip : new Preprocessing(
                preprocess.Channels("mean") ?? Preprocessing.Clip.Mean, preprocess.Channels("std") ?? Preprocessing.Clip.StandardDeviation,
                preprocess.Text("resize_mode") switch
                {
                    null or "shortest" => ResizeMode.Shortest,
                    "squash" => ResizeMode.Squash,
                    var other => throw preprocess.Refuse("resize_mode", $"is '{TextForMessage.Quote(other, 40)}'; supported are shortest and squash"),
                },
                preprocess.Text("interpolation") switch
                {
                    null or "bicubic" => false,
                    "bilinear" => true,
                    var other => throw preprocess.Refuse("interpolation", $"is '{TextForMessage.Quote(other, 40)}'; supported are bicubic and bilinear"),
                }),
        };
    });

    private static void RefuseOtherFamilies(JsonFields model, JsonFields vision, JsonFields text)
    {
        if (model.Has("init_logit_bias")) throw model.Refuse("init_logit_bias", $"is a bias beside logit_scale (SigLIP); {Supported}");
        if (model.Has("multimodal_cfg")) throw model.Refuse("multimodal_cfg", $"is of CoCa; {Supported}");
        if (vision.Has("timm_model_name")) throw vision.Refuse("timm_model_name", $"names a tower of timm, '{TextForMessage.Quote(vision.Text("timm_model_name") ?? "", 60)}'; {Supported}");
        if (vision.IsList("layers")) throw vision.Refuse("layers", $"is a list: a ResNet; {Supported}");
        if (text.Has("hf_model_name")) throw text.Refuse("hf_model_name", $"names another text tower, '{TextForMessage.Quote(text.Text("hf_model_name") ?? "", 60)}'; {Supported}");
        foreach (var field in new[] { "no_causal_mask", "embed_cls", "proj_bias" }) text.Require(field, text.Boolean(field) != true);
        foreach (var field in new[] { "attentional_pool", "global_average_pool", "input_patchnorm", "no_ln_pre", "final_ln_after_pool", "qk_norm", "scaled_cosine_attn", "scale_heads" })
            vision.Require(field, vision.Boolean(field) != true);
        vision.Require("pool_type", vision.Text("pool_type") is null or "tok");
        vision.Require("pos_embed_type", vision.Text("pos_embed_type") is null or "learnable");
        text.Require("pool_type", text.Text("pool_type") is null or "argmax");
        text.Require("proj_type", text.Text("proj_type") is null or "linear");
        foreach (var branch in new[] { vision, text })
            foreach (var field in new[] { "ls_init_value", "act_kwargs", "norm_kwargs" }) branch.Require(field, !branch.Has(field));
    }

    private static ActivationFunction ParseActivation(JsonFields branch, string name) => name is "gelu" or "quick_gelu" ? Layers.Activation.Parse(name)
        : throw branch.Refuse("hidden_act", $"is '{TextForMessage.Quote(name, 40)}'; supported are gelu and quick_gelu");

    // A number, or an object of either name.
    private static int? Side(JsonFields root, string name) =>
        root.Object(name) is { } sides ? sides.Integer("shortest_edge") ?? sides.Integer("height") : root.Integer(name);
}
