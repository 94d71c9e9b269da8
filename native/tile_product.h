// Products of many rows with weights that are packed, on top of tile_block.h.
#pragma once
#include "tile_block.h"

namespace {

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

// The sums of a block on their way to where they go, a row at a time.
template <Activation activation, bool of_gradient, bool keeps, bool adds>
class Finishing {
 public:
  Finishing(const Finish& finish, int64_t rows, int64_t width, float* column_sums, uint16_t* packed)
      : f_(finish), rows_(rows), width_(width), column_sums_(column_sums), packed_(packed) {}

  // Takes on a block, whose first row is row and first column column; the one before it must have ended.
  void begin(const float* sums, int64_t row, int64_t column) {
    sums_ = sums, done_ = 0, count_ = least(block, rows_ - row), column_ = column, at_ = row * width_ + column;
    if (packed_) to_ = packed_ + (row / block * blocks(width_) + column / block) * block_numbers;
    for (int64_t j = 0; j < 2; j++) {
      masks_[j] = first_of(width_ - column - 16 * j);
      bias_[j] = f_.bias ? _mm512_loadu_ps(f_.bias + column + 16 * j) : _mm512_setzero_ps();
      totals_[j] = _mm512_setzero_ps();
    }
  }

  // The next row, if there is one.
  void operator()() {
    if (done_ == count_) return;
    __m512 v[2];
    for (int64_t j = 0; j < 2; j++) {
      const int64_t at = at_ + 16 * j;
      v[j] = _mm512_add_ps(_mm512_loadu_ps(sums_ + 16 * j), bias_[j]);
      if (of_gradient) v[j] = _mm512_mul_ps(v[j], slope<activation>(read16(f_.before, at, masks_[j])));
      if (keeps) write16(f_.before, at, v[j], masks_[j]);
      if (!of_gradient) v[j] = activated<activation>(v[j]);
      if (adds) v[j] = _mm512_add_ps(v[j], read16(f_.plus, at, masks_[j]));
      if (of_gradient) totals_[j] = _mm512_add_ps(totals_[j], v[j]);
    }
    if (packed_) _mm512_store_si512(to_ + done_ * block, (__m512i)_mm512_cvtne2ps_pbh(v[1], v[0]));
    else if (f_.y.half) _mm512_mask_storeu_epi16(halves(f_.y) + at_, masks_[0] | (uint32_t(masks_[1]) << 16), (__m512i)_mm512_cvtne2ps_pbh(v[1], v[0]));
    else for (int64_t j = 0; j < 2; j++) _mm512_mask_storeu_ps(singles(f_.y) + at_ + 16 * j, masks_[j], v[j]);
    sums_ += block, at_ += width_, done_++;
  }

  // The rows that are left; nothing where no block was begun.
  void end() {
    while (done_ < count_) (*this)();
    if (!column_sums_ || count_ == 0) return;
    for (int64_t j = 0; j < 2; j++) {
      float* to = column_sums_ + column_ + 16 * j;
      _mm512_mask_storeu_ps(to, masks_[j], _mm512_add_ps(totals_[j], _mm512_maskz_loadu_ps(masks_[j], to)));
    }
  }

 private:
  const Finish& f_;
  const int64_t rows_, width_;
  float* const column_sums_;
  uint16_t* const packed_;
  const float* sums_ = nullptr;
  uint16_t* to_ = nullptr;
  int64_t done_ = 0, count_ = 0, at_ = 0, column_ = 0;
  __mmask16 masks_[2];
  __m512 bias_[2], totals_[2];
};

// The bytes of sums that multiply_all wants: two blocks, one that is made while the other is finished.
constexpr int64_t sums_bytes = 2 * block_numbers * 4;

struct Work {
  const uint16_t *left, *right;   // [rows, k], [k, width], packed
  int64_t rows, k, width, first, last;  // columns from first to last
  const Finish& finish;
  float* column_sums;  // of a gradient [width], or null
  uint16_t* packed;    // where the result goes, a left-hand side of the next product; null: to finish.y
  float* sums;
};

template <Activation activation, bool of_gradient, bool keeps, bool adds>
void multiply_all(const Work& w) {
  const int64_t depth = blocks(w.k);
  Finishing<activation, of_gradient, keeps, adds> finishing(w.finish, w.rows, w.width, w.column_sums, w.packed);
  float *made = w.sums, *other = w.sums + block_numbers;
  for (int64_t column = w.first; column < w.last; column += block)
    for (int64_t row = 0; row < w.rows; row += block) {
      multiply_block(w.left + row * depth * block, w.right + column * depth * block, depth, made, block, finishing);
      finishing.end();
      finishing.begin(made, row, column);
      float* swapped = made;
      made = other, other = swapped;
    }
  finishing.end();
}

template <Activation activation>
void multiply_all(const Work& w) {
  const Finish& f = w.finish;
  if (f.of_gradient) return multiply_all<activation, true, false, false>(w);
  if (f.before.data) return f.plus.data ? multiply_all<activation, false, true, true>(w) : multiply_all<activation, false, true, false>(w);
  return f.plus.data ? multiply_all<activation, false, false, true>(w) : multiply_all<activation, false, false, false>(w);
}

inline void multiply_all(const Work& w) {
  switch (w.finish.activation) {
    case Activation::none: return multiply_all<Activation::none>(w);
    case Activation::quick_gelu: return multiply_all<Activation::quick_gelu>(w);
    case Activation::gelu: return multiply_all<Activation::gelu>(w);
  }
}

}  // namespace
