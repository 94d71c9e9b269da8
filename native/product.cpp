#include "product.h"
#ifdef MVTORCH_ONEDNN
#include <c10/core/InferenceMode.h>

#include <cstring>
#include <dnnl.hpp>
#include <unordered_map>

#include "held.h"
#include "tiled.h"

namespace mvt {
namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

// The sanitizers are to see copies on every processor.
#ifdef __SANITIZE_ADDRESS__
constexpr bool hold_rows = true;
#else
constexpr bool hold_rows = false;
#endif

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

memory::data_type type_of(at::ScalarType type) {
  if (type == at::kFloat) return memory::data_type::f32;
  TORCH_CHECK(type == at::kBFloat16, "fused operators take float32 and bfloat16, not ", type);
  return memory::data_type::bf16;
}

memory::desc matrix(at::ScalarType type, int64_t rows, int64_t columns, memory::format_tag order = memory::format_tag::ab) {
  return {{rows, columns}, type_of(type), order};
}

memory memory_of(const memory::desc& description, const at::Tensor& tensor) {
  TORCH_CHECK(tensor.is_contiguous(), "fused operators take contiguous tensors");
  return memory(description, cpu(), tensor.data_ptr());
}

void append(Activation activation, dnnl::post_ops& then) {
  if (activation == Activation::none) return;
  // oneDNN's swish is x sigmoid(alpha x).
  const auto algorithm = activation == Activation::gelu ? dnnl::algorithm::eltwise_gelu_erf : dnnl::algorithm::eltwise_swish;
  const float alpha = activation == Activation::gelu ? 0.f : 1.702f;
#if DNNL_VERSION_MAJOR >= 3
  then.append_eltwise(algorithm, alpha, 0.f);
#else
  then.append_eltwise(1.f, algorithm, alpha, 0.f);
#endif
}

struct Descriptions {
  memory::desc x, b, y;  // b is empty for none
  dnnl::primitive_attr attributes;

  dnnl::matmul::primitive_desc with(const memory::desc& w) const {
#if DNNL_VERSION_MAJOR >= 3
    return {cpu(), x, w, b, y, attributes};
#else
    return {{x, w, b, y}, attributes, cpu()};
#endif
  }
};

// oneDNN multiplies bfloat16 from AVX-512 on; elsewhere float32 stands in for each product, and storage alone is halved.
bool multiplies(at::ScalarType type) {
  static const bool bfloat16 = [] {
    const auto square = matrix(at::kBFloat16, 16, 16);
    try {
      Descriptions{square, {}, square, {}}.with(square);
      return true;
    } catch (const dnnl::error&) {
      return false;
    }
  }();
  return type == at::kFloat || bfloat16;
}

// bfloat16 by way of float32, some rows at a time.
void multiply_widened(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, Activation activation, at::Tensor& y) {
  const auto weight = w.to(at::kFloat);
  const auto bias = b ? Optional(b->to(at::kFloat)) : b;
  auto wide = at::empty({std::min(rows_at_once, x.size(0)), y.size(1)}, weight.options());
  for (int64_t first = 0; first < x.size(0); first += rows_at_once) {
    const auto count = std::min(rows_at_once, x.size(0) - first);
    auto part = wide.narrow(0, 0, count);
    multiply(x.narrow(0, first, count).to(at::kFloat), weight, use, bias, activation, part);
    y.narrow(0, first, count).copy_(part);
  }
}

// A weight in the order that oneDNN asked for; the copy is undefined where the weight's own order is as good.
struct Ordered {
  at::Tensor copy;
  memory::desc order;
};

Ordered ordered(const at::Tensor& w, const memory& stored, const Descriptions& product) {
  auto from = stored;
  const auto as_it_lies = stored.get_desc();
  const auto wanted = product.with(matrix(w.scalar_type(), w.size(1), w.size(0), memory::format_tag::any)).weights_desc();
  // Where rows of either kind are asked for (AVX2) a copy gains nothing: 0.98 to 1.02 times the speed from 700 rows on.
  if (wanted == as_it_lies || (!hold_rows && wanted == matrix(w.scalar_type(), w.size(1), w.size(0)))) return {};
  // Blocks that a weight does not fill: oneDNN 3.7 copies into such wrongly (Debian 13's, with AVX-512).
  if (wanted.get_size() != as_it_lies.get_size()) return {};
  const auto copy = at::empty({static_cast<int64_t>(wanted.get_size())}, w.options().dtype(at::kByte));
  auto target = memory(wanted, cpu(), copy.data_ptr());
  dnnl::stream stream(cpu());
  dnnl::reorder(from, target).execute(stream, from, target);
  stream.wait();
  return {copy, wanted};
}

Held<Ordered>& held() {
  static auto* weights = new Held<Ordered>;  // never destroyed: tensors may be freed after everything else
  return *weights;
}

}  // namespace

// In inference alone: a training step's memory goes to what the gradient needs. There a weight that is not inference's own lives on.
bool may_be_held(const at::Tensor& w, Weight use) {
  return use == Weight::transposed && c10::InferenceMode::is_enabled() && !w.is_inference() && !w.requires_grad();
}

void multiply(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, Activation activation, at::Tensor& y) {
  const auto type = x.scalar_type();
  if (multiplies_in_tiles(x, w)) {
    multiply_in_tiles(x, w, use, b, activation, y);
    return;
  }
  if (!multiplies(type)) {
    multiply_widened(x, w, use, b, activation, y);
    return;
  }
  const int64_t m = x.size(0), k = x.size(1), n = y.size(1);
  dnnl::post_ops then;
  append(activation, then);
  Descriptions product{matrix(type, m, k), b ? matrix(b->scalar_type(), 1, n) : memory::desc(), matrix(type, m, n), {}};
  product.attributes.set_post_ops(then);

  const auto as_it_lies = matrix(type, k, n, use == Weight::as_stored ? memory::format_tag::ab : memory::format_tag::ba);
  memory weights = memory_of(as_it_lies, w);
  Ordered own;  // keeps the copy, whoever drops it meanwhile
  if (may_be_held(w, use)) own = held().find(w, [&] { return ordered(w, weights, product); });
  if (own.copy.defined()) weights = memory(own.order, cpu(), own.copy.data_ptr());
  auto plan = product.with(weights.get_desc());
  // Blocks that were chosen for another number of rows: never at the price of oneDNN's last resort.
  if (own.copy.defined() && std::strstr(plan.impl_info_str(), "ref")) plan = product.with((weights = memory_of(as_it_lies, w)).get_desc());

  Arguments arguments{{DNNL_ARG_SRC, memory_of(product.x, x)}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, memory_of(product.y, y)}};
  if (b) arguments.insert({DNNL_ARG_BIAS, memory_of(product.b, *b)});
  dnnl::stream stream(cpu());
  dnnl::matmul(plan).execute(stream, arguments);
  stream.wait();
}

void drop_held_weights() {
  held().drop();
  drop_packed_weights();
}

namespace {

// libtorch asks the processor whether oneDNN takes bfloat16, but ONEDNN_MAX_CPU_ISA may forbid oneDNN what the processor has, and then
// libtorch's own products end in an error. Without oneDNN they go as on a processor without AVX-512.
#if defined(__x86_64__)
__attribute__((constructor)) void keep_to_what_is_allowed() {
  const auto avx512 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core), allowed = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  if (__builtin_cpu_supports("avx512bw") && (allowed & avx512) != avx512) at::globalContext().setUserEnabledMkldnn(false);
}
#endif

}  // namespace

}  // namespace mvt
#endif
