// Products of bfloat16 in blocks of 32 x 32, summed in float32: on the matrix unit (AMX), or by the vector unit's own instruction for them
// (AVX-512 BF16). The files tile_*.cpp are compiled once for each, and tiles() gives those of this processor.
#pragma once
#include "kernels.h"

namespace mvt {

// A matrix whose rows are stride numbers apart; transposed, the columns are.
struct Matrix {
  Floats data;
  int64_t stride;
  bool transposed;
};

// What a product does with its sums, in this order: adds a bias; leaves them in `before`; applies an activation, or (of_gradient) multiplies
// by the activation's derivative at what stands in `before`; adds `plus`; stores. Rows of all three are of the product's width apart.
struct Finish {
  const float* bias;  // [up to whole blocks], or null
  Activation activation;
  bool of_gradient;
  Floats before, plus, y;  // data is null for none
};

struct Tiles {
  const char* name;
  bool outdoes_onednn;  // in products of many rows: measured on AMX alone

  // A right-hand side [k, n] in the order that products read, of n and k rounded up to whole blocks: numbers of two bytes. Columns from
  // first to last, multiples of 32, are written.
  int64_t (*packed_size)(int64_t n, int64_t k);
  void (*pack)(const Matrix& w, int64_t n, int64_t k, int64_t first, int64_t last, uint16_t* packed);

  // Bytes of scratch memory, from an address that 64 divides, for that many rows at once.
  int64_t (*product_scratch)(int64_t rows, int64_t k);
  // y = finish(x w): x [rows, k], w packed [k, n]; the columns from first to last, multiples of 32 but for the last.
  void (*product)(const Matrix& x, int64_t rows, int64_t k, const uint16_t* w, int64_t n, int64_t first, int64_t last, const Finish& finish, void* scratch);

  int64_t (*mlp_scratch)(int64_t rows, int64_t width, int64_t hidden, int64_t out);
  // y = second(first(x a) b): x [rows, width], a packed [width, hidden], b packed [hidden, out]. What is between them stays in the scratch.
  void (*mlp)(const Matrix& x, int64_t rows, int64_t width, const uint16_t* a, int64_t hidden, const Finish& first, const uint16_t* b, int64_t out,
              const Finish& second, float* sums, void* scratch);

  AttentionKernels attention;  // of bfloat16 in and out

  // Rounds of nothing but the unit's own instruction, the most that it can do; or with loading what it multiplies, from the first cache, the most
  // that any product can reach. Gives what was done, multiply-adds counted as two.
  int64_t (*loop)(int64_t rounds, bool loading);
};

// Those of this processor; null where it multiplies no bfloat16, or is not to.
const Tiles* tiles();

}  // namespace mvt
