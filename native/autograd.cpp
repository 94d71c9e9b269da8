#include <c10/core/GradMode.h>
#include <c10/core/InferenceMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

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

// The caller's function, and its end when the graph goes.
struct Segment final : torch::CustomClassHolder {
  Segment(mvt_segment forward, mvt_segment_release release, void* state) : forward(forward), release(release), state(state) {}
  ~Segment() override { release(state); }
  at::Tensor operator()(const at::Tensor& x) const {
    mvt_tensor* y = nullptr;
    TORCH_CHECK(forward(state, mvt::wrap(x), &y) == 0, "the segment failed");
    at::Tensor result = mvt::unwrap(y);
    mvt_tensor_free(y);
    return result;
  }
  mvt_segment forward;
  mvt_segment_release release;
  void* state;
};

at::Generator default_generator(const at::Tensor& x) { return at::globalContext().defaultGenerator(x.device()); }

// Gradient checkpointing (arXiv 1604.06174): the segment runs without a graph, and once more with one when its gradient is wanted,
// with the random numbers and the autocast of the first time.
struct Checkpoint : torch::autograd::Function<Checkpoint> {
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& x, const at::Tensor& /* makes it recorded */,
                            const c10::intrusive_ptr<Segment>& segment) {
    const auto autocast = mvt::get_autocast(x.device().type());
    context->save_for_backward({x, default_generator(x).get_state()});
    context->saved_data["segment"] = c10::IValue::make_capsule(segment);
    context->saved_data["autocast"] = autocast.enabled;
    context->saved_data["dtype"] = static_cast<int64_t>(autocast.dtype);
    const at::AutoGradMode none(false);
    return (*segment)(x.detach());
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context, torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto segment = c10::static_intrusive_pointer_cast<Segment>(context->saved_data["segment"].toCapsule());
    const auto x = saved[0].detach().requires_grad_(saved[0].requires_grad());
    auto generator = default_generator(x);
    const auto now = generator.get_state();
    const at::AutoGradMode recorded(true);
    at::Tensor y;
    generator.set_state(saved[1]);
    try {
      std::unique_ptr<AutocastGuard> autocast;
      if (context->saved_data["autocast"].toBool())
        autocast = std::make_unique<AutocastGuard>(x.device().type(), static_cast<at::ScalarType>(context->saved_data["dtype"].toInt()));
      y = (*segment)(x);
    } catch (...) {
      generator.set_state(now);
      throw;
    }
    generator.set_state(now);
    if (y.requires_grad()) torch::autograd::backward({y}, {gradients[0]});
    return {x.grad(), at::Tensor(), at::Tensor()};
  }
};

}  // namespace

int mvt_checkpoint(const mvt_tensor* x, mvt_segment forward, mvt_segment_release release, void* state, mvt_tensor** out) {
  const auto segment = c10::make_intrusive<Segment>(forward, release, state);
  return mvt::guarded([&] {
    const auto anchor = at::zeros({0}).requires_grad_();   // what trains inside need not be among the inputs
    *out = mvt::wrap(Checkpoint::apply(mvt::unwrap(x), anchor, segment));
  });
}

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
