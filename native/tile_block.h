// What the files tile_*.cpp share: packing, and the product of one block. Everything has internal linkage, since each file is compiled for
// several processors.
#pragma once
#include <immintrin.h>

#include "tiles.h"

namespace {

using mvt::Activation;
using mvt::Finish;
using mvt::Floats;
using mvt::Matrix;

constexpr int64_t block = 32;                  // rows, columns and numbers of k that are handled at once
constexpr int64_t tile_numbers = 512;          // 16 rows of 64 bytes
constexpr int64_t block_numbers = block * block;

inline int64_t blocks(int64_t n) { return (n + block - 1) / block; }
inline int64_t whole(int64_t n) { return blocks(n) * block; }
inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline __mmask16 first_of(int64_t count) { return count >= 16 ? 0xffff : count <= 0 ? 0 : (1u << count) - 1; }
inline uint16_t* halves(const Floats& f) { return static_cast<uint16_t*>(f.data); }
inline float* singles(const Floats& f) { return static_cast<float*>(f.data); }

// 16 numbers as float32, those beyond count zero.
inline __m512 read16(const Floats& from, int64_t at, __mmask16 mask) {
  if (!from.half) return _mm512_maskz_loadu_ps(mask, singles(from) + at);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, halves(from) + at)), 16));
}

inline void write16(const Floats& to, int64_t at, __m512 v, __mmask16 mask) {
  if (!to.half) _mm512_mask_storeu_ps(singles(to) + at, mask, v);
  else _mm256_mask_storeu_epi16(halves(to) + at, mask, (__m256i)_mm512_cvtneps_pbh(v));
}

// 16 numbers as bfloat16.
inline __m256i half16(const Floats& from, int64_t at, __mmask16 mask) {
  if (from.half) return _mm256_maskz_loadu_epi16(mask, halves(from) + at);
  return (__m256i)_mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, singles(from) + at));
}

inline __m512i half32(const Floats& from, int64_t at, int64_t count) {
  if (from.half) return _mm512_maskz_loadu_epi16(count >= 32 ? ~0u : (1u << count) - 1, halves(from) + at);
  return (__m512i)_mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(first_of(count - 16), singles(from) + at + 16),
                                      _mm512_maskz_loadu_ps(first_of(count), singles(from) + at));
}

// The lower halves of the numbers of a, the upper of b: pairs, as the instruction wants them.
inline __m512i paired(__m256i a, __m256i b) { return _mm512_or_si512(_mm512_cvtepu16_epi32(a), _mm512_slli_epi32(_mm512_cvtepu16_epi32(b), 16)); }

inline void transpose(__m512i r[16]) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]), t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; j++)
      r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + 2 + j]), r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + 2 + j]);
  for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0x88), t[4 + i] = _mm512_shuffle_i32x4(r[i], r[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0x88), t[12 + i] = _mm512_shuffle_i32x4(r[8 + i], r[12 + i], 0xdd);
  }
  for (int i = 0; i < 8; i++) r[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88), r[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
}

// 16 x 32 numbers whose rows lie in memory as rows.
inline void rows16(const Floats& from, int64_t at, int64_t stride, int64_t rows, int64_t columns, __m512i r[16]) {
  for (int64_t i = 0; i < 16; i++) r[i] = i < rows ? half32(from, at + i * stride, columns) : _mm512_setzero_si512();
}

// 32 x 16 numbers, each register the pairs of two rows.
inline void pairs16(const Floats& from, int64_t at, int64_t stride, int64_t rows, int64_t columns, __m512i r[16]) {
  const auto mask = first_of(columns);
  for (int64_t i = 0; i < 16; i++) {
    const auto even = 2 * i < rows ? half16(from, at + 2 * i * stride, mask) : _mm256_setzero_si256();
    const auto odd = 2 * i + 1 < rows ? half16(from, at + (2 * i + 1) * stride, mask) : _mm256_setzero_si256();
    r[i] = paired(even, odd);
  }
}

inline void store16(const __m512i r[16], uint16_t* to) {
  for (int64_t i = 0; i < 16; i++) _mm512_store_si512(to + i * block, r[i]);
}

enum class Side { left, right };

// One block of a side of a product, from (line, k) on: two tiles of 16 lines each, rows of a left-hand side or columns of a right-hand side.
template <Side side>
inline void pack_block(const Matrix& m, int64_t line, int64_t lines, int64_t k, int64_t all_k, uint16_t* to) {
  constexpr bool right = side == Side::right;
  const bool along_k = m.transposed == right;  // whether a line's numbers lie one after another
  __m512i r[16];
  for (int64_t half = 0; half < 2; half++, to += tile_numbers) {
    const int64_t first = line + 16 * half, count = least(16, lines - first), depth = least(block, all_k - k);
    if (along_k) rows16(m.data, first * m.stride + k, m.stride, count, depth, r);
    else pairs16(m.data, k * m.stride + first, m.stride, depth, count, r);
    if (along_k == right) transpose(r);
    store16(r, to);
  }
}

// Lines from first to last, in whole blocks: they lie by blocks of lines, within them by k.
template <Side side>
inline void pack_lines(const Matrix& m, int64_t first, int64_t last, int64_t lines, int64_t k, uint16_t* to) {
  for (int64_t line = first; line < last; line += block)
    for (int64_t at = 0; at < k; at += block, to += block_numbers) pack_block<side>(m, line, lines, at, k, to);
}

inline void pack_left(const Matrix& x, int64_t rows, int64_t k, uint16_t* to) { pack_lines<Side::left>(x, 0, rows, rows, k, to); }
inline void pack_right(const Matrix& w, int64_t columns, int64_t k, uint16_t* to) { pack_lines<Side::right>(w, 0, columns, columns, k, to); }

#ifdef __AMX_BF16__

// GCC does not know that loading a tile, or the configuration of all, reads memory: what was written must be there.
inline void all_is_written(const void* memory) { asm volatile("" : : "r"(memory) : "memory"); }

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

// While it lives this thread may use the tiles.
struct Unit {
  Unit() {
    TileConfiguration all;
    for (int i = 0; i < 8; i++) all.bytes[i] = 64, all.rows[i] = 16;
    all_is_written(&all);
    _tile_loadconfig(&all);
  }
  ~Unit() { _tile_release(); }
};

// sums = left right, over so many blocks of k. sums [32, 32] with rows stride apart. between() is called some times on the way, to do a little of
// other work each time: while the core's other thread is busy, what stands between the unit's instructions costs a third of what it costs after
// them.
template <typename Between>
inline void multiply_block(const uint16_t* left, const uint16_t* right, int64_t depth, float* sums, int64_t stride, Between&& between) {
  const int64_t bytes = stride * 4;
  float* below = sums + 16 * stride;
  all_is_written(left);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t i = 0; i < depth; i++, left += block_numbers, right += block_numbers) {
    // All loads first: changing between loads and products costs as much as either then.
    _tile_loadd(4, left, 64);
    _tile_loadd(5, left + tile_numbers, 64);
    _tile_loadd(6, right, 64);
    _tile_loadd(7, right + tile_numbers, 64);
    _tile_dpbf16ps(0, 4, 6);
    between();
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    between();
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, bytes);
  _tile_stored(1, sums + 16, bytes);
  _tile_stored(2, below, bytes);
  _tile_stored(3, below + 16, bytes);
}

#else

struct Unit {
  Unit() {}
  ~Unit() {}
};

template <typename Between>
inline void multiply_block(const uint16_t* left, const uint16_t* right, int64_t depth, float* sums, int64_t stride, Between&&) {
  constexpr int64_t rows = 8;  // 16 sums in registers
  for (int64_t first = 0; first < block; first += rows) {
    const uint16_t* tile = left + first * block;  // both tiles of a block lie one after another
    __m512 c[rows][2];
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < 2; j++) c[i][j] = _mm512_setzero_ps();
    for (int64_t step = 0; step < depth; step++) {
      for (int64_t pair = 0; pair < 16; pair++) {
        const auto b0 = (__m512bh)_mm512_load_si512(right + step * block_numbers + pair * block);
        const auto b1 = (__m512bh)_mm512_load_si512(right + step * block_numbers + tile_numbers + pair * block);
        for (int64_t i = 0; i < rows; i++) {
          int32_t both;
          __builtin_memcpy(&both, tile + step * block_numbers + i * block + 2 * pair, 4);
          const auto a = (__m512bh)_mm512_set1_epi32(both);
          c[i][0] = _mm512_dpbf16_ps(c[i][0], a, b0);
          c[i][1] = _mm512_dpbf16_ps(c[i][1], a, b1);
        }
      }
    }
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < 2; j++) _mm512_storeu_ps(sums + (first + i) * stride + 16 * j, c[i][j]);
  }
}

#endif

inline void multiply_block(const uint16_t* left, const uint16_t* right, int64_t depth, float* sums, int64_t stride) {
  multiply_block(left, right, depth, sums, stride, [] {});
}

// 2^x to within 3.5e-6 of it, for what is rounded to bfloat16 (2e-3). The power's fraction by a polynomial between its Chebyshev points.
inline __m512 power_of_two(__m512 x) {
  constexpr int to_below = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  const auto fraction = _mm512_reduce_ps(x, to_below);
  auto p = _mm512_set1_ps(0.01367030945f);
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(0.05174499776f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(0.24160435727f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(0.69297292217f));
  p = _mm512_fmadd_ps(p, fraction, _mm512_set1_ps(1.00000349291f));
  return _mm512_scalef_ps(p, x);   // by the power of two of x's whole part
}

}  // namespace
