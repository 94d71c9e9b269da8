// Compiled several times, each for another vector unit: MVT_KERNELS names the result, the compiler's flags say the width. Nothing here may
// use a function that another file could also instantiate, or the linker might keep the copy for the wrong processor.
#include "kernels.h"

#include <cstring>

namespace mvt {
namespace {

#if defined(__AVX512F__)
constexpr int64_t lanes = 16, tile_rows = 12;
#elif defined(__AVX2__)
constexpr int64_t lanes = 8, tile_rows = 6;
#else
constexpr int64_t lanes = 4, tile_rows = 4;
#endif
constexpr int64_t tile_columns = 2 * lanes;
constexpr int64_t block_rows = 48;  // queries whose scores exist at once; a multiple of every tile_rows

typedef float Vector __attribute__((vector_size(4 * lanes)));
typedef float Unaligned __attribute__((vector_size(4 * lanes), aligned(4)));
typedef int32_t Integers __attribute__((vector_size(4 * lanes)));

inline Vector load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
inline void store(float* p, Vector v) { *reinterpret_cast<Unaligned*>(p) = v; }
inline Vector all(float value) { return Vector{} + value; }
inline Vector larger(Vector a, Vector b) { return a > b ? a : b; }
inline int64_t up_to(int64_t n, int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }
inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

inline float sum_of(Vector v) {
  float total = 0;
  for (int64_t i = 0; i < lanes; i++) total += v[i];
  return total;
}

inline float largest_of(Vector v) {
  float most = v[0];
  for (int64_t i = 1; i < lanes; i++) most = v[i] > most ? v[i] : most;
  return most;
}

// e^x to within two units in the last place. Powers of two by the exponent, the rest by a polynomial. What would be no normal number is zero.
inline Vector exponential(Vector value) {
  constexpr float round = 12582912.f;  // 1.5 * 2^23: adding it leaves a whole number in the low bits
  constexpr float least_exponent = -87.f, most_exponent = 88.f;
  Vector x = larger(value, all(least_exponent));
  x = x < all(most_exponent) ? x : all(most_exponent);
  const Vector shifted = x * 1.44269504f + round, n = shifted - round;
  const Vector r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Vector p = all(1.f / 5040);
  p = p * r + 1.f / 720;
  p = p * r + 1.f / 120;
  p = p * r + 1.f / 24;
  p = p * r + 1.f / 6;
  p = p * r + 0.5f;
  p = (p * r) * r + r + 1.f;
  const Integers power = ((Integers)shifted << 23) + (127 << 23);
  return value < all(least_exponent) ? Vector{} : p * (Vector)power;
}

inline float widened(uint16_t half) {
  const uint32_t bits = uint32_t(half) << 16;
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

// To the nearest, ties to even; what is no number stays none.
inline uint16_t narrowed(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  return value != value ? 0x7fc0 : rounded;
}

void read(Floats from, int64_t count, float* to) {
  if (!from.half) {
    memcpy(to, from.data, count * 4);
    return;
  }
  const auto* halves = static_cast<const uint16_t*>(from.data);
  for (int64_t i = 0; i < count; i++) to[i] = widened(halves[i]);
}

void write(const float* from, int64_t count, Floats to) {
  if (!to.half) {
    memcpy(to.data, from, count * 4);
    return;
  }
  auto* halves = static_cast<uint16_t*>(to.data);
  for (int64_t i = 0; i < count; i++) halves[i] = narrowed(from[i]);
}

// ---- products of one head ----

// A matrix whose element (row, k) is data[row * by_row + k * by_k]: as it lies, or its transpose.
struct Left {
  const float* data;
  int64_t by_row, by_k;
};

template <int64_t rows>
inline void tile(Left a, const float* b, int64_t ldb, int64_t k, float* c, int64_t ldc, bool add) {
  Vector sums[rows][2];
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < 2; j++) sums[i][j] = add ? load(c + i * ldc + j * lanes) : Vector{};
  for (int64_t step = 0; step < k; step++) {
    const Vector b0 = load(b + step * ldb), b1 = load(b + step * ldb + lanes);
    for (int64_t i = 0; i < rows; i++) {
      const float x = a.data[i * a.by_row + step * a.by_k];
      sums[i][0] += b0 * x;
      sums[i][1] += b1 * x;
    }
  }
  for (int64_t i = 0; i < rows; i++)
    for (int64_t j = 0; j < 2; j++) store(c + i * ldc + j * lanes, sums[i][j]);
}

// c = a b, or c += a b. a [rows, k]; b [k, columns] and c [rows, columns] in rows that are padded to whole tiles.
void multiply(int64_t rows, int64_t columns, int64_t k, Left a, const float* b, int64_t ldb, float* c, int64_t ldc, bool add = false) {
  for (int64_t j = 0; j < columns; j += tile_columns) {
    int64_t i = 0;
    for (; i + tile_rows <= rows; i += tile_rows)
      tile<tile_rows>({a.data + i * a.by_row, a.by_row, a.by_k}, b + j, ldb, k, c + i * ldc + j, ldc, add);
    for (; i + 3 <= rows; i += 3) tile<3>({a.data + i * a.by_row, a.by_row, a.by_k}, b + j, ldb, k, c + i * ldc + j, ldc, add);
    for (; i < rows; i++) tile<1>({a.data + i * a.by_row, a.by_row, a.by_k}, b + j, ldb, k, c + i * ldc + j, ldc, add);
  }
}

// ---- attention ----

// Pieces of the scratch memory of a head. Padding is zero.
struct Scratch {
  int64_t padded_length, padded_width;
  float *row, *keys, *keys_transposed, *values, *queries, *scores;            // both directions
  float *out_gradients, *score_gradients, *query_gradients, *key_gradients, *value_gradients;  // backward

  static int64_t size(int64_t length, int64_t width) {
    const int64_t l = up_to(length, tile_columns), w = up_to(width, tile_columns);
    return w + 5 * l * w + 3 * block_rows * w + 2 * block_rows * l;
  }

  Scratch(int64_t length, int64_t width, float* memory) : padded_length(up_to(length, tile_columns)), padded_width(up_to(width, tile_columns)) {
    const auto take = [&memory](int64_t count) { return (memory += count) - count; };
    const int64_t matrix = padded_length * padded_width, queries_of_block = block_rows * padded_width, scores_of_block = block_rows * padded_length;
    row = take(padded_width);
    keys = take(matrix);
    keys_transposed = take(matrix);
    values = take(matrix);
    key_gradients = take(matrix);
    value_gradients = take(matrix);
    queries = take(queries_of_block);
    out_gradients = take(queries_of_block);
    query_gradients = take(queries_of_block);
    scores = take(scores_of_block);
    score_gradients = take(scores_of_block);
  }
};

// rows [count, width] into padded rows.
void gather(Floats from, int64_t stride, int64_t count, int64_t width, float* to, int64_t padded) {
  for (int64_t i = 0; i < count; i++) {
    read(from.at(i * stride), width, to + i * padded);
    memset(to + i * padded + width, 0, (padded - width) * 4);
  }
}

void gather_transposed(Floats from, int64_t stride, int64_t count, int64_t width, float* to, int64_t padded, float* row) {
  memset(to, 0, padded * width * 4);
  for (int64_t i = 0; i < count; i++) {
    read(from.at(i * stride), width, row);
    for (int64_t j = 0; j < width; j++) to[j * padded + i] = row[j];
  }
}

// Scores of some queries to their exponentials, zero in the padding; returns one over their sum.
float softmax(float* scores, const float* mask, int64_t length, int64_t padded) {
  if (mask)
    for (int64_t j = 0; j < length; j++) scores[j] += mask[j];
  for (int64_t j = length; j < padded; j++) scores[j] = -__builtin_inff();
  Vector most = load(scores);
  for (int64_t j = lanes; j < padded; j += lanes) most = larger(most, load(scores + j));
  const Vector top = all(largest_of(most));
  Vector sum{};
  for (int64_t j = 0; j < padded; j += lanes) {
    const Vector e = exponential(load(scores + j) - top);
    store(scores + j, e);
    sum += e;
  }
  for (int64_t j = length; j < padded; j++) scores[j] = 0;
  return 1 / sum_of(sum);
}

float score_scale(int64_t width) { return 1 / __builtin_sqrtf(float(width)); }

// Scaled queries from first on, and their scores.
void score(const Head& head, const Scratch& s, int64_t first, int64_t count) {
  gather(head.q.at(first * head.stride), head.stride, count, head.width, s.queries, s.padded_width);
  const float scale = score_scale(head.width);
  for (int64_t i = 0; i < count * s.padded_width; i++) s.queries[i] *= scale;
  multiply(count, s.padded_length, head.width, {s.queries, s.padded_width, 1}, s.keys_transposed, s.padded_length, s.scores, s.padded_length);
}

const float* mask_of(const Head& head, int64_t query) { return head.mask ? head.mask + query * head.mask_stride : nullptr; }

int64_t attention_scratch(int64_t length, int64_t width, bool) { return Scratch::size(length, width) * int64_t{sizeof(float)}; }

void attention(const Head& head, void* memory) {
  const Scratch s(head.length, head.width, static_cast<float*>(memory));
  gather_transposed(head.k, head.stride, head.length, head.width, s.keys_transposed, s.padded_length, s.row);
  gather(head.v, head.stride, head.length, head.width, s.values, s.padded_width);
  for (int64_t first = 0; first < head.length; first += block_rows) {
    const int64_t count = least(block_rows, head.length - first);
    score(head, s, first, count);
    float scales[block_rows];
    for (int64_t i = 0; i < count; i++) scales[i] = softmax(s.scores + i * s.padded_length, mask_of(head, first + i), head.length, s.padded_length);
    float* out = s.queries;
    multiply(count, s.padded_width, head.length, {s.scores, s.padded_length, 1}, s.values, s.padded_width, out, s.padded_width);
    for (int64_t i = 0; i < count; i++) {
      for (int64_t j = 0; j < s.padded_width; j++) out[i * s.padded_width + j] *= scales[i];
      write(out + i * s.padded_width, head.width, head.out.at((first + i) * head.out_stride));
    }
  }
}

void scatter(const float* from, int64_t padded, int64_t count, int64_t width, Floats to, int64_t stride) {
  for (int64_t i = 0; i < count; i++) write(from + i * padded, width, to.at(i * stride));
}

void attention_backward(const Head& head, Floats q, Floats k, Floats v, int64_t stride, void* memory) {
  const Scratch s(head.length, head.width, static_cast<float*>(memory));
  const int64_t length = head.length, width = head.width, l = s.padded_length, w = s.padded_width;
  float* values_transposed = s.values;
  gather(head.k, head.stride, length, width, s.keys, w);
  gather_transposed(head.k, head.stride, length, width, s.keys_transposed, l, s.row);
  gather_transposed(head.v, head.stride, length, width, values_transposed, l, s.row);
  memset(s.key_gradients, 0, l * w * 4);
  memset(s.value_gradients, 0, l * w * 4);
  const float scale = score_scale(width);
  for (int64_t first = 0; first < length; first += block_rows) {
    const int64_t count = least(block_rows, length - first);
    score(head, s, first, count);
    gather(head.out.at(first * head.out_stride), head.out_stride, count, width, s.out_gradients, w);
    multiply(count, l, width, {s.out_gradients, w, 1}, values_transposed, l, s.score_gradients, l);
    for (int64_t i = 0; i < count; i++) {
      float *p = s.scores + i * l, *g = s.score_gradients + i * l;
      const float one = softmax(p, mask_of(head, first + i), length, l);
      Vector mean{};
      for (int64_t j = 0; j < l; j += lanes) {
        const Vector weight = load(p + j) * one;
        store(p + j, weight);
        mean += weight * load(g + j);
      }
      const Vector middle = all(sum_of(mean));
      for (int64_t j = 0; j < l; j += lanes) store(g + j, load(p + j) * (load(g + j) - middle));
    }
    multiply(count, w, length, {s.score_gradients, l, 1}, s.keys, w, s.query_gradients, w);
    for (int64_t i = 0; i < count * w; i++) s.query_gradients[i] *= scale;
    scatter(s.query_gradients, w, count, width, q.at(first * stride), stride);
    multiply(length, w, count, {s.scores, 1, l}, s.out_gradients, w, s.value_gradients, w, true);
    multiply(length, w, count, {s.score_gradients, 1, l}, s.queries, w, s.key_gradients, w, true);
  }
  scatter(s.key_gradients, w, length, width, k, stride);
  scatter(s.value_gradients, w, length, width, v, stride);
}

// ---- normalisation ----

constexpr int64_t piece = 512;  // numbers that are converted at once, on the stack

// sum = x + delta; returns its mean. Accumulated in lanes, then over them: nearer to exact than one after another.
float add(int64_t width, const float* x, Floats delta, float* sum) {
  float converted[piece], total = 0;
  for (int64_t first = 0; first < width; first += piece) {
    const int64_t count = least(piece, width - first);
    read(delta.at(first), count, converted);
    Vector sums{};
    int64_t j = 0;
    for (; j + lanes <= count; j += lanes) {
      const Vector value = load(x + first + j) + load(converted + j);
      store(sum + first + j, value);
      sums += value;
    }
    for (; j < count; j++) total += sum[first + j] = x[first + j] + converted[j];
    total += sum_of(sums);
  }
  return total / width;
}

float mean_of(int64_t width, const float* x) {
  Vector sums{};
  float total = 0;
  int64_t j = 0;
  for (; j + lanes <= width; j += lanes) sums += load(x + j);
  for (; j < width; j++) total += x[j];
  return (total + sum_of(sums)) / width;
}

float variance_of(int64_t width, const float* x, float mean) {
  Vector sums{};
  float total = 0;
  int64_t j = 0;
  for (; j + lanes <= width; j += lanes) {
    const Vector d = load(x + j) - mean;
    sums += d * d;
  }
  for (; j < width; j++) total += (x[j] - mean) * (x[j] - mean);
  return (total + sum_of(sums)) / width;
}

void layer_norm(int64_t rows, int64_t width, const float* x, Floats delta, float* sum, const float* weight, const float* bias, Floats y,
                float* means, float* scales, Floats normalized) {
  constexpr float epsilon = 1e-5f;
  float hats[piece], results[piece];
  for (int64_t i = 0; i < rows; i++) {
    const float* row = x + i * width;
    float mean;
    if (delta.data) {
      mean = add(width, row, delta.at(i * width), sum + i * width);
      row = sum + i * width;
    } else {
      mean = mean_of(width, row);
    }
    const float scale = 1 / __builtin_sqrtf(variance_of(width, row, mean) + epsilon);
    for (int64_t first = 0; first < width; first += piece) {
      const int64_t count = least(piece, width - first);
      for (int64_t j = 0; j < count; j++) {
        hats[j] = (row[first + j] - mean) * scale;
        results[j] = hats[j] * weight[first + j] + bias[first + j];
      }
      write(results, count, y.at(i * width + first));
      if (normalized.data) write(hats, count, normalized.at(i * width + first));
    }
    if (means) means[i] = mean;
    if (scales) scales[i] = scale;
  }
}

// What was normalised, of a piece of a row.
void hats_of(Floats x, int64_t count, const float* mean, float scale, float* hats) {
  read(x, count, hats);
  if (mean)
    for (int64_t j = 0; j < count; j++) hats[j] = (hats[j] - *mean) * scale;
}

void layer_norm_backward(int64_t rows, int64_t width, Floats x, const float* weight, const float* means, const float* scales, Floats gradient,
                         const float* through, float* out, float* weight_gradient, float* bias_gradient) {
  float converted[piece], hats[piece];
  for (int64_t i = 0; i < rows; i++) {
    const float* mean = means ? means + i : nullptr;
    const float scale = scales[i];
    float* result = out + i * width;
    // The two sums over the row: of g, and of g times what was normalised, g being the gradient times the weight.
    Vector sums{}, products{};
    float sum = 0, product = 0;
    for (int64_t first = 0; first < width; first += piece) {
      const int64_t count = least(piece, width - first);
      read(gradient.at(i * width + first), count, converted);
      hats_of(x.at(i * width + first), count, mean, scale, hats);
      int64_t j = 0;
      for (; j + lanes <= count; j += lanes) {
        const Vector received = load(converted + j), hat = load(hats + j), g = received * load(weight + first + j);
        sums += g;
        products += g * hat;
        store(result + first + j, g);
        if (bias_gradient) store(bias_gradient + first + j, load(bias_gradient + first + j) + received);
        if (weight_gradient) store(weight_gradient + first + j, load(weight_gradient + first + j) + received * hat);
      }
      for (; j < count; j++) {
        const float g = converted[j] * weight[first + j];
        sum += g;
        product += g * hats[j];
        result[first + j] = g;
        if (bias_gradient) bias_gradient[first + j] += converted[j];
        if (weight_gradient) weight_gradient[first + j] += converted[j] * hats[j];
      }
    }
    sum = (sum + sum_of(sums)) / width;
    product = (product + sum_of(products)) / width;
    const float* around = through ? through + i * width : nullptr;
    for (int64_t first = 0; first < width; first += piece) {
      const int64_t count = least(piece, width - first);
      hats_of(x.at(i * width + first), count, mean, scale, hats);
      for (int64_t j = 0; j < count; j++) {
        const float own = scale * (result[first + j] - sum - hats[j] * product);
        result[first + j] = around ? own + around[first + j] : own;
      }
    }
  }
}

void sum_rows(int64_t rows, int64_t width, Floats x, float* sums) {
  float converted[piece];
  for (int64_t first = 0; first < width; first += piece) {
    const int64_t count = least(piece, width - first);
    for (int64_t i = 0; i < rows; i++) {
      read(x.at(i * width + first), count, converted);
      for (int64_t j = 0; j < count; j++) sums[first + j] += converted[j];
    }
  }
}

// ---- activation ----

constexpr float alpha = 1.702f;

inline Vector sigmoid(Vector x) { return all(1.f) / (exponential(x * -alpha) + 1.f); }

// The standard normal distribution's integral up to x and its density there. The integral is off by 1.5e-7 at most, and where it is small
// by a small part of itself (Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26, for erfc).
inline Vector normal_integral(Vector x, Vector& density) {
  const Vector distance = x < all(0.f) ? -x : x, power = exponential(x * x * -0.5f);
  const Vector t = all(1.f) / (distance * (0.3275911f * 0.70710678f) + 1.f);
  Vector p = all(1.061405429f);
  p = p * t - 1.453152027f;
  p = p * t + 1.421413741f;
  p = p * t - 0.284496736f;
  p = p * t + 0.254829592f;
  const Vector beyond = p * t * power * 0.5f;
  density = power * 0.39894228f;
  return x < all(0.f) ? beyond : all(1.f) - beyond;
}

void activate(Activation activation, int64_t count, Floats x, Floats y) {
  float values[piece + lanes];
  for (int64_t first = 0; first < count; first += piece) {
    const int64_t some = least(piece, count - first);
    read(x.at(first), some, values);
    for (int64_t j = some; j < up_to(some, lanes); j++) values[j] = 0;
    for (int64_t j = 0; j < some; j += lanes) {
      const Vector value = load(values + j);
      Vector density;
      store(values + j, value * (activation == Activation::gelu ? normal_integral(value, density) : sigmoid(value)));
    }
    write(values, some, y.at(first));
  }
}

void activate_backward(Activation activation, int64_t count, Floats x, Floats gradient) {
  float values[piece + lanes], gradients[piece + lanes];
  for (int64_t first = 0; first < count; first += piece) {
    const int64_t some = least(piece, count - first);
    read(x.at(first), some, values);
    read(gradient.at(first), some, gradients);
    for (int64_t j = some; j < up_to(some, lanes); j++) values[j] = gradients[j] = 0;
    for (int64_t j = 0; j < some; j += lanes) {
      const Vector value = load(values + j);
      Vector slope;
      if (activation == Activation::gelu) {
        Vector density;
        const Vector integral = normal_integral(value, density);
        slope = integral + value * density;
      } else {
        const Vector s = sigmoid(value);
        slope = s * (all(1.f) + value * alpha * (all(1.f) - s));
      }
      store(gradients + j, load(gradients + j) * slope);
    }
    write(gradients, some, gradient.at(first));
  }
}

}  // namespace

extern const Kernels MVT_KERNELS;
const Kernels MVT_KERNELS = {
#if defined(__AVX512F__)
    "AVX-512",
#elif defined(__AVX2__)
    "AVX2",
#else
    "plain",
#endif
    {attention_scratch, attention, attention_backward}, layer_norm, layer_norm_backward, sum_rows, activate, activate_backward,
};

}  // namespace mvt
