// Compiled once for each processor that tiles.h names; MVT_TILES is what the result is called.
#include "tile_attention.h"
#include "tile_product.h"

namespace mvt {
namespace {

int64_t packed_size(int64_t n, int64_t k) { return whole(n) * whole(k); }

void pack(const Matrix& w, int64_t n, int64_t k, int64_t first, int64_t last, uint16_t* packed) {
  pack_lines<Side::right>(w, first, last, n, k, packed + first * blocks(k) * block);
}

int64_t left_bytes(int64_t rows, int64_t k) { return whole(rows) * whole(k) * 2; }

int64_t product_scratch(int64_t rows, int64_t k) { return left_bytes(rows, k) + sums_bytes; }

void product(const Matrix& x, int64_t rows, int64_t k, const uint16_t* w, int64_t n, int64_t first, int64_t last, const Finish& f, void* scratch) {
  auto* memory = static_cast<char*>(scratch);
  auto* left = reinterpret_cast<uint16_t*>(aligned(memory, left_bytes(rows, k)));
  auto* sums = reinterpret_cast<float*>(memory);
  pack_left(x, rows, k, left);
  const Unit unit;
  multiply_all({left, w, rows, k, n, first, last, f, nullptr, nullptr, sums});
}

int64_t mlp_scratch(int64_t rows, int64_t width, int64_t hidden, int64_t) { return left_bytes(rows, width) + left_bytes(rows, hidden) + sums_bytes; }

void mlp(const Matrix& x, int64_t rows, int64_t width, const uint16_t* a, int64_t hidden, const Finish& first, const uint16_t* b, int64_t out,
         const Finish& second, float* column_sums, void* scratch) {
  auto* memory = static_cast<char*>(scratch);
  auto* left = reinterpret_cast<uint16_t*>(aligned(memory, left_bytes(rows, width)));
  auto* inner = reinterpret_cast<uint16_t*>(aligned(memory, left_bytes(rows, hidden)));
  auto* sums = reinterpret_cast<float*>(memory);
  pack_left(x, rows, width, left);
  const Unit unit;
  multiply_all({left, a, rows, width, hidden, 0, hidden, first, column_sums, inner, sums});
  if (b) multiply_all({inner, b, rows, hidden, out, 0, out, second, nullptr, nullptr, sums});
}

int64_t loop(int64_t rounds, bool loading) {
  constexpr int64_t depth = 4;
  const Unit unit;
  if (loading) {
    alignas(64) uint16_t left[depth * block_numbers] = {}, right[depth * block_numbers] = {};
    alignas(64) float sums[block_numbers];
    for (int64_t i = 0; i < rounds; i += depth) {
      multiply_block(left, right, depth, sums, block);
      asm volatile("" : : "r"(sums) : "memory");   // or the compiler would do it once
    }
    return (rounds + depth - 1) / depth * depth * 2 * block * block_numbers;
  }
#ifdef __AMX_BF16__
  for (int64_t i = 0; i < rounds; i++) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  return rounds * 2 * block * block_numbers;
#else
  __m512 sums[16] = {};
  const auto one = (__m512bh)_mm512_set1_epi32(1);
  for (int64_t i = 0; i < rounds; i++)
    for (auto& sum : sums) sum = _mm512_dpbf16_ps(sum, one, one);
  float total = 0;
  for (const auto& sum : sums) total += _mm512_reduce_add_ps(sum);
  volatile float kept = total;   // or the compiler would leave the loop out
  return kept >= 0 ? rounds * 16 * 64 : 0;
#endif
}

}  // namespace

extern const Tiles MVT_TILES;
const Tiles MVT_TILES = {
#ifdef __AMX_BF16__
    "AMX", true,
#else
    "AVX-512 BF16", false,
#endif
    packed_size, pack, product_scratch, product, mlp_scratch, mlp, {attention_scratch, attention, attention_backward}, loop,
};

}  // namespace mvt
