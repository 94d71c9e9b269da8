// Linear layers of adapters, whose weights train: products in bfloat16 on the matrix unit, the weights and their gradients in float32.
// There only where the processor has such a unit; elsewhere libtorch's own operators serve.
#ifdef MVTORCH_ONEDNN
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "tiled.h"

namespace {

using mvt::Activation;
using mvt::Optional;
using mvt::rows_of;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

Activation activation_of(bool quick_gelu) { return quick_gelu ? Activation::quick_gelu : Activation::none; }

// activation(x W^T + b) + plus. With before, [rows, N], what stands before the activation is left there.
at::Tensor trained_linear(const at::Tensor& x, const at::Tensor& weight, const Optional& bias, bool quick_gelu, const Optional& plus, const at::Tensor& before) {
  TORCH_CHECK(x.scalar_type() == at::kBFloat16 && weight.scalar_type() == at::kFloat, "trained_linear: x is bfloat16 and the weight float32, not ",
              x.scalar_type(), " and ", weight.scalar_type());
  TORCH_CHECK(weight.dim() == 2 && x.dim() >= 1 && x.size(-1) == weight.size(1), "trained_linear: x is ", x.sizes(), " and the weight ", weight.sizes());
  TORCH_CHECK(!bias || bias->numel() == weight.size(0), "trained_linear: the weight is ", weight.sizes(), " and the bias ", bias->sizes());
  auto sizes = x.sizes().vec();
  sizes.back() = weight.size(0);
  TORCH_CHECK(!plus || (plus->sizes() == sizes && plus->scalar_type() == at::kBFloat16), "trained_linear: to ", sizes, " cannot be added ", plus->sizes());
  auto y = at::empty(sizes, x.options());
  if (y.numel() > 0)
    mvt::trained_linear_in_tiles(rows_of(x), weight, bias, activation_of(quick_gelu), plus ? rows_of(*plus) : at::Tensor(), before, y.view({-1, y.size(-1)}));
  return y;
}

at::Tensor plain(const at::Tensor& x, const at::Tensor& weight, const Optional& bias, bool quick_gelu, const Optional& plus) {
  return trained_linear(x, weight, bias, quick_gelu, plus, {});
}

struct TrainedLinear : torch::autograd::Function<TrainedLinear> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight, const Optional& bias, bool quick_gelu, const Optional& plus) {
    at::AutoDispatchBelowADInplaceOrView guard;
    const auto before = quick_gelu ? at::empty({x.numel() / x.size(-1), weight.size(0)}, x.options()) : at::Tensor();
    context->save_for_backward({weight.requires_grad() ? x : Variable(), weight, before});
    context->saved_data["x"] = x.requires_grad();
    context->saved_data["bias"] = mvt::requires_grad(bias);
    context->saved_data["plus"] = mvt::requires_grad(plus);
    return trained_linear(x, weight, bias, quick_gelu, plus, before);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &before = saved[2];
    auto sizes = gradients[0].sizes().vec();
    sizes.back() = weight.size(1);
    auto gradient = rows_of(gradients[0]);
    if (before.defined()) gradient = mvt::activation_gradient(Activation::quick_gelu, before, gradient);
    Variable by_x, by_weight, by_bias;
    if (context->saved_data["x"].toBool()) by_x = mvt::input_gradient_in_tiles(gradient, weight).view(sizes);
    if (x.defined()) by_weight = mvt::weight_gradient_in_tiles(gradient, rows_of(x));
    if (context->saved_data["bias"].toBool()) by_bias = mvt::sum_of_rows(gradient);
    return {by_x, by_weight, by_bias, Variable(), context->saved_data["plus"].toBool() ? gradients[0] : Variable()};
  }
};

at::Tensor recorded(const at::Tensor& x, const at::Tensor& weight, const Optional& bias, bool quick_gelu, const Optional& plus) {
  if (mvt::recorded({x, weight, bias, plus})) return TrainedLinear::apply(x, weight, bias, quick_gelu, plus);
  at::AutoDispatchBelowADInplaceOrView guard;
  return plain(x, weight, bias, quick_gelu, plus);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mvt, library) {
  if (mvt::tiles()) library.def("trained_linear(Tensor x, Tensor weight, Tensor? bias, bool quick_gelu, Tensor? plus) -> Tensor");
}
TORCH_LIBRARY_IMPL(mvt, CPU, library) {
  if (mvt::tiles()) library.impl("trained_linear", plain);
}
TORCH_LIBRARY_IMPL(mvt, AutogradCPU, library) {
  if (mvt::tiles()) library.impl("trained_linear", recorded);
}
#endif
