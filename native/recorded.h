// What the operators of our own share: when a gradient is recorded, and optional tensors.
#pragma once
#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "kernels.h"

namespace mvt {

// libtorch's optional was a type of its own, then an alias, and is about to go: whatever it is called here.
using Optional = decltype(std::declval<c10::IValue>().toOptional<at::Tensor>());

inline Optional optional(const at::Tensor& tensor) { return tensor.defined() ? Optional(tensor) : Optional(); }

inline bool requires_grad(const Optional& tensor) { return tensor && tensor->defined() && tensor->requires_grad(); }

// Whether a graph is to be made.
inline bool recorded(std::initializer_list<Optional> tensors) {
  return c10::GradMode::is_enabled() && std::any_of(tensors.begin(), tensors.end(), requires_grad);
}

inline bool is_float(const at::Tensor& tensor) { return tensor.scalar_type() == at::kFloat || tensor.scalar_type() == at::kBFloat16; }

// The memory of a contiguous tensor.
inline Floats floats(const at::Tensor& tensor) { return {tensor.data_ptr(), tensor.scalar_type() == at::kBFloat16}; }

inline at::Tensor rows_of(const at::Tensor& x) { return x.contiguous().view({-1, x.size(-1)}); }

}  // namespace mvt
