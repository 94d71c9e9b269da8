// Operators that do several of libtorch's in one pass, for work without gradients on the CPU. oneDNN multiplies; where it is not
// there these operators are not registered, and the callers' plain form serves.
#ifdef MVTORCH_ONEDNN
#include <ATen/ATen.h>
#include <torch/library.h>

#include <dnnl.hpp>
#include <unordered_map>
#include <vector>

namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

constexpr float quick_gelu_alpha = 1.702f;
constexpr int64_t mlp_rows = 1024;  // the hidden layer of so many rows stays in the cache

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::data_type type_of(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kFloat) return memory::data_type::f32;
  TORCH_CHECK(tensor.scalar_type() == at::kBFloat16, "fused operators take float32 and bfloat16, not ", tensor.scalar_type());
  return memory::data_type::bf16;
}

memory matrix(const at::Tensor& tensor, int64_t rows, int64_t columns, bool transposed = false) {
  TORCH_CHECK(tensor.is_contiguous(), "fused operators take contiguous tensors");
  const auto order = transposed ? memory::format_tag::ba : memory::format_tag::ab;
  return memory({{rows, columns}, type_of(tensor), order}, cpu(), tensor.data_ptr());
}

dnnl::matmul product(const memory& x, const memory& w, const memory* bias, const memory& y, const dnnl::primitive_attr& attributes) {
  const memory::desc none;
  const memory::desc b = bias ? bias->get_desc() : none;
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul({cpu(), x.get_desc(), w.get_desc(), b, y.get_desc(), attributes});
#else
  return dnnl::matmul({{x.get_desc(), w.get_desc(), b, y.get_desc()}, attributes, cpu()});
#endif
}

void append_quick_gelu(dnnl::post_ops& then) {  // oneDNN's swish is x sigmoid(alpha x)
#if DNNL_VERSION_MAJOR >= 3
  then.append_eltwise(dnnl::algorithm::eltwise_swish, quick_gelu_alpha, 0.f);
#else
  then.append_eltwise(1.f, dnnl::algorithm::eltwise_swish, quick_gelu_alpha, 0.f);
#endif
}

// y = x w^T + b, then QuickGELU: x [M, K], w [N, K], b [N], y [M, N].
void multiply(const at::Tensor& x, const at::Tensor& w, const c10::optional<at::Tensor>& b, bool quick_gelu, at::Tensor& y) {
  const int64_t m = x.size(0), k = x.size(1), n = w.size(0);
  const memory source = matrix(x, m, k), weights = matrix(w, k, n, true), target = matrix(y, m, n);
  Arguments arguments{{DNNL_ARG_SRC, source}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, target}};
  memory bias;
  if (b) arguments.insert({DNNL_ARG_BIAS, bias = matrix(*b, 1, n)});
  dnnl::post_ops then;
  if (quick_gelu) append_quick_gelu(then);
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(then);
  dnnl::stream stream(cpu());
  product(source, weights, b ? &bias : nullptr, target, attributes).execute(stream, arguments);
  stream.wait();
}

std::vector<int64_t> with_last(const at::Tensor& x, int64_t last) {
  auto sizes = x.sizes().vec();
  sizes.back() = last;
  return sizes;
}

void check_product(const at::Tensor& x, const at::Tensor& weight, const char* name) {
  TORCH_CHECK(weight.dim() == 2 && x.dim() >= 1 && x.size(-1) == weight.size(1), name, ": x is ", x.sizes(), " and the weight ",
              weight.sizes());
  TORCH_CHECK(x.scalar_type() == weight.scalar_type(), name, ": x is ", x.scalar_type(), " and the weight ", weight.scalar_type());
}

at::Tensor linear(const at::Tensor& x, const at::Tensor& weight, const c10::optional<at::Tensor>& bias) {
  check_product(x, weight, "linear");
  auto y = at::empty(with_last(x, weight.size(0)), x.options());
  if (y.numel() == 0) return y;
  auto out = y.view({-1, y.size(-1)});
  multiply(x.contiguous().view({-1, x.size(-1)}), weight, bias, false, out);
  return y;
}

at::Tensor mlp(const at::Tensor& x, const at::Tensor& expand, const c10::optional<at::Tensor>& expand_bias,
               const at::Tensor& contract, const c10::optional<at::Tensor>& contract_bias) {
  check_product(x, expand, "mlp");
  TORCH_CHECK(contract.dim() == 2 && contract.size(1) == expand.size(0), "mlp: the weights are ", expand.sizes(), " and ",
              contract.sizes());
  auto y = at::empty(with_last(x, contract.size(0)), x.options());
  if (y.numel() == 0) return y;
  const auto rows = x.contiguous().view({-1, x.size(-1)});
  auto out = y.view({-1, y.size(-1)});
  auto hidden = at::empty({std::min(mlp_rows, rows.size(0)), expand.size(0)}, x.options());
  for (int64_t first = 0; first < rows.size(0); first += mlp_rows) {
    const auto count = std::min(mlp_rows, rows.size(0) - first);
    auto part = hidden.narrow(0, 0, count), target = out.narrow(0, first, count);
    multiply(rows.narrow(0, first, count), expand, expand_bias, true, part);
    multiply(part, contract, contract_bias, false, target);
  }
  return y;
}

}  // namespace

TORCH_LIBRARY(mvt, library) {
  library.def("linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor");
  library.def("mlp(Tensor x, Tensor expand, Tensor? expand_bias, Tensor contract, Tensor? contract_bias) -> Tensor");
}

TORCH_LIBRARY_IMPL(mvt, CPU, library) {
  library.impl("linear", linear);
  library.impl("mlp", mlp);
}
#endif
