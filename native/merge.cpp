// Rows that become one: weighted sums of the rows of each sequence, with their gradient. What token merging does to the tokens of a frame.
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "recorded.h"
#include "share.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// x [N, L, D] float32; target int64 and weights float32 [N, L]; the result [N, rows, D].
void check(const at::Tensor& x, const at::Tensor& target, const at::Tensor& weights, int64_t rows) {
  TORCH_CHECK(x.dim() == 3 && x.scalar_type() == at::kFloat, "merge_rows: x is ", x.sizes(), " ", x.scalar_type(), ", not float32 [N, L, D]");
  TORCH_CHECK(target.scalar_type() == at::kLong && weights.scalar_type() == at::kFloat && target.sizes() == x.sizes().slice(0, 2) && weights.sizes() == target.sizes(),
              "merge_rows: target is ", target.sizes(), " and weights ", weights.sizes(), " for ", x.sizes());
  TORCH_CHECK(target.numel() == 0 || (target.min().item<int64_t>() >= 0 && target.max().item<int64_t>() < rows), "merge_rows: a target is none of ", rows, " rows");
}

// y[n, target[n, l]] += weights[n, l] x[n, l], or with the rows' roles exchanged, as the gradient has it.
at::Tensor moved(const at::Tensor& x, const at::Tensor& target, const at::Tensor& weights, int64_t rows, bool back) {
  const int64_t sequences = target.size(0), length = target.size(1), width = x.size(2);
  auto y = back ? at::empty({sequences, length, width}, x.options()) : at::zeros({sequences, rows, width}, x.options());
  const auto in = x.contiguous(), places = target.contiguous(), factors = weights.contiguous();
  const float *from = in.data_ptr<float>(), *w = factors.data_ptr<float>();
  const int64_t* to = places.data_ptr<int64_t>();
  float* out = y.data_ptr<float>();
  mvt::share(sequences, 1, 0, [&](int64_t n, void*) {
    for (int64_t l = 0; l < length; l++) {
      const float factor = w[n * length + l];
      const int64_t merged = (n * rows + to[n * length + l]) * width, single = (n * length + l) * width;
      const float* source = from + (back ? merged : single);
      float* place = out + (back ? single : merged);
      if (back) for (int64_t j = 0; j < width; j++) place[j] = factor * source[j];
      else for (int64_t j = 0; j < width; j++) place[j] += factor * source[j];
    }
  });
  return y;
}

at::Tensor merge_rows(const at::Tensor& x, const at::Tensor& target, const at::Tensor& weights, int64_t rows) {
  check(x, target, weights, rows);
  return moved(x, target, weights, rows, false);
}

struct MergeRows : torch::autograd::Function<MergeRows> {
  static Variable forward(AutogradContext* context, const Variable& x, const Variable& target, const Variable& weights, int64_t rows) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({target, weights});
    context->saved_data["rows"] = rows;
    return merge_rows(x, target, weights, rows);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    return {moved(gradients[0], saved[0], saved[1], context->saved_data["rows"].toInt(), true), Variable(), Variable(), Variable()};
  }
};

at::Tensor recorded(const at::Tensor& x, const at::Tensor& target, const at::Tensor& weights, int64_t rows) {
  if (mvt::recorded({x})) return MergeRows::apply(x, target, weights, rows);
  at::AutoDispatchBelowADInplaceOrView guard;
  return merge_rows(x, target, weights, rows);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mvt, library) { library.def("merge_rows(Tensor x, Tensor target, Tensor weights, int rows) -> Tensor"); }
TORCH_LIBRARY_IMPL(mvt, CPU, library) { library.impl("merge_rows", merge_rows); }
TORCH_LIBRARY_IMPL(mvt, AutogradCPU, library) { library.impl("merge_rows", recorded); }
