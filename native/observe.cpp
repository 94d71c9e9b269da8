// Looking on while the model works: waits for a GPU, operators whose results vary, and where time goes.
#include <ATen/Context.h>
#include <ATen/record_function.h>

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <sstream>
#include <vector>

#include "compat.h"
#include "internal.h"

#ifdef MVTORCH_CUDA
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#endif

namespace {

// ---- warnings ----

class Watch final : public mvt::WarningListener {
 public:
  explicit Watch(int64_t kinds) : deterministic_(at::globalContext().deterministicAlgorithms()) {
    at::globalContext().setDeterministicAlgorithms((kinds & MVT_VARYING) != 0 || deterministic_, /*warn_only=*/true);
#ifdef MVTORCH_CUDA
    if (kinds & MVT_WAITS) c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_WARN);
#endif
  }
  ~Watch() override {
#ifdef MVTORCH_CUDA
    c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
#endif
    at::globalContext().setDeterministicAlgorithms(deterministic_, false);
  }
  std::string lines;

 private:
  void heard(const std::string& message) override { lines += message.substr(0, message.find('\n')) + "\n"; }
  bool deterministic_;
};

thread_local std::unique_ptr<Watch> watch;

// ---- time ----

// A moment of the clock, or one in the order of the GPU's work.
struct Moment {
  std::chrono::steady_clock::time_point time;
#ifdef MVTORCH_CUDA
  cudaEvent_t event = nullptr;
#endif
};

struct Span {
  std::string name;
  Moment begin, end;
  const Span* caller = nullptr;
};

struct Profile {
  std::mutex mutex;
  std::vector<std::unique_ptr<Span>> spans;
  at::CallbackHandle handle{};
  bool cuda = false;
};

std::unique_ptr<Profile> profile;
thread_local const Span* current = nullptr;

struct Context final : at::ObserverContext {
  Span* span;
};

Moment now() {
  Moment moment{std::chrono::steady_clock::now()};
#ifdef MVTORCH_CUDA
  if (profile->cuda) {
    TORCH_CHECK(cudaEventCreate(&moment.event) == cudaSuccess, "no event of the GPU");
    TORCH_CHECK(cudaEventRecord(moment.event, c10::cuda::getCurrentCUDAStream().stream()) == cudaSuccess, "no event of the GPU");
  }
#endif
  return moment;
}

double seconds(const Span& span) {
#ifdef MVTORCH_CUDA
  if (profile->cuda) {
    float milliseconds = 0;
    TORCH_CHECK(cudaEventSynchronize(span.end.event) == cudaSuccess, "the GPU does not answer");
    TORCH_CHECK(cudaEventElapsedTime(&milliseconds, span.begin.event, span.end.event) == cudaSuccess, "no time of the GPU");
    return milliseconds / 1e3;
  }
#endif
  return std::chrono::duration<double>(span.end.time - span.begin.time).count();
}

std::unique_ptr<at::ObserverContext> start(const at::RecordFunction& function) {
  auto context = std::make_unique<Context>();
  auto span = std::make_unique<Span>();
  span->name = function.name();
  span->caller = current;
  span->begin = now();
  current = context->span = span.get();
  const std::lock_guard<std::mutex> lock(profile->mutex);
  profile->spans.push_back(std::move(span));
  return context;
}

void finish(const at::RecordFunction&, at::ObserverContext* context) {
  auto* span = static_cast<Context*>(context)->span;
  span->end = now();
  current = span->caller;
}

}  // namespace

int mvt_watch_for(int64_t kinds) {
  return mvt::guarded([&] {
    watch.reset();
    if (kinds != 0) watch = std::make_unique<Watch>(kinds);
  });
}

int mvt_watched(const char** lines) {
  return mvt::guarded([&] {
    static thread_local std::string text;
    TORCH_CHECK(watch != nullptr, "nothing is watched for on this thread");
    text = watch->lines;
    *lines = text.c_str();
  });
}

int mvt_profile_begin(int64_t device) {
  return mvt::guarded([&] {
    TORCH_CHECK(profile == nullptr, "a profile is being taken already");
    profile = std::make_unique<Profile>();
    profile->cuda = mvt::device_of(device).is_cuda();
    profile->handle = at::addGlobalCallback(at::RecordFunctionCallback(start, finish).scopes({at::RecordScope::FUNCTION}));
  });
}

int mvt_profile_end(const char** lines) {
  return mvt::guarded([&] {
    static thread_local std::string text;
    TORCH_CHECK(profile != nullptr, "no profile is being taken");
    at::removeCallback(profile->handle);
    struct Sum {
      int64_t calls = 0;
      double seconds = 0;
    };
    std::map<std::string, Sum> sums;
    for (const auto& span : profile->spans) {
      const double took = seconds(*span);
      auto& sum = sums[span->name];
      sum.calls++;
      sum.seconds += took;
      if (span->caller != nullptr) sums[span->caller->name].seconds -= took;
#ifdef MVTORCH_CUDA
      if (profile->cuda) (void)cudaEventDestroy(span->begin.event), (void)cudaEventDestroy(span->end.event);
#endif
    }
    std::ostringstream out;
    for (const auto& [name, sum] : sums) out << name << '\t' << sum.calls << '\t' << sum.seconds << '\n';
    text = out.str();
    *lines = text.c_str();
    profile.reset();
  });
}

#ifdef MVTORCH_CUDA
namespace {
struct Silence final : mvt::WarningListener {
  void heard(const std::string&) override {}   // of a newer interface that says the same
};
// libtorch lets convolutions round from the start, and float32 is to be float32.
__attribute__((constructor)) void keep_float32() {
  const Silence silence;
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
}
}  // namespace
#endif
