// Operators that do several of libtorch's in one pass, for work without gradients on the CPU. oneDNN multiplies; where it is not
// there these operators are not registered, and the callers' plain form serves.
#ifdef MVTORCH_ONEDNN
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/library.h>

#include <cmath>
#include <cstring>
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

// exp for x <= 0, to a few units in the last place: 2^k times a polynomial. Plain arithmetic, so that compilers vectorise it.
inline float exp_of_negative(float x) {
  const float clamped = x < -87.f ? -87.f : x;
  const float k = std::floor(clamped * 1.44269504f + 0.5f);
  const float r = clamped - k * 0.693359375f + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.f;
  const int32_t bits = (static_cast<int32_t>(k) + 127) << 23;
  float scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

// Softmax of a row in place, after adding a mask (or not). A row that sees nothing at all becomes zeros.
__attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default"), optimize("O3", "fast-math")))
void softmax(float* row, const float* mask, int64_t length) {
  if (mask)
    for (int64_t i = 0; i < length; i++) row[i] += mask[i];
  float most = -3.0e38f;
  for (int64_t i = 0; i < length; i++) most = row[i] > most ? row[i] : most;
  float sum = 0;
  for (int64_t i = 0; i < length; i++) sum += row[i] = exp_of_negative(row[i] - most);
  const float factor = 1 / sum;
  for (int64_t i = 0; i < length; i++) row[i] *= factor;
}

// Attention over queries, keys and values that lie side by side: projected [N, L, 3D] -> [N, L, D]. The scores of one head
// of one row live in the cache of the core that computes them and are never written to memory.
at::Tensor attention(const at::Tensor& projected, int64_t heads, const c10::optional<at::Tensor>& mask) {
  TORCH_CHECK(projected.dim() == 3 && heads > 0 && projected.size(2) % (3 * heads) == 0, "attention: ", projected.sizes(),
              " does not fall into queries, keys and values of ", heads, " heads");
  const int64_t n = projected.size(0), length = projected.size(1), width = projected.size(2) / 3, d = width / heads;
  const auto input = projected.to(at::kFloat).contiguous();
  at::Tensor added;  // [L, L] for all, or one row [L] of masked keys for each n
  if (mask) {
    const bool keys = mask->dim() == 4;
    TORCH_CHECK(keys ? mask->size(0) == n && mask->numel() == n * length : mask->sizes() == at::IntArrayRef({length, length}),
                "attention: the mask is ", mask->sizes(), " over ", projected.sizes());
    added = mask->to(at::kFloat).contiguous();
  }
  const bool keys = mask && mask->dim() == 4;
  auto result = at::empty({n, length, width}, input.options());
  const float scale = 1 / std::sqrt(static_cast<float>(d));
  const float *from = input.data_ptr<float>(), *masks = mask ? added.data_ptr<float>() : nullptr;
  float* to = result.data_ptr<float>();
  at::parallel_for(0, n * heads, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> scores(length * length);
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = i / heads, head = i % heads;
      const float* q = from + row * length * 3 * width + head * d;
      dnnl_sgemm('N', 'T', length, length, d, scale, q, 3 * width, q + width, 3 * width, 0, scores.data(), length);
      for (int64_t j = 0; j < length; j++)
        softmax(scores.data() + j * length, masks == nullptr ? nullptr : masks + (keys ? row : j) * length, length);
      dnnl_sgemm('N', 'N', length, d, length, 1, scores.data(), length, q + 2 * width, 3 * width, 0,
                 to + row * length * width + head * d, width);
    }
  });
  return result.to(projected.scalar_type());
}

}  // namespace

TORCH_LIBRARY(mvt, library) {
  library.def("linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor");
  library.def("mlp(Tensor x, Tensor expand, Tensor? expand_bias, Tensor contract, Tensor? contract_bias) -> Tensor");
  library.def("attention(Tensor projected, int heads, Tensor? mask=None) -> Tensor");
}

TORCH_LIBRARY_IMPL(mvt, CPU, library) {
  library.impl("linear", linear);
  library.impl("mlp", mlp);
  library.impl("attention", attention);
}
#endif
