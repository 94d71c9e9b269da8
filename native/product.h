// Products of the CPU, by oneDNN.
#pragma once
#ifdef MVTORCH_ONEDNN
#include "recorded.h"

namespace mvt {

constexpr int64_t rows_at_once = 1024;  // what an MLP or a conversion makes of so many rows stays in the cache

// How a weight stands in a product: as it lies, [K, N], or transposed, as layers store it, [N, K].
enum class Weight { as_stored, transposed };

// y = x w (+ b), then the activation. x [M, K], w as its use says, b [N], y [M, N].
// In inference mode a frozen weight, transposed, is held once more in the order that the processor multiplies fastest. Who writes into a
// weight's memory past libtorch drops that copy.
void multiply(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, Activation activation, at::Tensor& y);

// gradient times the activation's derivative at x, both [M, N].
at::Tensor activation_gradient(Activation activation, const at::Tensor& x, const at::Tensor& gradient);

// The sum of the rows of x [M, N], float32 [N]: the gradient by a bias.
at::Tensor sum_of_rows(const at::Tensor& x);

// Whether a copy of the weight may be held: in inference alone.
bool may_be_held(const at::Tensor& w, Weight use);

// Gives up the copies of weights; they are made again when they are wanted.
void drop_held_weights();

}  // namespace mvt
#endif
