// Loops that libtorch and oneDNN have no single operator for, in float32 whatever they are stored in. kernels.cpp is compiled once for
// each kind of vector unit, and kernels() gives those of this processor.
#pragma once
#include <cstdint>

namespace mvt {

// Memory of float32, or of bfloat16.
struct Floats {
  void* data;
  bool half;

  Floats at(int64_t offset) const { return {static_cast<char*>(data) + offset * (half ? 2 : 4), half}; }
};

// x sigmoid(1.702 x), or x times the normal distribution's integral up to x.
enum class Activation { none, quick_gelu, gelu };

// One head of one sequence: queries, keys, values and what comes out are each [length, width], rows stride apart.
struct Head {
  int64_t length, width;
  Floats q, k, v;
  int64_t stride;
  Floats out;  // the result, or in the backward pass its gradient
  int64_t out_stride;
  const float* mask;  // added to the scores, [length, length]; null for none
  int64_t mask_stride;  // 0 where all queries have the same mask
};

struct AttentionKernels {
  // The bytes of scratch memory that a head of this size wants, from an address that 64 divides.
  int64_t (*scratch)(int64_t length, int64_t width, bool backward);
  // out = softmax(q k^T / sqrt(width) + mask) v. Scores exist for a few queries at a time.
  void (*forward)(const Head& head, void* scratch);
  // The gradients by q, k and v; scores are computed again.
  void (*backward)(const Head& head, Floats q, Floats k, Floats v, int64_t stride, void* scratch);
};

struct Kernels {
  const char* name;

  AttentionKernels attention;

  // sum = x + delta (where there is a delta), y = (sum - mean) / deviation * weight + bias. mean, 1 / deviation, and what was normalised
  // before weight and bias, are left where wanted.
  void (*layer_norm)(int64_t rows, int64_t width, const float* x, Floats delta, float* sum, const float* weight, const float* bias, Floats y,
                     float* means, float* scales, Floats normalized);
  // out = gradient by x (+ through, which came around the normalisation); gradients by weight and bias are added to, where wanted.
  // x is what was normalised, or with no means the result of that.
  void (*layer_norm_backward)(int64_t rows, int64_t width, Floats x, const float* weight, const float* means, const float* scales, Floats gradient, const float* through, float* out, float* weight_gradient, float* bias_gradient);

  // sums += the rows of x.
  void (*sum_rows)(int64_t rows, int64_t width, Floats x, float* sums);

  // y = the activation of x, and gradient *= its derivative at x.
  void (*activate)(Activation activation, int64_t count, Floats x, Floats y);
  void (*activate_backward)(Activation activation, int64_t count, Floats x, Floats gradient);
};

const Kernels& kernels();

}  // namespace mvt
