// Layer normalisation of a float32 residual stream, with the addition before it and the conversion after it in one pass over memory.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "gpu.h"
#include "recorded.h"

namespace {

using mvt::Normalized;
using mvt::Optional;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t rows_at_once = 128;  // also the rows whose gradients by weight and bias are gathered together

void check(const at::Tensor& x, const Optional& delta, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType type) {
  TORCH_CHECK(x.scalar_type() == at::kFloat && weight.scalar_type() == at::kFloat && bias.scalar_type() == at::kFloat,
              "layer_norm: x, weight and bias are float32, not ", x.scalar_type(), ", ", weight.scalar_type(), " and ", bias.scalar_type());
  TORCH_CHECK(x.dim() >= 1 && weight.dim() == 1 && weight.sizes() == bias.sizes() && x.size(-1) == weight.size(0), "layer_norm: x is ", x.sizes(),
              ", weight ", weight.sizes(), " and bias ", bias.sizes());
  TORCH_CHECK(!delta || (delta->sizes() == x.sizes() && mvt::is_float(*delta)), "layer_norm: what is added to ", x.sizes(), " is ", delta->sizes());
  TORCH_CHECK(type == at::kFloat || type == at::kBFloat16, "layer_norm: the result is float32 or bfloat16, not ", type);
}

Normalized normalize(const at::Tensor& x, const Optional& delta, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType type,
                     bool for_gradient) {
  check(x, delta, weight, bias, type);
  const auto in = x.contiguous(), w = weight.contiguous(), b = bias.contiguous();
  const auto added = delta ? delta->contiguous() : at::Tensor();
  const int64_t width = weight.size(0), rows = width == 0 ? 0 : in.numel() / width;
  Normalized result{delta ? at::empty_like(in) : in, at::empty(x.sizes(), x.options().dtype(type)), {}, {}, {}};
  const bool half = for_gradient && type == at::kBFloat16;
  if (for_gradient) result.scales = at::empty({rows}, in.options());
  if (for_gradient && !half) result.means = at::empty({rows}, in.options()), result.kept = result.sum;
  if (half) result.kept = at::empty(x.sizes(), result.y.options());
#ifdef MVTORCH_CUDA
  if (in.is_cuda()) return mvt::gpu::layer_norm(in, added, w, b, result), result;
#endif
  const auto out = mvt::floats(result.y), kept = half ? mvt::floats(result.kept) : mvt::Floats{nullptr, true};
  at::parallel_for(0, rows, rows_at_once, [&](int64_t begin, int64_t end) {
    const int64_t at = begin * width;
    mvt::kernels().layer_norm(end - begin, width, in.data_ptr<float>() + at, delta ? mvt::floats(added).at(at) : mvt::Floats{nullptr, false},
                              delta ? result.sum.data_ptr<float>() + at : nullptr, w.data_ptr<float>(), b.data_ptr<float>(), out.at(at),
                              result.means.defined() ? result.means.data_ptr<float>() + begin : nullptr,
                              for_gradient ? result.scales.data_ptr<float>() + begin : nullptr, half ? kept.at(at) : kept);
  });
  return result;
}

at::Tensor layer_norm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType type) {
  return normalize(x, {}, weight, bias, type, false).y;
}

std::tuple<at::Tensor, at::Tensor> add_layer_norm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight, const at::Tensor& bias,
                                                  at::ScalarType type) {
  auto result = normalize(x, delta, weight, bias, type, false);
  return {result.sum, result.y};
}

// The gradient by x, added to what came through beside the normalisation, which is also the one by what was added (in its type); those by
// weight and bias.
struct Gradients {
  at::Tensor x, delta, weight, bias;
};

#ifdef MVTORCH_CUDA
Gradients backward_on_gpu(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& means, const at::Tensor& scales, const at::Tensor& gradient,
                          const at::Tensor& through, bool of_weight, bool of_bias, at::ScalarType delta) {
  Gradients result{at::empty(x.sizes(), weight.options()), {}, {}, {}};
  const auto g = mvt::rows_of(gradient);
  if (delta == at::kBFloat16) result.delta = at::empty(x.sizes(), x.options().dtype(delta));
  mvt::gpu::layer_norm_backward(x, weight, means, scales, g, through, result.x, result.delta);
  if (!result.delta.defined()) result.delta = result.x;
  if (of_bias) result.bias = g.sum(0, false, at::kFloat);
  if (of_weight) {
    auto normalized = mvt::rows_of(x).to(at::kFloat);
    if (means.defined()) normalized = (normalized - means.unsqueeze(1)) * scales.unsqueeze(1);
    result.weight = (normalized * g).sum(0);
  }
  return result;
}
#endif

Gradients backward_of(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& means, const at::Tensor& scales, const at::Tensor& gradient,
                      const at::Tensor& through, bool of_weight, bool of_bias, at::ScalarType delta) {
#ifdef MVTORCH_CUDA
  if (x.is_cuda()) return backward_on_gpu(x, weight, means, scales, gradient, through.defined() ? through.to(at::kFloat) : through, of_weight, of_bias, delta);
#endif
  const int64_t width = weight.size(0), rows = scales.numel(), parts = (rows + rows_at_once - 1) / rows_at_once;
  const auto w = weight.contiguous(), received = gradient.contiguous(), around = through.defined() ? through.to(at::kFloat).contiguous() : at::Tensor();
  Gradients result{at::empty(x.sizes(), weight.options()), {}, {}, {}};
  at::Tensor weights, biases;  // of each part, so that they are added in the same order whatever the threads
  if (of_weight) weights = at::zeros({parts, width}, weight.options());
  if (of_bias) biases = at::zeros({parts, width}, weight.options());
  const auto in = mvt::floats(x);
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; part++) {
      const int64_t first = part * rows_at_once, at = first * width;
      mvt::kernels().layer_norm_backward(std::min(rows_at_once, rows - first), width, in.at(at), w.data_ptr<float>(),
                                         means.defined() ? means.data_ptr<float>() + first : nullptr, scales.data_ptr<float>() + first, mvt::floats(received).at(at),
                                         around.defined() ? around.data_ptr<float>() + at : nullptr, result.x.data_ptr<float>() + at,
                                         of_weight ? weights.data_ptr<float>() + part * width : nullptr,
                                         of_bias ? biases.data_ptr<float>() + part * width : nullptr);
    }
  });
  result.delta = result.x.to(delta);
  if (of_weight) result.weight = weights.sum(0);
  if (of_bias) result.bias = biases.sum(0);
  return result;
}

void keep(AutogradContext* context, const Normalized& normalized, const Variable& weight, const Variable& bias) {
  context->save_for_backward({normalized.kept, weight, normalized.means, normalized.scales});
  context->saved_data["weight"] = weight.requires_grad();
  context->saved_data["bias"] = bias.requires_grad();
}

Gradients carry(AutogradContext* context, const Variable& gradient, const Variable& through, at::ScalarType delta = at::kFloat) {
  const auto saved = context->get_saved_variables();
  return backward_of(saved[0], saved[1], saved[2], saved[3], gradient, through, context->saved_data["weight"].toBool(),
                     context->saved_data["bias"].toBool(), delta);
}

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight, const Variable& bias, int64_t type) {
    at::AutoDispatchBelowADInplaceOrView guard;
    const auto result = normalize(x, {}, weight, bias, static_cast<at::ScalarType>(type), true);
    keep(context, result, weight, bias);
    return result.y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto result = carry(context, gradients[0], {});
    return {result.x, result.weight, result.bias, Variable()};
  }
};

struct AddLayerNorm : torch::autograd::Function<AddLayerNorm> {
  static variable_list forward(AutogradContext* context, const Variable& x, const Variable& delta, const Variable& weight, const Variable& bias,
                               int64_t type) {
    at::AutoDispatchBelowADInplaceOrView guard;
    const auto result = normalize(x, delta, weight, bias, static_cast<at::ScalarType>(type), true);
    keep(context, result, weight, bias);
    context->saved_data["delta"] = static_cast<int64_t>(delta.scalar_type());
    return {result.sum, result.y};
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto type = static_cast<at::ScalarType>(context->saved_data["delta"].toInt());
    const auto result = carry(context, gradients[1], gradients[0], type);
    return {result.x, result.delta, result.weight, result.bias, Variable()};
  }
};

at::Tensor layer_norm_recorded(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, at::ScalarType type) {
  if (mvt::recorded({x, weight, bias})) return LayerNorm::apply(x, weight, bias, static_cast<int64_t>(type));
  at::AutoDispatchBelowADInplaceOrView guard;
  return layer_norm(x, weight, bias, type);
}

std::tuple<at::Tensor, at::Tensor> add_layer_norm_recorded(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight,
                                                           const at::Tensor& bias, at::ScalarType type) {
  if (mvt::recorded({x, delta, weight, bias})) {
    auto result = AddLayerNorm::apply(x, delta, weight, bias, static_cast<int64_t>(type));
    return {result[0], result[1]};
  }
  at::AutoDispatchBelowADInplaceOrView guard;
  return add_layer_norm(x, delta, weight, bias, type);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mvt, library) {
  library.def("layer_norm(Tensor x, Tensor weight, Tensor bias, ScalarType dtype) -> Tensor");
  library.def("add_layer_norm(Tensor x, Tensor delta, Tensor weight, Tensor bias, ScalarType dtype) -> (Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(mvt, CPU, library) {
  library.impl("layer_norm", layer_norm);
  library.impl("add_layer_norm", add_layer_norm);
}

TORCH_LIBRARY_IMPL(mvt, AutogradCPU, library) {
  library.impl("layer_norm", layer_norm_recorded);
  library.impl("add_layer_norm", add_layer_norm_recorded);
}

#ifdef MVTORCH_CUDA
TORCH_LIBRARY_IMPL(mvt, CUDA, library) {
  library.impl("layer_norm", layer_norm);
  library.impl("add_layer_norm", add_layer_norm);
}

TORCH_LIBRARY_IMPL(mvt, AutogradCUDA, library) {
  library.impl("layer_norm", layer_norm_recorded);
  library.impl("add_layer_norm", add_layer_norm_recorded);
}
#endif
