// Kernels for an NVIDIA GPU: what fused.cpp and norm.cpp do on the CPU. NVRTC, which comes with libtorch, compiles them when they are first
// wanted (gpu.cpp), for the GPU at hand and with widths and types as macros; so no CUDA compiler is needed. gpu_kernels_test.cpp runs them
// on the CPU.
#ifndef KERNEL
#define KERNEL extern "C" __global__
#define UNROLLED _Pragma("unroll")  // what is indexed by a loop stays in registers
#endif

typedef unsigned short bf16;

__device__ inline float wide(float value) { return value; }
__device__ inline float wide(bf16 value) { return __uint_as_float((unsigned)value << 16); }

template <typename T> __device__ inline T narrow(float value);
template <> __device__ inline float narrow<float>(float value) { return value; }
template <> __device__ inline bf16 narrow<bf16>(float value) {  // to the nearest, ties to even
  const unsigned bits = __float_as_uint(value);
  return value != value ? (bf16)0x7fff : (bf16)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// What one thread reads or writes at once.
template <typename T, int N> struct alignas(sizeof(T) * N) Pack { T at[N]; };

template <typename T, int N> __device__ inline void load(const T* from, float* to) {
  const Pack<T, N> pack = *reinterpret_cast<const Pack<T, N>*>(from);
  for (int i = 0; i < N; i++) to[i] = wide(pack.at[i]);
}
template <typename T, int N> __device__ inline void store(const float* from, T* to) {
  Pack<T, N> pack;
  for (int i = 0; i < N; i++) pack.at[i] = narrow<T>(from[i]);
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}

__device__ inline float quick_gelu_of(float x) { return x / (1 + expf(-1.702f * x)); }
__device__ inline float quick_gelu_slope(float x) {
  const float s = 1 / (1 + expf(-1.702f * x));
  return s * (1 + 1.702f * x * (1 - s));
}

#ifdef TYPE  // activations: 16 bytes a thread
#define COUNT (16 / (int)sizeof(TYPE))

KERNEL void quick_gelu(long long count, const TYPE* x, TYPE* y) {
  const long long at = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * COUNT;
  float v[COUNT];
  if (at + COUNT <= count) {
    load<TYPE, COUNT>(x + at, v);
    for (int i = 0; i < COUNT; i++) v[i] = quick_gelu_of(v[i]);
    store<TYPE, COUNT>(v, y + at);
  } else for (long long i = at; i < count; i++) y[i] = narrow<TYPE>(quick_gelu_of(wide(x[i])));
}

KERNEL void quick_gelu_backward(long long count, const TYPE* x, const TYPE* gradient, TYPE* out) {
  const long long at = ((long long)blockIdx.x * blockDim.x + threadIdx.x) * COUNT;
  float v[COUNT], g[COUNT];
  if (at + COUNT <= count) {
    load<TYPE, COUNT>(x + at, v);
    load<TYPE, COUNT>(gradient + at, g);
    for (int i = 0; i < COUNT; i++) v[i] = g[i] * quick_gelu_slope(v[i]);
    store<TYPE, COUNT>(v, out + at);
  } else for (long long i = at; i < count; i++) out[i] = narrow<TYPE>(wide(gradient[i]) * quick_gelu_slope(wide(x[i])));
}
#endif

#ifdef WIDTH  // layer normalisation: a row for each warp, in registers
#define VECTOR (WIDTH % 4 == 0 ? 4 : WIDTH % 2 == 0 ? 2 : 1)
#define PARTS ((WIDTH + 32 * VECTOR - 1) / (32 * VECTOR))
#define EACH_PART(part, column) \
  UNROLLED for (int part = 0, column = threadIdx.x * VECTOR; part < PARTS; part++, column += 32 * VECTOR) if (column < WIDTH)

__device__ inline float over_warp(float value) {
  for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(0xffffffffu, value, distance);
  return value;
}

KERNEL void layer_norm(long long rows, const float* x, const DELTA* delta, const float* weight, const float* bias, float* sum, OUT* y,
                                      float* means, float* scales, OUT* kept) {
  const long long row = (long long)blockIdx.x * blockDim.y + threadIdx.y, first = row * WIDTH;
  if (row >= rows) return;
  float v[PARTS][VECTOR], w[VECTOR], b[VECTOR];
  float total = 0, squares = 0;
  EACH_PART(part, column) {
    load<float, VECTOR>(x + first + column, v[part]);
    if (delta) {
      float d[VECTOR];
      load<DELTA, VECTOR>(delta + first + column, d);
      for (int i = 0; i < VECTOR; i++) v[part][i] += d[i];
      store<float, VECTOR>(v[part], sum + first + column);
    }
    for (int i = 0; i < VECTOR; i++) total += v[part][i];
  }
  const float mean = over_warp(total) / WIDTH;
  EACH_PART(part, column) for (int i = 0; i < VECTOR; i++) squares += (v[part][i] - mean) * (v[part][i] - mean);
  const float scale = rsqrtf(over_warp(squares) / WIDTH + 1e-5f);
  EACH_PART(part, column) {
    load<float, VECTOR>(weight + column, w);
    load<float, VECTOR>(bias + column, b);
    for (int i = 0; i < VECTOR; i++) v[part][i] = (v[part][i] - mean) * scale;
    if (kept) store<OUT, VECTOR>(v[part], kept + first + column);
    for (int i = 0; i < VECTOR; i++) v[part][i] = v[part][i] * w[i] + b[i];
    store<OUT, VECTOR>(v[part], y + first + column);
  }
  if (threadIdx.x != 0) return;
  if (means) means[row] = mean;
  if (scales) scales[row] = scale;
}

// kept: what was normalised, with its means; without them the normalised numbers. out_delta: the same as out for what was added, if wanted.
KERNEL void layer_norm_backward(long long rows, const KEPT* kept, const float* weight, const float* means, const float* scales,
                                               const GRADIENT* gradient, const float* through, float* out, bf16* out_delta) {
  const long long row = (long long)blockIdx.x * blockDim.y + threadIdx.y, first = row * WIDTH;
  if (row >= rows) return;
  const float mean = means ? means[row] : 0, scale = scales[row], factor = means ? scale : 1;
  float n[PARTS][VECTOR], g[PARTS][VECTOR], w[VECTOR];
  float of_gradient = 0, of_product = 0;
  EACH_PART(part, column) {
    load<KEPT, VECTOR>(kept + first + column, n[part]);
    load<GRADIENT, VECTOR>(gradient + first + column, g[part]);
    load<float, VECTOR>(weight + column, w);
    for (int i = 0; i < VECTOR; i++) {
      n[part][i] = (n[part][i] - mean) * factor;
      g[part][i] *= w[i];
      of_gradient += g[part][i];
      of_product += g[part][i] * n[part][i];
    }
  }
  of_gradient = over_warp(of_gradient) / WIDTH;
  of_product = over_warp(of_product) / WIDTH;
  EACH_PART(part, column) {
    float t[VECTOR] = {};
    if (through) load<float, VECTOR>(through + first + column, t);
    for (int i = 0; i < VECTOR; i++) g[part][i] = scale * (g[part][i] - of_gradient - n[part][i] * of_product) + t[i];
    store<float, VECTOR>(g[part], out + first + column);
    if (out_delta) store<bf16, VECTOR>(g[part], out_delta + first + column);
  }
}
#endif

// Whoever includes this again does so with other macros.
#undef COUNT
#undef VECTOR
#undef PARTS
#undef EACH_PART
#undef TYPE
#undef WIDTH
#undef DELTA
#undef OUT
#undef KEPT
#undef GRADIENT
