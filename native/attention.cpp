// Multi-head attention over the output of the projection of queries, keys and values as it lies in memory: no copy into another layout, and
// no matrix of scores but that of a few queries of one head. For its gradient the projections alone are kept.
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "recorded.h"
#include "share.h"
#include "tiles.h"

namespace {

using mvt::Optional;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

struct Shape {
  int64_t sequences, length, heads, width;  // width of a head

  Shape(const at::Tensor& qkv, int64_t heads) : heads(heads) {
    TORCH_CHECK(qkv.dim() == 3 && heads >= 1 && qkv.size(2) % (3 * heads) == 0 && mvt::is_float(qkv), "attention: ", qkv.sizes(), " ",
                qkv.scalar_type(), " are no queries, keys and values of ", heads, " heads");
    sequences = qkv.size(0), length = qkv.size(1), width = qkv.size(2) / (3 * heads);
  }

  int64_t all_heads() const { return heads * width; }
};

// [L, L], or [N, 1, 1, L], float32.
at::Tensor checked_mask(const Optional& mask, const Shape& shape) {
  if (!mask || !mask->defined()) return {};
  const auto sizes = mask->sizes();
  const bool by_query = sizes.size() == 2 && sizes[0] == shape.length && sizes[1] == shape.length;
  const bool by_key = sizes.size() == 4 && sizes[0] == shape.sequences && sizes[1] == 1 && sizes[2] == 1 && sizes[3] == shape.length;
  TORCH_CHECK((by_query || by_key) && !mask->requires_grad(), "attention: a mask of ", sizes, " for ", shape.sequences, " sequences of ", shape.length);
  return mask->to(at::kFloat).contiguous();
}

// The matrix unit's, where it multiplies these.
const mvt::AttentionKernels& kernels_for(const at::Tensor& qkv) {
  return qkv.scalar_type() == at::kBFloat16 && mvt::tiles() ? mvt::tiles()->attention : mvt::kernels().attention;
}

// Calls body(head, offset of its queries in qkv, scratch) for each head of each sequence.
template <typename Body>
void for_each_head(const Shape& shape, const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& mask, int64_t bytes, Body&& body) {
  const int64_t width = shape.all_heads();
  const auto in = mvt::floats(qkv), result = mvt::floats(out);
  const float* masks = mask.defined() ? mask.data_ptr<float>() : nullptr;
  const bool by_query = mask.defined() && mask.dim() == 2;
  // Few and small heads are sooner done than another thread is woken.
  constexpr int64_t worth_waking = 1 << 18;  // multiply-adds
  const int64_t at_least = std::max<int64_t>(1, worth_waking / (shape.length * shape.length * shape.width + 1));
  mvt::share(shape.sequences * shape.heads, at_least, bytes, [&](int64_t task, void* scratch) {
    const int64_t sequence = task / shape.heads, head = task % shape.heads;
    const int64_t at = sequence * shape.length * 3 * width + head * shape.width;
    body(mvt::Head{shape.length, shape.width, in.at(at), in.at(at + width), in.at(at + 2 * width), 3 * width,
                   result.at(sequence * shape.length * width + head * shape.width), width,
                   masks ? masks + (by_query ? 0 : sequence * shape.length) : nullptr, by_query ? shape.length : 0},
         at, scratch);
  });
}

at::Tensor attention(const at::Tensor& qkv, int64_t heads, const Optional& mask) {
  const Shape shape(qkv, heads);
  const auto in = qkv.contiguous(), masks = checked_mask(mask, shape);
  auto out = at::empty({shape.sequences, shape.length, shape.all_heads()}, in.options());
  const auto& kernels = kernels_for(in);
  for_each_head(shape, in, out, masks, kernels.scratch(shape.length, shape.width, false), [&](const mvt::Head& head, int64_t, void* scratch) { kernels.forward(head, scratch); });
  return out;
}

at::Tensor attention_backward(const at::Tensor& qkv, int64_t heads, const at::Tensor& mask, const at::Tensor& gradient) {
  const Shape shape(qkv, heads);
  const int64_t width = shape.all_heads();
  auto result = at::empty_like(qkv);
  const auto out = mvt::floats(result);
  const auto& kernels = kernels_for(qkv);
  for_each_head(shape, qkv, gradient, mask, kernels.scratch(shape.length, shape.width, true), [&](const mvt::Head& head, int64_t at, void* scratch) {
    kernels.backward(head, out.at(at), out.at(at + width), out.at(at + 2 * width), 3 * width, scratch);
  });
  return result;
}

struct Attention : torch::autograd::Function<Attention> {
  static Variable forward(AutogradContext* context, const Variable& qkv, int64_t heads, const Optional& mask) {
    at::AutoDispatchBelowADInplaceOrView guard;
    const auto in = qkv.contiguous(), masks = checked_mask(mask, Shape(qkv, heads));
    context->save_for_backward({in, masks});
    context->saved_data["heads"] = heads;
    return attention(in, heads, mvt::optional(masks));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto gradient = gradients[0].to(saved[0].scalar_type()).contiguous();
    return {attention_backward(saved[0], context->saved_data["heads"].toInt(), saved[1], gradient), Variable(), Variable()};
  }
};

at::Tensor attention_recorded(const at::Tensor& qkv, int64_t heads, const Optional& mask) {
  if (mvt::recorded({qkv})) return Attention::apply(qkv, heads, mask);
  at::AutoDispatchBelowADInplaceOrView guard;
  return attention(qkv, heads, mask);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mvt, library) { library.def("attention(Tensor qkv, int heads, Tensor? mask) -> Tensor"); }
TORCH_LIBRARY_IMPL(mvt, CPU, library) { library.impl("attention", attention); }
TORCH_LIBRARY_IMPL(mvt, AutogradCPU, library) { library.impl("attention", attention_recorded); }
