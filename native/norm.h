// What a layer normalisation leaves behind.
#pragma once
#include <ATen/ATen.h>

namespace mvt {

// For the gradient is kept what was normalised with its means; or, where the result is bfloat16 and the gradient will be, the normalised
// numbers in bfloat16, half of that.
struct Normalized {
  at::Tensor sum, y, kept, means, scales;
};

}  // namespace mvt
