// The operators of our own against libtorch's own operators in double precision, forward and gradient, in the vector width of the processor
// that runs this. Lengths and widths are mostly such as no vector divides.
#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/autograd.h>

#include <c10/core/InferenceMode.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "mvtorch.h"
#include "recorded.h"

namespace {

using at::Tensor;
using mvt::Optional;
using Tensors = std::vector<Tensor>;

bool exists(const char* name) { return c10::Dispatcher::singleton().findSchema({name, ""}).has_value(); }

template <typename... Arguments>
Tensors call(const char* name, const Arguments&... arguments) {
  std::vector<c10::IValue> stack;
  (stack.emplace_back(arguments), ...);
  c10::Dispatcher::singleton().findSchemaOrThrow(name, "").callBoxed(&stack);
  Tensors results;
  for (const auto& value : stack) results.push_back(value.toTensor());
  return results;
}

void close(const std::string& what, const Tensor& ours, const Tensor& theirs, double tolerance) {
  const auto difference = (ours.to(at::kDouble) - theirs).abs().max().item<double>(), scale = theirs.abs().max().item<double>();
  if (difference <= tolerance * (scale + 1e-3)) return;  // false for NaN
  std::fprintf(stderr, "%s: differs by %g where the largest is %g\n", what.c_str(), difference, scale);
  std::exit(1);
}

double tolerance(at::ScalarType type) { return type == at::kFloat ? 2e-5 : 2e-2; }

const char* name_of(at::ScalarType type) { return type == at::kFloat ? " float32" : " bfloat16"; }

Tensor drawn(at::IntArrayRef shape, at::ScalarType type, double scale = 1) { return (at::randn(shape) * scale).to(type); }

// The same function of ours and of theirs, with and without a gradient by each of the inputs.
void compare(const std::string& what, const Tensors& inputs, const std::function<Tensors(const Tensors&)>& ours,
             const std::function<Tensors(const Tensors&)>& theirs, double tolerance) {
  {
    at::NoGradGuard guard;
    Tensors wide;
    for (const auto& input : inputs) wide.push_back(input.to(at::kDouble));
    const auto mine = ours(inputs), expected = theirs(wide);
    for (size_t i = 0; i < expected.size(); i++) close(what + ", result " + std::to_string(i), mine[i], expected[i], tolerance);
  }
  Tensors narrow, wide;
  for (const auto& input : inputs) {
    narrow.push_back(input.detach().clone().requires_grad_());
    wide.push_back(input.detach().to(at::kDouble).requires_grad_());
  }
  const auto mine = ours(narrow), expected = theirs(wide);
  Tensors gradients, wide_gradients;
  for (size_t i = 0; i < expected.size(); i++) {
    close(what + ", recorded result " + std::to_string(i), mine[i].detach(), expected[i].detach(), tolerance);
    gradients.push_back(at::randn_like(mine[i]));
    wide_gradients.push_back(gradients.back().to(at::kDouble));
  }
  const auto by_ours = torch::autograd::grad(mine, narrow, gradients), by_theirs = torch::autograd::grad(expected, wide, wide_gradients);
  for (size_t i = 0; i < narrow.size(); i++) close(what + ", gradient by input " + std::to_string(i), by_ours[i], by_theirs[i], tolerance);
}

void attention(at::ScalarType type) {
  struct Size { int64_t sequences, length, heads, width; };
  for (const auto& s : {Size{2, 1, 2, 5}, Size{2, 7, 2, 5}, Size{3, 61, 2, 8}, Size{4, 12, 1, 17}, Size{1, 50, 2, 32}, Size{2, 77, 3, 64}, Size{1, 197, 2, 64}}) {
    const auto causal = at::full({s.length, s.length}, -INFINITY).triu(1);
    auto padding = at::zeros({s.sequences, 1, 1, s.length});
    if (s.length > 3) padding.slice(3, s.length - 3).fill_(-INFINITY);
    for (const auto& mask : {Optional(), Optional(causal), Optional(padding)}) {
      const auto theirs = [&](const Tensors& x) -> Tensors {
        const auto parts = x[0].view({s.sequences, s.length, 3, s.heads, s.width}).permute({2, 0, 3, 1, 4}).unbind(0);
        auto scores = at::matmul(parts[0], parts[1].transpose(-2, -1)) / std::sqrt((double)s.width);
        if (mask) scores = scores + mask->to(at::kDouble);
        return {at::matmul(scores.softmax(-1), parts[2]).transpose(1, 2).reshape({s.sequences, s.length, s.heads * s.width})};
      };
      const auto ours = [&](const Tensors& x) { return call("mvt::attention", x[0], s.heads, mask); };
      compare("attention" + std::string(name_of(type)) + ", length " + std::to_string(s.length) + (mask ? ", masked" : ""),
              {drawn({s.sequences, s.length, 3 * s.heads * s.width}, type)}, ours, theirs, tolerance(type));
    }
  }
}

void layer_norm(at::ScalarType type) {
  for (const int64_t width : {1 + 16, 133, 512, 768})
    for (const int64_t rows : {1, 3, 70}) {
      const auto normalized = [&](const Tensor& x, const Tensors& p) { return at::layer_norm(x, {width}, p[0], p[1]); };
      const Tensors p{drawn({width}, at::kFloat), drawn({width}, at::kFloat)};
      const auto what = "layer_norm" + std::string(name_of(type)) + ", width " + std::to_string(width) + ", rows " + std::to_string(rows);
      compare(what, {drawn({rows, width}, at::kFloat), p[0], p[1]},
              [&](const Tensors& x) { return call("mvt::layer_norm", x[0], x[1], x[2], (int64_t)type); },
              [&](const Tensors& x) -> Tensors { return {normalized(x[0], {x[1], x[2]})}; }, tolerance(type));
      compare("add_" + what, {drawn({rows, width}, at::kFloat), drawn({rows, width}, type), p[0], p[1]},
              [&](const Tensors& x) { return call("mvt::add_layer_norm", x[0], x[1], x[2], x[3], (int64_t)type); },
              [&](const Tensors& x) -> Tensors { return {x[0] + x[1], normalized(x[0] + x[1], {x[2], x[3]})}; }, tolerance(type));
    }
}

Tensor quick_gelu(const Tensor& x) { return x * (x * 1.702).sigmoid(); }

// In inference mode a frozen weight may be held once more, in another order.
void held_weights(const std::string& what, const Tensor& in, const Tensor& w, const Tensor& back) {
  const auto close_to_plain = [&](const char* which, const Tensor& x, const Tensor& weight) {
    const c10::InferenceMode mode;
    close(which + what, call("mvt::linear", x, weight, Optional())[0], at::linear(x.to(at::kDouble), weight.to(at::kDouble)), tolerance(in.scalar_type()));
  };
  for (int turn = 0; turn < 3; turn++) {
    close_to_plain("held weight", in, w);
    close_to_plain("other rows", in.slice(0, 0, 1), w);
    close_to_plain("another tensor of its memory", in, w.detach());
    if (w.size(0) != w.size(1)) close_to_plain("another shape of its memory", at::ones({2, w.size(0)}, in.options()), w.view({w.size(1), w.size(0)}));
  }
  const auto copy = w.clone();
  close_to_plain("a weight before it changes", in, copy);
  copy.mul_(-2);
  close_to_plain("a weight that changed", in, copy);
  for (int turn = 0; turn < 4; turn++) {  // each takes the place of the last one in memory
    const auto passing = drawn({w.size(0), w.size(1)}, in.scalar_type());
    for (int again = 0; again < 2; again++) close_to_plain("passing weight", in, passing);
  }
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) threads.emplace_back([&] { for (int turn = 0; turn < 5; turn++) close_to_plain("held by threads", in, back.t().contiguous()), close_to_plain("shared by threads", in, w); });
  for (int turn = 0; turn < 5; turn++) mvt_trim_memory();
  for (auto& thread : threads) thread.join();
}

void products(at::ScalarType type) {
  if (!exists("mvt::linear")) return;  // built without oneDNN
  struct Size { int64_t rows, in, out; };
  for (const auto& s : {Size{5, 9, 19}, Size{1, 64, 96}, Size{1030, 40, 72}, Size{65, 768, 256}}) {
    const auto in = drawn({s.rows, s.in}, type), w = drawn({s.out, s.in}, type, 1 / std::sqrt(s.in)), back = drawn({s.in, s.out}, type, 1 / std::sqrt(s.out));
    const auto wide_w = w.to(at::kDouble), wide_back = back.to(at::kDouble);
    const auto what = std::string(name_of(type)) + ", " + std::to_string(s.rows) + " x " + std::to_string(s.in) + " x " + std::to_string(s.out);
    compare("linear" + what, {in, drawn({s.out}, type)}, [&](const Tensors& x) { return call("mvt::linear", x[0], w, x[1]); },
            [&](const Tensors& x) -> Tensors { return {at::linear(x[0], wide_w, x[1])}; }, tolerance(type));
    for (const bool gelu : {false, true})
      compare((gelu ? "mlp with GELU" : "mlp") + what, {in, drawn({s.out}, type), drawn({s.in}, type)},
              [&](const Tensors& x) { return call("mvt::mlp", x[0], w, x[1], back, x[2], gelu); },
              [&](const Tensors& x) -> Tensors {
                const auto hidden = at::linear(x[0], wide_w, x[1]);
                return {at::linear(gelu ? at::gelu(hidden) : quick_gelu(hidden), wide_back, x[2])};
              }, tolerance(type));
    held_weights(what, in, w, back);
  }
}

// Layers that train: weights and biases in float32, what passes in bfloat16.
void trained_products() {
  if (!exists("mvt::trained_linear")) return;  // a processor without products of bfloat16
  struct Size { int64_t rows, in, out; };
  for (const auto& s : {Size{1, 64, 16}, Size{5, 9, 19}, Size{70, 768, 64}, Size{1100, 64, 100}})
    for (const bool quick : {false, true}) {
      const auto what = "trained_linear " + std::to_string(s.rows) + " x " + std::to_string(s.in) + " x " + std::to_string(s.out) + (quick ? ", QuickGELU" : "");
      compare(what, {drawn({s.rows, s.in}, at::kBFloat16), drawn({s.out, s.in}, at::kFloat, 1 / std::sqrt(s.in)), drawn({s.out}, at::kFloat), drawn({s.rows, s.out}, at::kBFloat16)},
              [&](const Tensors& x) { return call("mvt::trained_linear", x[0], x[1], x[2], quick, x[3]); },
              [&](const Tensors& x) -> Tensors {
                const auto y = at::linear(x[0], x[1], x[2]);
                return {(quick ? quick_gelu(y) : y) + x[3]};
              }, tolerance(at::kBFloat16));
      const c10::InferenceMode mode;
      const auto x = drawn({s.rows, s.in}, at::kBFloat16), w = drawn({s.out, s.in}, at::kFloat);
      close(what + " alone", call("mvt::trained_linear", x, w, Optional(), false, Optional())[0], at::linear(x.to(at::kDouble), w.to(at::kDouble)), tolerance(at::kBFloat16));
    }
}

void merged_rows() {
  for (const int64_t width : {1, 7, 64}) {
    const auto target = at::randint(0, 4, {3, 9}, at::kLong), weights = at::rand({3, 9});
    compare("merge_rows, width " + std::to_string(width), {drawn({3, 9, width}, at::kFloat)},
            [&](const Tensors& x) { return call("mvt::merge_rows", x[0], target, weights, (int64_t)4); },
            [&](const Tensors& x) -> Tensors {
              return {at::zeros({3, 4, width}, at::kDouble).scatter_add(1, target.unsqueeze(2).expand({3, 9, width}), x[0] * weights.to(at::kDouble).unsqueeze(2))};
            }, tolerance(at::kFloat));
  }
}

}  // namespace

int main() {
  mvt_manual_seed(1);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    attention(type);
    layer_norm(type);
    products(type);
  }
  trained_products();
  merged_rows();
  mvt_trim_memory();
  std::printf("operators ok, %s\n", mvt_kernels());
}
