// Kernels on an NVIDIA GPU (gpu_kernels.h), launched on the stream of the calling thread.
#pragma once
#include "norm.h"

namespace mvt::gpu {

// What normalize() of norm.cpp does in one pass: `to` holds the tensors to be filled.
void layer_norm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight, const at::Tensor& bias, const Normalized& to);

// The gradient by x plus `through` (where it is defined), and once more in bfloat16 where `half` is defined.
void layer_norm_backward(const at::Tensor& kept, const at::Tensor& weight, const at::Tensor& means, const at::Tensor& scales,
                         const at::Tensor& gradient, const at::Tensor& through, const at::Tensor& out, const at::Tensor& half);

}  // namespace mvt::gpu
