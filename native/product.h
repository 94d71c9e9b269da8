// Products of the CPU, by oneDNN.
#pragma once
#ifdef MVTORCH_ONEDNN
#include "recorded.h"

namespace mvt {

constexpr float quick_gelu_alpha = 1.702f;
constexpr int64_t rows_at_once = 1024;  // what an MLP or a conversion makes of so many rows stays in the cache

// How a weight stands in a product: as it lies, [K, N]; transposed, as layers store it, [N, K]; or transposed and seen again and again, so that
// a copy in the order that the processor multiplies fastest is worth its memory.
enum class Weight { as_stored, transposed, held };

// y = x w (+ b), then QuickGELU where asked for. x [M, K], w as its use says, b [N], y [M, N].
void multiply(const at::Tensor& x, const at::Tensor& w, Weight use, const Optional& b, bool quick_gelu, at::Tensor& y);

// Gives up the copies of weights that are no more.
void drop_dead_weights();

}  // namespace mvt
#endif
