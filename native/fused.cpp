// Operators that do several of libtorch's in one pass on the CPU, with their gradients by inputs and biases: the weights of CLIP are
// frozen, so nothing is kept for theirs. oneDNN multiplies; where it is not there these operators are not registered, and the
// callers' plain form serves.
#ifdef MVTORCH_ONEDNN
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <vector>

#include "product.h"
#include "tiled.h"

namespace {

using mvt::Activation;
using mvt::multiply;
using mvt::Optional;
using mvt::rows_at_once;
using mvt::rows_of;
using mvt::Weight;

constexpr int64_t numbers_at_once = 1 << 14;  // of an activation, by one thread

// y = activation(x).
void activate(Activation activation, const at::Tensor& x, at::Tensor& y) {
  const auto from = mvt::floats(x), to = mvt::floats(y);
  at::parallel_for(0, x.numel(), numbers_at_once,
                   [&](int64_t begin, int64_t end) { mvt::kernels().activate(activation, end - begin, from.at(begin), to.at(begin)); });
}

// gradient *= activation'(x).
void activate_backward(Activation activation, const at::Tensor& x, at::Tensor& gradient) {
  const auto from = mvt::floats(x), to = mvt::floats(gradient);
  at::parallel_for(0, x.numel(), numbers_at_once,
                   [&](int64_t begin, int64_t end) { mvt::kernels().activate_backward(activation, end - begin, from.at(begin), to.at(begin)); });
}

}  // namespace

at::Tensor mvt::activation_gradient(Activation activation, const at::Tensor& x, const at::Tensor& gradient) {
  auto result = gradient.clone();
  activate_backward(activation, x, result);
  return result;
}

at::Tensor mvt::sum_of_rows(const at::Tensor& x) {
  constexpr int64_t rows_of_part = 256;
  const auto in = x.contiguous();
  const int64_t rows = x.size(0), width = x.size(1), parts = (rows + rows_of_part - 1) / rows_of_part;
  auto sums = at::zeros({parts, width}, x.options().dtype(at::kFloat));  // added in the same order whatever the threads
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; part++)
      kernels().sum_rows(std::min(rows_of_part, rows - part * rows_of_part), width, floats(in).at(part * rows_of_part * width), sums.data_ptr<float>() + part * width);
  });
  return sums.sum(0);
}

namespace {

Activation activation_of(bool gelu) { return gelu ? Activation::gelu : Activation::quick_gelu; }

std::vector<int64_t> with_last(const at::Tensor& x, int64_t last) {
  auto sizes = x.sizes().vec();
  sizes.back() = last;
  return sizes;
}

void check_product(const at::Tensor& x, const at::Tensor& weight, const Optional& bias, const char* name) {
  TORCH_CHECK(weight.dim() == 2 && x.dim() >= 1 && x.size(-1) == weight.size(1), name, ": x is ", x.sizes(), " and the weight ",
              weight.sizes());
  TORCH_CHECK(x.scalar_type() == weight.scalar_type(), name, ": x is ", x.scalar_type(), " and the weight ", weight.scalar_type());
  TORCH_CHECK(!bias || bias->numel() == weight.size(0), name, ": the weight is ", weight.sizes(), " and the bias ", bias->sizes());
}

at::Tensor fused_linear(const at::Tensor& x, const at::Tensor& weight, const Optional& bias) {
  check_product(x, weight, bias, "linear");
  auto y = at::empty(with_last(x, weight.size(0)), x.options());
  if (y.numel() == 0) return y;
  auto out = y.view({-1, y.size(-1)});
  multiply(rows_of(x), weight, Weight::transposed, bias, Activation::none, out);
  return y;
}

// With hidden, [rows, H], what stands before the activation is left there for the gradient.
at::Tensor mlp(const at::Tensor& x, const at::Tensor& expand, const Optional& expand_bias, const at::Tensor& contract,
               const Optional& contract_bias, Activation activation, at::Tensor* hidden) {
  check_product(x, expand, expand_bias, "mlp");
  TORCH_CHECK(contract.dim() == 2 && contract.size(1) == expand.size(0), "mlp: the weights are ", expand.sizes(), " and ",
              contract.sizes());
  TORCH_CHECK(!contract_bias || contract_bias->numel() == contract.size(0), "mlp: the second weight is ", contract.sizes(), " and its bias ",
              contract_bias->sizes());
  auto y = at::empty(with_last(x, contract.size(0)), x.options());
  if (y.numel() == 0) return y;
  const auto rows = rows_of(x);
  auto out = y.view({-1, y.size(-1)});
  if (mvt::multiplies_in_tiles(x, expand)) {
    mvt::mlp_in_tiles(rows, expand, expand_bias, contract, contract_bias, activation, hidden ? *hidden : at::Tensor(), out);
    return y;
  }
  auto active = at::empty({std::min(rows_at_once, rows.size(0)), expand.size(0)}, x.options());
  for (int64_t first = 0; first < rows.size(0); first += rows_at_once) {
    const auto count = std::min(rows_at_once, rows.size(0) - first);
    auto part = active.narrow(0, 0, count), target = out.narrow(0, first, count);
    auto before = hidden ? hidden->narrow(0, first, count) : part;
    multiply(rows.narrow(0, first, count), expand, Weight::transposed, expand_bias, hidden ? Activation::none : activation, before);
    if (hidden) activate(activation, before, part);
    multiply(part, contract, Weight::transposed, contract_bias, Activation::none, target);
  }
  return y;
}

at::Tensor mlp_inference(const at::Tensor& x, const at::Tensor& expand, const Optional& expand_bias, const at::Tensor& contract,
                         const Optional& contract_bias, bool gelu) {
  return mlp(x, expand, expand_bias, contract, contract_bias, activation_of(gelu), nullptr);
}

// ---- gradients ----

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

void refuse_training(std::initializer_list<at::Tensor> weights) {
  for (const auto& weight : weights)
    TORCH_CHECK(!c10::GradMode::is_enabled() || !weight.requires_grad(), "fused operators have no gradient by a weight");
}

struct Linear : torch::autograd::Function<Linear> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& weight, const Optional& bias) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({weight});
    context->saved_data["bias"] = mvt::requires_grad(bias);
    context->saved_data["x"] = x.requires_grad();
    return fused_linear(x, weight, bias);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto gradient = rows_of(gradients[0]);
    const auto weight = context->get_saved_variables()[0];
    Variable x, bias;
    if (context->saved_data["x"].toBool()) {
      x = at::empty(with_last(gradients[0], weight.size(1)), gradient.options());
      auto out = x.view({-1, x.size(-1)});
      if (x.numel() > 0) multiply(gradient, weight, Weight::as_stored, {}, Activation::none, out);
    }
    if (context->saved_data["bias"].toBool()) bias = mvt::sum_of_rows(gradient).to(gradient.scalar_type());
    return {x, Variable(), bias};
  }
};

// By the MLP's input and the bias of its expansion, each where it is defined.
void mlp_backward(const at::Tensor& gradient, const at::Tensor& hidden, const at::Tensor& expand, const at::Tensor& contract, Activation activation,
                  at::Tensor x, at::Tensor bias) {
  if (mvt::multiplies_in_tiles(gradient, expand)) {
    mvt::mlp_in_tiles_backward(gradient, hidden, expand, contract, activation, x, bias);
    return;
  }
  auto inner = at::empty({std::min(rows_at_once, hidden.size(0)), expand.size(0)}, gradient.options());
  for (int64_t first = 0; first < hidden.size(0); first += rows_at_once) {
    const auto count = std::min(rows_at_once, hidden.size(0) - first);
    auto part = inner.narrow(0, 0, count);
    multiply(gradient.narrow(0, first, count), contract, Weight::as_stored, {}, Activation::none, part);
    activate_backward(activation, hidden.narrow(0, first, count), part);
    if (bias.defined()) bias += part.sum(0, /*keepdim=*/false, at::kFloat);
    if (!x.defined()) continue;
    auto target = x.narrow(0, first, count);
    multiply(part, expand, Weight::as_stored, {}, Activation::none, target);
  }
}

struct Mlp : torch::autograd::Function<Mlp> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& expand, const Optional& expand_bias,
                          const Variable& contract, const Optional& contract_bias, bool gelu) {
    at::AutoDispatchBelowADInplaceOrView guard;
    auto hidden = at::empty({x.numel() / x.size(-1), expand.size(0)}, x.options());
    context->save_for_backward({hidden, expand, contract});
    context->saved_data["x"] = x.requires_grad();
    context->saved_data["gelu"] = gelu;
    context->saved_data["expand_bias"] = mvt::requires_grad(expand_bias);
    context->saved_data["contract_bias"] = mvt::requires_grad(contract_bias);
    return mlp(x, expand, expand_bias, contract, contract_bias, activation_of(gelu), &hidden);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &hidden = saved[0], &expand = saved[1], &contract = saved[2];
    const auto gradient = rows_of(gradients[0]);
    const bool of_x = context->saved_data["x"].toBool(), of_bias = context->saved_data["expand_bias"].toBool();
    Variable x = of_x ? at::empty(with_last(gradients[0], expand.size(1)), gradient.options()) : at::Tensor();
    auto bias = of_bias ? at::zeros({expand.size(0)}, gradient.options().dtype(at::kFloat)) : at::Tensor();
    if (of_x || of_bias)
      mlp_backward(gradient, hidden, expand, contract, activation_of(context->saved_data["gelu"].toBool()), of_x ? x.view({-1, x.size(-1)}) : x, bias);
    return {x, Variable(), of_bias ? bias.to(gradient.scalar_type()) : Variable(), Variable(),
            context->saved_data["contract_bias"].toBool() ? mvt::sum_of_rows(gradient).to(gradient.scalar_type()) : Variable(), Variable()};
  }
};

at::Tensor linear_recorded(const at::Tensor& x, const at::Tensor& weight, const Optional& bias) {
  refuse_training({weight});
  if (mvt::recorded({x, bias})) return Linear::apply(x, weight, bias);
  at::AutoDispatchBelowADInplaceOrView guard;
  return fused_linear(x, weight, bias);
}

at::Tensor mlp_recorded(const at::Tensor& x, const at::Tensor& expand, const Optional& expand_bias, const at::Tensor& contract,
                        const Optional& contract_bias, bool gelu) {
  refuse_training({expand, contract});
  if (mvt::recorded({x, expand_bias, contract_bias}))
    return Mlp::apply(x, expand, expand_bias, contract, contract_bias, gelu);
  at::AutoDispatchBelowADInplaceOrView guard;
  return mlp_inference(x, expand, expand_bias, contract, contract_bias, gelu);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mvt, library) {
  library.def("linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor");
  library.def("mlp(Tensor x, Tensor expand, Tensor? expand_bias, Tensor contract, Tensor? contract_bias, bool gelu=False) -> Tensor");
}

TORCH_LIBRARY_IMPL(mvt, CPU, library) {
  library.impl("linear", fused_linear);
  library.impl("mlp", mlp_inference);
}

TORCH_LIBRARY_IMPL(mvt, AutogradCPU, library) {
  library.impl("linear", linear_recorded);
  library.impl("mlp", mlp_recorded);
}
#endif
