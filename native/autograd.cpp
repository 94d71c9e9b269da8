#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <memory>

#include "compat.h"
#include "internal.h"

// A guard is whatever must be undone on the same thread.
struct mvt_guard {
  virtual ~mvt_guard() = default;
};

namespace {

torch::autograd::variable_list list_of(mvt_tensor* const* tensors, int64_t count) {
  torch::autograd::variable_list list;
  if (tensors == nullptr) return list;
  list.reserve(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; i++) list.push_back(mvt::unwrap_or_undefined(tensors[i]));
  return list;
}

struct InferenceGuard final : mvt_guard {
  c10::InferenceMode mode{true};
};

struct AutocastGuard final : mvt_guard {
  AutocastGuard(at::DeviceType device, at::ScalarType dtype) : device(device), before(mvt::get_autocast(device)) {
    mvt::set_autocast(device, {true, dtype});
    at::autocast::increment_nesting();
  }
  ~AutocastGuard() override {
    // The cache holds converted weights; the outermost guard drops it, so that an optimiser's step is seen.
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    mvt::set_autocast(device, before);
  }
  at::DeviceType device;
  mvt::AutocastState before;
};

}  // namespace

int mvt_set_requires_grad(mvt_tensor* tensor, int value) {
  return mvt::guarded([&] { mvt::unwrap(tensor).set_requires_grad(value != 0); });
}

int mvt_get_grad(const mvt_tensor* tensor, mvt_tensor** out) {
  return mvt::guarded([&] {
    const auto& grad = mvt::unwrap(tensor).grad();
    *out = grad.defined() ? mvt::wrap(grad) : nullptr;
  });
}

int mvt_set_grad(mvt_tensor* tensor, const mvt_tensor* grad) {
  return mvt::guarded([&] { mvt::unwrap(tensor).mutable_grad() = mvt::unwrap_or_undefined(grad); });
}

int mvt_backward(mvt_tensor* const* tensors, int64_t count, mvt_tensor* const* gradients, int keep_graph) {
  return mvt::guarded([&] {
    torch::autograd::backward(list_of(tensors, count), list_of(gradients, count), keep_graph != 0);
  });
}

int mvt_gradient(mvt_tensor* const* outputs, int64_t output_count, mvt_tensor* const* output_gradients,
                 mvt_tensor* const* inputs, int64_t input_count, int keep_graph, mvt_tensor** gradients) {
  return mvt::guarded([&] {
    auto result = torch::autograd::grad(list_of(outputs, output_count), list_of(inputs, input_count),
                                        list_of(output_gradients, output_count), keep_graph != 0,
                                        /*create_graph=*/false, /*allow_unused=*/true);
    for (int64_t i = 0; i < input_count; i++)
      gradients[i] = result[static_cast<size_t>(i)].defined() ? mvt::wrap(result[static_cast<size_t>(i)]) : nullptr;
  });
}

int mvt_grad_mode(int value) {
  const int before = c10::GradMode::is_enabled() ? 1 : 0;
  if (value >= 0) c10::GradMode::set_enabled(value != 0);
  return before;
}

int mvt_inference_mode_enter(mvt_guard** out) {
  return mvt::guarded([&] { *out = new InferenceGuard(); });
}

int mvt_autocast_enter(int64_t device_type, int64_t dtype, mvt_guard** out) {
  return mvt::guarded([&] {
    *out = new AutocastGuard(static_cast<at::DeviceType>(device_type), static_cast<at::ScalarType>(dtype));
  });
}

void mvt_guard_release(mvt_guard* guard) { delete guard; }
