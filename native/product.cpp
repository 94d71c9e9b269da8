#include "product.h"
#ifdef MVTORCH_ONEDNN
#include <dnnl.hpp>
#include <mutex>
#include <unordered_map>

namespace mvt {
namespace {

using dnnl::memory;
using Arguments = std::unordered_map<int, memory>;

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

void append_quick_gelu(dnnl::post_ops& then) {  // oneDNN's swish is x sigmoid(alpha x)
#if DNNL_VERSION_MAJOR >= 3
  then.append_eltwise(dnnl::algorithm::eltwise_swish, quick_gelu_alpha, 0.f);
#else
  then.append_eltwise(1.f, dnnl::algorithm::eltwise_swish, quick_gelu_alpha, 0.f);
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
void multiply_widened(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, bool quick_gelu, at::Tensor& y) {
  const auto weight = w.to(at::kFloat);
  const auto bias = b ? Optional(b->to(at::kFloat)) : b;
  auto wide = at::empty({std::min(rows_at_once, x.size(0)), y.size(1)}, weight.options());
  for (int64_t first = 0; first < x.size(0); first += rows_at_once) {
    const auto count = std::min(rows_at_once, x.size(0) - first);
    auto part = wide.narrow(0, 0, count);
    multiply(x.narrow(0, first, count).to(at::kFloat), weight, use == Weight::held ? Weight::transposed : use, bias, quick_gelu, part);
    y.narrow(0, first, count).copy_(part);
  }
}

// Frozen weights in the order that oneDNN asked for. A weight is known by its tensor, whose end empties the entry, and its version.
class Packed {
 public:
  // The weight in the wanted order, or nothing: on the first sight of a weight that may never come again, and where another order is held.
  Optional find(const at::Tensor& w, const memory& stored, const memory::desc& wanted) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto found = held_.find(w.unsafeGetTensorImpl());
    if (found == held_.end() || found->second.version != w._version() || found->second.data != w.data_ptr()) {
      drop_dead();
      held_.insert_or_assign(w.unsafeGetTensorImpl(), Entry{Owner(w.getIntrusivePtr()), w._version(), w.data_ptr(), {}, {}});
      return {};
    }
    auto& entry = found->second;
    if (!entry.copy) {
      entry.copy = at::empty({static_cast<int64_t>(wanted.get_size())}, w.options().dtype(at::kByte));
      entry.order = wanted;
      auto target = memory(wanted, cpu(), entry.copy->data_ptr());
      auto from = stored;
      dnnl::stream stream(cpu());
      dnnl::reorder(from, target).execute(stream, from, target);
      stream.wait();
    }
    return entry.order == wanted ? entry.copy : Optional();
  }

  void clean() {
    const std::lock_guard<std::mutex> lock(mutex_);
    drop_dead();
  }

 private:
  using Owner = c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

  struct Entry {
    Owner owner;
    int64_t version;
    const void* data;
    Optional copy;
    memory::desc order;
  };

  void drop_dead() {
    for (auto entry = held_.begin(); entry != held_.end();) entry = entry->second.owner.expired() ? held_.erase(entry) : std::next(entry);
  }

  std::mutex mutex_;
  std::unordered_map<const c10::TensorImpl*, Entry> held_;
};

Packed& packed() {
  static auto* weights = new Packed;  // never destroyed: tensors may outlive whatever a destructor would run after
  return *weights;
}

// A weight may be held where nothing will train it and its changes can be seen.
bool may_be_held(const at::Tensor& w, Weight use) { return use == Weight::held && !w.requires_grad() && !w.is_inference(); }

}  // namespace

void multiply(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, bool quick_gelu, at::Tensor& y) {
  const auto type = x.scalar_type();
  if (!multiplies(type)) {
    multiply_widened(x, w, use, b, quick_gelu, y);
    return;
  }
  const int64_t m = x.size(0), k = x.size(1), n = y.size(1);
  dnnl::post_ops then;
  if (quick_gelu) append_quick_gelu(then);
  Descriptions product{matrix(type, m, k), b ? matrix(type, 1, n) : memory::desc(), matrix(type, m, n), {}};
  product.attributes.set_post_ops(then);

  const auto as_it_lies = matrix(type, k, n, use == Weight::as_stored ? memory::format_tag::ab : memory::format_tag::ba);
  memory weights = memory_of(as_it_lies, w);
  Optional copy;
  if (may_be_held(w, use)) {
    // Where rows of either kind are asked for (AVX2) a copy gains nothing: 0.98 to 1.02 times the speed from 700 rows on.
    const auto wanted = product.with(matrix(type, k, n, memory::format_tag::any)).weights_desc();
    const bool in_blocks = wanted != as_it_lies && wanted != matrix(type, k, n);
    if (in_blocks && (copy = packed().find(w, weights, wanted))) weights = memory(wanted, cpu(), copy->data_ptr());
  }

  Arguments arguments{{DNNL_ARG_SRC, memory_of(product.x, x)}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, memory_of(product.y, y)}};
  if (b) arguments.insert({DNNL_ARG_BIAS, memory_of(product.b, *b)});
  dnnl::stream stream(cpu());
  dnnl::matmul(product.with(weights.get_desc())).execute(stream, arguments);
  stream.wait();
}

void drop_dead_weights() { packed().clean(); }

}  // namespace mvt
#endif
