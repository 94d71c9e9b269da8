// Attention of one head as products of blocks. Probabilities are rounded to bfloat16 before they multiply; sums, softmax and its gradient
// are float32.
#pragma once
#include <type_traits>

#include "tile_product.h"

namespace mvt {
namespace {

// Where the matrices of a head lie. Right-hand sides are named by what they are multiplied for.
struct HeadScratch {
  int64_t length, width;                       // in whole blocks
  uint16_t *keys, *values, *query, *weights;   // [width, length], [length, width]; of one block of queries [32, width] and [32, length]
  float *scores, *out;                         // of one block of queries, [32, length], [32, width]
  // In the backward pass `values` is [width, length].
  uint16_t *keys_back, *out_gradient;                       // [length, width]; [32, width]
  uint16_t *queries_transposed, *out_gradients_transposed;  // left-hand sides [width, length]
  uint16_t *all_weights, *all_score_gradients;              // right-hand sides [length, length]
  float* weight_gradients;                                  // [32, length]

  HeadScratch(int64_t l, int64_t w, bool backward, char*& memory) : length(whole(l)), width(whole(w)) {
    const auto take = [&](auto*& place, int64_t count) { place = reinterpret_cast<std::remove_reference_t<decltype(place)>>(aligned(memory, count * int64_t(sizeof *place))); };
    take(keys, width * length), take(values, width * length);
    take(query, block * width), take(weights, block * length);
    take(scores, block * length), take(out, block * width);
    if (!backward) return;
    take(keys_back, width * length), take(out_gradient, block * width);
    take(queries_transposed, width * length), take(out_gradients_transposed, width * length);
    take(all_weights, length * length), take(all_score_gradients, length * length);
    take(weight_gradients, block * length);
  }
};

int64_t attention_scratch(int64_t length, int64_t width, bool backward) {
  char* memory = nullptr;
  HeadScratch(length, width, backward, memory);
  return reinterpret_cast<intptr_t>(memory);
}

Matrix rows_of(const Floats& data, int64_t stride) { return {data, stride, false}; }
Matrix columns_of(const Floats& data, int64_t stride) { return {data, stride, true}; }

// sums [32, columns] of a block of rows, left [32, k], and right, [k, columns].
void multiply_rows(const uint16_t* left, int64_t k, const uint16_t* right, int64_t columns, float* sums) {
  for (int64_t column = 0; column < columns; column += block) multiply_block(left, right + column * k, k / block, sums + column, columns);
}

// Where a row's number stands in a left-hand side of one block of rows.
inline uint16_t* in_left(uint16_t* left, int64_t row, int64_t column) { return left + column / block * block_numbers + row * block + column % block; }

// Adds a mask to the scores of a query.
inline void add_mask(float* scores, const float* mask, int64_t length, float scale) {
  const auto in_scores = _mm512_set1_ps(1 / scale);
  for (int64_t j = 0; j < length; j += 16) {
    const auto here = first_of(length - j);
    _mm512_storeu_ps(scores + j, _mm512_fmadd_ps(_mm512_maskz_loadu_ps(here, mask + j), in_scores, _mm512_loadu_ps(scores + j)));
  }
}

// The largest of the scores, and what each becomes: 2^(the scaled difference to it), 0 beyond length.
struct Softmax {
  int64_t length;
  __m512 factor, top, sum = _mm512_setzero_ps();

  Softmax(const float* scores, int64_t length, float scale) : length(length), factor(_mm512_set1_ps(scale * 1.44269504f)) {
    auto most = _mm512_set1_ps(-__builtin_inff());
    int64_t j = 0;
    for (; j + 16 <= length; j += 16) most = _mm512_max_ps(most, _mm512_loadu_ps(scores + j));
    if (j < length) most = _mm512_mask_max_ps(most, first_of(length - j), most, _mm512_loadu_ps(scores + j));
    top = _mm512_mul_ps(_mm512_set1_ps(_mm512_reduce_max_ps(most)), factor);
  }

  __m512 next(const float* scores, int64_t j) {
    // In this order of operands what is no number stays none. 2^-200 is 0.
    const auto x = _mm512_max_ps(_mm512_set1_ps(-200.f), _mm512_fmsub_ps(_mm512_loadu_ps(scores + j), factor, top));
    const auto e = j + 16 <= length ? power_of_two(x) : _mm512_maskz_mov_ps(first_of(length - j), power_of_two(x));
    sum = _mm512_add_ps(sum, e);
    return e;
  }

  float scale() const { return 1 / _mm512_reduce_add_ps(sum); }
};

inline const float* mask_of(const Head& head, int64_t query) { return head.mask ? head.mask + query * head.mask_stride : nullptr; }

inline float score_scale(const Head& head) { return 1 / __builtin_sqrtf(float(head.width)); }

void pack_block_of_rows(const Matrix& x, int64_t row, int64_t rows, int64_t k, uint16_t* to) { pack_lines<Side::left>(x, row, row + block, rows, k, to); }

void write_rows(const float* from, int64_t stride, const float* scales, float scale, int64_t count, int64_t width, const Floats& to, int64_t to_stride) {
  for (int64_t i = 0; i < count; i++) {
    const auto factor = _mm512_set1_ps(scales ? scales[i] : scale);
    for (int64_t j = 0; j < width; j += 16) write16(to, i * to_stride + j, _mm512_mul_ps(_mm512_loadu_ps(from + i * stride + j), factor), first_of(width - j));
  }
}

void attention(const Head& head, void* scratch) {
  auto* memory = static_cast<char*>(scratch);
  const HeadScratch s(head.length, head.width, false, memory);
  pack_right(columns_of(head.k, head.stride), head.length, head.width, s.keys);
  pack_right(rows_of(head.v, head.stride), head.width, head.length, s.values);
  const float scale = score_scale(head);
  const Unit unit;
  for (int64_t first = 0; first < head.length; first += block) {
    const int64_t count = least(block, head.length - first);
    pack_block_of_rows(rows_of(head.q, head.stride), first, head.length, head.width, s.query);
    multiply_rows(s.query, s.width, s.keys, s.length, s.scores);
    float scales[block];
    for (int64_t i = 0; i < count; i++) {
      float* row = s.scores + i * s.length;
      if (const float* mask = mask_of(head, first + i)) add_mask(row, mask, head.length, scale);
      Softmax softmax(row, head.length, scale);
      for (int64_t j = 0; j < s.length; j += block) {
        const auto low = softmax.next(row, j), high = softmax.next(row, j + 16);
        _mm512_store_si512(in_left(s.weights, i, j), (__m512i)_mm512_cvtne2ps_pbh(high, low));
      }
      scales[i] = softmax.scale();
    }
    multiply_rows(s.weights, s.length, s.values, s.width, s.out);
    write_rows(s.out, s.width, scales, 0, count, head.width, head.out.at(first * head.out_stride), head.out_stride);
  }
}

// Two rows of a block of 32 rows to where a right-hand side has them, whose rows are `depth` blocks: 32 columns from `column` on.
inline void put_pairs(const float* even, const float* odd, int64_t row, int64_t panel, int64_t depth, int64_t column, uint16_t* right) {
  for (int64_t half = 0; half < 2; half++) {
    const int64_t at = column + 16 * half;
    const auto pairs = paired((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(even + at)), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(odd + at)));
    _mm512_store_si512(right + (column / block * depth + panel) * block_numbers + half * tile_numbers + row / 2 * block, pairs);
  }
}

// to [length, width] = (left [width, length] right [length, length])^T, scaled.
void write_transposed(const HeadScratch& s, const uint16_t* left, const uint16_t* right, float scale, const Head& head, const Floats& to, int64_t stride) {
  const int64_t depth = s.length / block;
  const auto factor = _mm512_set1_ps(scale);
  alignas(64) float sums[block_numbers];
  for (int64_t column = 0; column < s.length; column += block)
    for (int64_t row = 0; row < s.width; row += block) {
      multiply_block(left + row * s.length, right + column * s.length, depth, sums, block);
      for (int64_t i = 0; i < block; i += 16)
        for (int64_t j = 0; j < block; j += 16) {
          __m512i r[16];
          for (int64_t t = 0; t < 16; t++) r[t] = _mm512_loadu_si512(sums + (i + t) * block + j);
          transpose(r);
          for (int64_t t = 0; t < 16 && column + j + t < head.length; t++)
            write16(to, (column + j + t) * stride + row + i, _mm512_mul_ps(_mm512_castsi512_ps(r[t]), factor), first_of(head.width - row - i));
        }
    }
}

void attention_backward(const Head& head, Floats q, Floats k, Floats v, int64_t stride, void* scratch) {
  auto* memory = static_cast<char*>(scratch);
  const HeadScratch s(head.length, head.width, true, memory);
  const int64_t depth = s.length / block;
  pack_right(columns_of(head.k, head.stride), head.length, head.width, s.keys);
  pack_right(columns_of(head.v, head.stride), head.length, head.width, s.values);
  pack_right(rows_of(head.k, head.stride), head.width, head.length, s.keys_back);
  pack_left(columns_of(head.q, head.stride), head.width, head.length, s.queries_transposed);
  pack_left(columns_of(head.out, head.out_stride), head.width, head.length, s.out_gradients_transposed);
  const float scale = score_scale(head);
  const Unit unit;
  for (int64_t panel = 0; panel < depth; panel++) {
    const int64_t first = panel * block, count = least(block, head.length - first);
    pack_block_of_rows(rows_of(head.q, head.stride), first, head.length, head.width, s.query);
    pack_block_of_rows(rows_of(head.out, head.out_stride), first, head.length, head.width, s.out_gradient);
    multiply_rows(s.query, s.width, s.keys, s.length, s.scores);
    multiply_rows(s.out_gradient, s.width, s.values, s.length, s.weight_gradients);
    for (int64_t i = 0; i < block; i++) {
      float *p = s.scores + i * s.length, *g = s.weight_gradients + i * s.length;
      if (i >= count) {   // queries that there are not
        for (int64_t j = 0; j < s.length; j += 16) _mm512_storeu_ps(p + j, _mm512_setzero_ps()), _mm512_storeu_ps(g + j, _mm512_setzero_ps());
      } else {
        if (const float* mask = mask_of(head, first + i)) add_mask(p, mask, head.length, scale);
        Softmax softmax(p, head.length, scale);
        for (int64_t j = 0; j < s.length; j += 16) _mm512_storeu_ps(p + j, softmax.next(p, j));
        const auto one = _mm512_set1_ps(softmax.scale());
        auto mean = _mm512_setzero_ps();
        for (int64_t j = 0; j < s.length; j += 16) {
          const auto weight = _mm512_mul_ps(_mm512_loadu_ps(p + j), one);
          _mm512_storeu_ps(p + j, weight);
          mean = _mm512_fmadd_ps(weight, _mm512_loadu_ps(g + j), mean);
        }
        const auto middle = _mm512_set1_ps(_mm512_reduce_add_ps(mean));
        for (int64_t j = 0; j < s.length; j += 16) _mm512_storeu_ps(g + j, _mm512_mul_ps(_mm512_loadu_ps(p + j), _mm512_sub_ps(_mm512_loadu_ps(g + j), middle)));
      }
      for (int64_t j = 0; j < s.length; j += block) {
        _mm512_store_si512(in_left(s.weights, i, j), (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(g + j + 16), _mm512_loadu_ps(g + j)));
        if (i % 2 == 0) continue;
        put_pairs(p - s.length, p, i - 1, panel, depth, j, s.all_weights);
        put_pairs(g - s.length, g, i - 1, panel, depth, j, s.all_score_gradients);
      }
    }
    multiply_rows(s.weights, s.length, s.keys_back, s.width, s.out);
    write_rows(s.out, s.width, nullptr, scale, count, head.width, q.at(first * stride), stride);
  }
  write_transposed(s, s.queries_transposed, s.all_score_gradients, scale, head, k, stride);
  write_transposed(s, s.out_gradients_transposed, s.all_weights, 1, head, v, stride);
}

}  // namespace
}  // namespace mvt
