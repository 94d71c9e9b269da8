// The GPU's kernels run by the CPU: the 32 threads of a warp are threads here, and a shuffle is a table that all of them meet at. Against
// the same in double precision, in widths that every size of vector divides and in every mix of types.
#include <pthread.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int lanes = 32;
struct Index {
  unsigned x, y;
};
thread_local Index threadIdx, blockIdx;
Index blockDim{lanes, 1};
pthread_barrier_t meeting;
float table[lanes];

float __shfl_xor_sync(unsigned, float value, int distance) {
  table[threadIdx.x] = value;
  pthread_barrier_wait(&meeting);
  value = table[threadIdx.x ^ static_cast<unsigned>(distance)];
  pthread_barrier_wait(&meeting);
  return value;
}
float __uint_as_float(unsigned bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
unsigned __float_as_uint(float value) {
  unsigned bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
float rsqrtf(float value) { return 1 / std::sqrt(value); }

#define __device__
#define KERNEL inline
#define UNROLLED

// One set of macros for each namespace.
namespace floats {
#define TYPE float
#define WIDTH 768
#define DELTA float
#define OUT float
#define KEPT float
#define GRADIENT float
#include "gpu_kernels.cu"
}  // namespace floats
namespace halves {
#define TYPE bf16
#define WIDTH 514
#define DELTA bf16
#define OUT bf16
#define KEPT bf16
#define GRADIENT bf16
#include "gpu_kernels.cu"
}  // namespace halves
namespace odd {
#define WIDTH 77
#define DELTA bf16
#define OUT float
#define KEPT float
#define GRADIENT bf16
#include "gpu_kernels.cu"
}  // namespace odd

using bf16 = unsigned short;
std::mt19937 randomness(0);
int failed = 0;

template <typename T>
std::vector<T> random(size_t count, double scale = 1, double middle = 0) {
  std::normal_distribution<double> normal(middle, scale);
  std::vector<T> values(count);
  for (auto& value : values) value = floats::narrow<T>(static_cast<float>(normal(randomness)));
  return values;
}

template <typename T>
void close(const std::string& what, const std::vector<T>& ours, const std::vector<double>& theirs) {
  // A bfloat16 is off by half a unit in its eighth bit; sums of a thousand float32 by far less than a hundred of their units.
  const double relative = sizeof(T) == 2 ? 1.01 / 256 : 1e-5;
  double scale = 0, worst = 0;
  for (const double value : theirs) scale = std::max(scale, std::abs(value));
  for (size_t i = 0; i < theirs.size(); i++) {
    const double off = std::abs(floats::wide(ours[i]) - theirs[i]) - relative * std::abs(theirs[i]);
    worst = off == off ? std::max(worst, off) : INFINITY;
  }
  if (worst <= 1e-5 * scale) return;
  std::printf("%s: off by %g of %g\n", what.c_str(), worst, scale);
  failed++;
}

// Each lane does all blocks in turn; those of one warp keep step at the shuffles.
void on_warp(int64_t blocks, const std::function<void()>& kernel) {
  std::vector<std::thread> threads;
  for (unsigned lane = 0; lane < lanes; lane++)
    threads.emplace_back([&, lane] {
      for (int64_t block = 0; block < blocks; block++) {
        threadIdx = {lane, 0};
        blockIdx = {static_cast<unsigned>(block), 0};
        kernel();
      }
    });
  for (auto& thread : threads) thread.join();
}

template <typename T, typename Forward, typename Backward>
void activation(const char* name, Forward forward, Backward backward) {
  for (const int64_t count : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{256}, int64_t{1003}}) {
    const auto x = random<T>(count, 3), gradient = random<T>(count);
    std::vector<T> y(count), out(count);
    const int64_t blocks = (count + lanes - 1) / lanes;
    on_warp(blocks, [&] { forward(count, x.data(), y.data()); });
    on_warp(blocks, [&] { backward(count, x.data(), gradient.data(), out.data()); });
    std::vector<double> wanted, slope;
    for (int64_t i = 0; i < count; i++) {
      const double v = floats::wide(x[i]), s = 1 / (1 + std::exp(-1.702 * v));
      wanted.push_back(v * s);
      slope.push_back(floats::wide(gradient[i]) * s * (1 + 1.702 * v * (1 - s)));
    }
    close(std::string(name) + " forward", y, wanted);
    close(std::string(name) + " backward", out, slope);
  }
}

template <typename Delta, typename Out, typename Kept, typename Gradient, typename Forward, typename Backward>
void normalization(const char* name, int64_t width, bool add, Forward forward, Backward backward) {
  const int64_t rows = 5, count = rows * width;
  const auto x = random<float>(count, 2, 1), weight = random<float>(width, 0.5, 1), bias = random<float>(width), through = random<float>(count);
  const auto delta = random<Delta>(count);
  const auto gradient = random<Gradient>(count);
  constexpr bool half = sizeof(Kept) == 2;
  std::vector<float> sum(count), means(rows), scales(rows), dx(count);
  std::vector<Out> y(count), normalized(count);
  std::vector<bf16> ddelta(count);
  on_warp(rows, [&] {
    forward(rows, x.data(), add ? delta.data() : nullptr, weight.data(), bias.data(), add ? sum.data() : nullptr, y.data(), half ? nullptr : means.data(),
            scales.data(), half ? normalized.data() : nullptr);
  });
  const std::vector<float>& raw = add ? sum : x;
  std::vector<Kept> kept(count);
  for (int64_t i = 0; i < count; i++) {
    if constexpr (half) kept[i] = normalized[i];
    else kept[i] = raw[i];
  }
  on_warp(rows, [&] {
    backward(rows, kept.data(), weight.data(), half ? nullptr : means.data(), scales.data(), gradient.data(), add ? through.data() : nullptr, dx.data(),
             add ? ddelta.data() : nullptr);
  });
  std::vector<double> sums, ys, dxs;
  for (int64_t row = 0; row < rows; row++) {
    std::vector<double> v, n, g;
    double mean = 0, variance = 0, of_gradient = 0, of_product = 0;
    for (int64_t i = 0; i < width; i++) mean += v.emplace_back(x[row * width + i] + (add ? floats::wide(delta[row * width + i]) : 0)) / width;
    for (const double value : v) variance += (value - mean) * (value - mean) / width;
    for (int64_t i = 0; i < width; i++) {
      sums.push_back(v[i]);
      // The gradient is taken at what was kept: with bfloat16 that is rounded.
      n.push_back(half ? floats::wide(kept[row * width + i]) : (v[i] - mean) / std::sqrt(variance + 1e-5));
      ys.push_back((v[i] - mean) / std::sqrt(variance + 1e-5) * weight[i] + bias[i]);
      g.push_back(floats::wide(gradient[row * width + i]) * weight[i]);
      of_gradient += g[i] / width, of_product += g[i] * n[i] / width;
    }
    for (int64_t i = 0; i < width; i++)
      dxs.push_back((g[i] - of_gradient - n[i] * of_product) / std::sqrt(variance + 1e-5) + (add ? through[row * width + i] : 0));
  }
  if (add) close(std::string(name) + " sum", sum, sums), close(std::string(name) + " gradient in bfloat16", ddelta, dxs);
  close(std::string(name) + " forward", y, ys);
  close(std::string(name) + " gradient", dx, dxs);
}

}  // namespace

int main() {
  pthread_barrier_init(&meeting, nullptr, lanes);
  activation<float>("QuickGELU float32", floats::quick_gelu, floats::quick_gelu_backward);
  activation<bf16>("QuickGELU bfloat16", halves::quick_gelu, halves::quick_gelu_backward);
  for (const bool add : {false, true}) {
    normalization<float, float, float, float>("normalisation, 768 float32", 768, add, floats::layer_norm, floats::layer_norm_backward);
    normalization<bf16, bf16, bf16, bf16>("normalisation, 514 bfloat16", 514, add, halves::layer_norm, halves::layer_norm_backward);
    normalization<bf16, float, float, bf16>("normalisation, 77 mixed", 77, add, odd::layer_norm, odd::layer_norm_backward);
  }
  std::puts(failed == 0 ? "ok" : "FAILED");
  return failed == 0 ? 0 : 1;
}
