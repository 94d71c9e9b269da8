// Products of many rows with weights that are packed, on top of tile_block.h.
#pragma once
#include "tile_block.h"

namespace {

constexpr int64_t depth_at_once = 24;  // blocks of k whose sums stay in registers
constexpr int64_t alignment = 64;

inline char* aligned(char*& memory, int64_t bytes) {
  char* here = memory;
  memory += (bytes + alignment - 1) / alignment * alignment;
  return here;
}

inline __m512 reciprocal(__m512 x) { return _mm512_rcp14_ps(x); }  // to 2^-14, for what is rounded to 2^-9

inline __m512 exponential(__m512 x) { return power_of_two(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f))); }

constexpr float alpha = 1.702f;  // of QuickGELU

// Where the power is infinite the reciprocal is zero.
inline __m512 sigmoid(__m512 x) {
  return reciprocal(_mm512_add_ps(power_of_two(_mm512_mul_ps(x, _mm512_set1_ps(-alpha * 1.44269504f))), _mm512_set1_ps(1.f)));
}

// The normal distribution's integral up to x, and its density: as in kernels.cpp.
inline __m512 normal_integral(__m512 x, __m512& density) {
  const auto one = _mm512_set1_ps(1.f);
  const auto power = exponential(_mm512_mul_ps(_mm512_mul_ps(x, x), _mm512_set1_ps(-0.5f)));
  const auto t = reciprocal(_mm512_fmadd_ps(_mm512_abs_ps(x), _mm512_set1_ps(0.3275911f * 0.70710678f), one));
  auto p = _mm512_set1_ps(1.061405429f);
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-1.453152027f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(1.421413741f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(-0.284496736f));
  p = _mm512_fmadd_ps(p, t, _mm512_set1_ps(0.254829592f));
  const auto beyond = _mm512_mul_ps(_mm512_mul_ps(p, t), _mm512_mul_ps(power, _mm512_set1_ps(0.5f)));
  density = _mm512_mul_ps(power, _mm512_set1_ps(0.39894228f));
  return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_LT_OQ), _mm512_sub_ps(one, beyond), beyond);
}

template <Activation activation>
inline __m512 activated(__m512 x) {
  if (activation == Activation::none) return x;
  __m512 density;
  return _mm512_mul_ps(x, activation == Activation::gelu ? normal_integral(x, density) : sigmoid(x));
}

template <Activation activation>
inline __m512 slope(__m512 x) {
  const auto one = _mm512_set1_ps(1.f);
  if (activation == Activation::none) return one;
  if (activation == Activation::gelu) {
    __m512 density;
    const auto integral = normal_integral(x, density);
    return _mm512_fmadd_ps(x, density, integral);
  }
  const auto s = sigmoid(x);
  return _mm512_mul_ps(s, _mm512_fmadd_ps(_mm512_mul_ps(x, _mm512_set1_ps(alpha)), _mm512_sub_ps(one, s), one));
}

// The sums of a block, finished. The block's first row is row, its first column column; width is that of the product. Where `packed` is
// not null the result goes there, the block of a left-hand side, instead of to y.
template <Activation activation>
inline void finish_block(const float* sums, const Finish& f, int64_t row, int64_t rows, int64_t column, int64_t width, float* column_sums, uint16_t* packed) {
  const __mmask16 masks[2] = {first_of(width - column), first_of(width - column - 16)};
  const int64_t count = least(block, rows - row);
  __m512 bias[2] = {}, totals[2] = {};
  if (f.bias)
    for (int j = 0; j < 2; j++) bias[j] = _mm512_loadu_ps(f.bias + column + 16 * j);
  for (int64_t i = 0; i < count; i++) {
    const int64_t at = (row + i) * width + column;
    __m512 v[2];
    for (int j = 0; j < 2; j++) {
      v[j] = _mm512_add_ps(_mm512_loadu_ps(sums + i * block + 16 * j), bias[j]);
      if (f.of_gradient) v[j] = _mm512_mul_ps(v[j], slope<activation>(read16(f.before, at + 16 * j, masks[j])));
      else if (f.before.data) write16(f.before, at + 16 * j, v[j], masks[j]);
      if (!f.of_gradient) v[j] = activated<activation>(v[j]);
      if (f.plus.data) v[j] = _mm512_add_ps(v[j], read16(f.plus, at + 16 * j, masks[j]));
      totals[j] = _mm512_add_ps(totals[j], v[j]);
    }
    if (packed) _mm512_store_si512(packed + i * block, (__m512i)_mm512_cvtne2ps_pbh(v[1], v[0]));
    else if (f.y.half) _mm512_mask_storeu_epi16(halves(f.y) + at, masks[0] | (uint32_t(masks[1]) << 16), (__m512i)_mm512_cvtne2ps_pbh(v[1], v[0]));
    else for (int j = 0; j < 2; j++) _mm512_mask_storeu_ps(singles(f.y) + at + 16 * j, masks[j], v[j]);
  }
  if (column_sums)
    for (int j = 0; j < 2; j++)
      _mm512_mask_storeu_ps(column_sums + column + 16 * j, masks[j], _mm512_add_ps(totals[j], _mm512_maskz_loadu_ps(masks[j], column_sums + column + 16 * j)));
}

inline void finish(const float* sums, const Finish& f, int64_t row, int64_t rows, int64_t column, int64_t width, float* column_sums, uint16_t* packed) {
  switch (f.activation) {
    case Activation::none: return finish_block<Activation::none>(sums, f, row, rows, column, width, column_sums, packed);
    case Activation::quick_gelu: return finish_block<Activation::quick_gelu>(sums, f, row, rows, column, width, column_sums, packed);
    case Activation::gelu: return finish_block<Activation::gelu>(sums, f, row, rows, column, width, column_sums, packed);
  }
}

// The bytes of sums that multiply_all wants for so many rows.
inline int64_t sums_bytes(int64_t rows) { return blocks(rows) * block_numbers * 4; }

// Columns from first to last of left (packed, [rows, k]) times w (packed, [k, width]). Where `packed` is not null it receives the result as
// a left-hand side of the next product.
inline void multiply_all(const uint16_t* left, int64_t rows, int64_t k, const uint16_t* w, int64_t width, int64_t first, int64_t last, const Finish& f,
                         float* column_sums, uint16_t* packed, float* sums) {
  const int64_t depth = blocks(k), panels = blocks(rows);
  for (int64_t column = first; column < last; column += block) {
    const uint16_t* right = w + column * depth * block;
    for (int64_t at = 0; at < depth; at += depth_at_once) {
      const int64_t some = least(depth_at_once, depth - at);
      for (int64_t panel = 0; panel < panels; panel++) {
        float* here = sums + panel * block_numbers;
        multiply_block(left + (panel * depth + at) * block_numbers, right + at * block_numbers, some, here, block, at > 0);
        if (at + some == depth)
          finish(here, f, panel * block, rows, column, width, column_sums, packed ? packed + (panel * blocks(width) + column / block) * block_numbers : nullptr);
      }
    }
  }
}

}  // namespace
