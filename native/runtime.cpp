#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <mutex>

#include "compat.h"
#include "internal.h"

#ifdef MVTORCH_CUDA
#include <ATen/cuda/CUDAGeneratorImpl.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <cuda_runtime_api.h>
#endif

int mvt_abi(void) { return MVT_ABI; }

const char* mvt_version(void) { return TORCH_VERSION; }

int mvt_configuration(const char** build, const char** parallel) {
  return mvt::guarded([&] {
    static const std::string build_text = at::show_config();
    static thread_local std::string parallel_text;
    parallel_text = at::get_parallel_info();
    *build = build_text.c_str();
    *parallel = parallel_text.c_str();
  });
}

int mvt_set_threads(int64_t threads) {
  return mvt::guarded([&] {
    TORCH_CHECK(threads >= 1, "at least one thread is needed, got ", threads);
    at::set_num_threads(static_cast<int>(threads));
  });
}

int mvt_get_threads(int64_t* threads) {
  return mvt::guarded([&] { *threads = at::get_num_threads(); });
}

int mvt_manual_seed(uint64_t seed) {
  return mvt::guarded([&] { at::manual_seed(seed); });
}

int mvt_generator_create(int64_t device, uint64_t seed, mvt_generator** out) {
  return mvt::guarded([&] {
    const auto target = mvt::device_of(device);
    at::Generator generator;
    if (target.is_cpu()) generator = at::make_generator<at::CPUGeneratorImpl>(seed);
#ifdef MVTORCH_CUDA
    else if (target.is_cuda()) {
      generator = at::make_generator<at::CUDAGeneratorImpl>(target.index());
      generator.set_current_seed(seed);
    }
#endif
    else TORCH_CHECK(false, "no generator for device ", target.str());
    *out = reinterpret_cast<mvt_generator*>(new at::Generator(std::move(generator)));
  });
}

int mvt_generator_get_state(const mvt_generator* handle, mvt_tensor** out) {
  return mvt::guarded([&] {
    auto& generator = mvt::unwrap(handle);
    std::lock_guard<std::mutex> lock(generator.mutex());
    *out = mvt::wrap(generator.get_state());
  });
}

int mvt_generator_set_state(mvt_generator* handle, const mvt_tensor* state) {
  return mvt::guarded([&] {
    auto& generator = mvt::unwrap(handle);
    std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(mvt::unwrap(state));
  });
}

void mvt_generator_free(mvt_generator* generator) { delete reinterpret_cast<at::Generator*>(generator); }

#ifdef MVTORCH_CUDA
int mvt_cuda_devices(int64_t* count) {
  return mvt::guarded([&] { *count = c10::cuda::device_count(); });
}

int mvt_cuda_synchronize(int64_t index) {
  return mvt::guarded([&] {
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
    c10::cuda::device_synchronize();
  });
}

namespace {
// libtorch counts memory only once something has been on a GPU; before, it calls every device invalid.
void begin_counting(int64_t index) { at::empty({0}, at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index))); }
}  // namespace

int mvt_cuda_memory(int64_t index, int64_t* allocated, int64_t* peak, int64_t* total) {
  return mvt::guarded([&] {
    begin_counting(index);
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(static_cast<c10::DeviceIndex>(index));
    *allocated = stats.allocated_bytes[0].current;
    *peak = stats.allocated_bytes[0].peak;
    size_t free_bytes = 0, total_bytes = 0;
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(index));
    TORCH_CHECK(cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess, "the CUDA driver does not answer");
    *total = static_cast<int64_t>(total_bytes);
  });
}

int mvt_cuda_reset_peak(int64_t index) {
  return mvt::guarded([&] {
    begin_counting(index);
    c10::cuda::CUDACachingAllocator::resetPeakStats(static_cast<c10::DeviceIndex>(index));
  });
}

int mvt_cuda_empty_cache(void) {
  return mvt::guarded([&] { c10::cuda::CUDACachingAllocator::emptyCache(); });
}
#else
namespace {
int no_cuda() { return mvt::fail("this build of libtorch has no CUDA"); }
}  // namespace

int mvt_cuda_devices(int64_t* count) {
  *count = 0;
  return 0;
}
int mvt_cuda_synchronize(int64_t) { return no_cuda(); }
int mvt_cuda_memory(int64_t, int64_t*, int64_t*, int64_t*) { return no_cuda(); }
int mvt_cuda_reset_peak(int64_t) { return no_cuda(); }
int mvt_cuda_empty_cache(void) { return no_cuda(); }
#endif
