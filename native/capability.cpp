// Which of the compiled kernels this processor runs. ATEN_CPU_CAPABILITY and ONEDNN_MAX_CPU_ISA, libtorch's and oneDNN's own switches, limit
// ours as well.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#ifdef MVTORCH_TILES
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernels.h"
#include "internal.h"
#include "share.h"
#include "tiles.h"

namespace mvt {

extern const Kernels kernels_plain;
#ifdef MVTORCH_X86
extern const Kernels kernels_avx2, kernels_avx512;
#endif
#ifdef MVTORCH_TILES
extern const Tiles tiles_bf16, tiles_amx;
#endif

namespace {

const Kernels& best() {
#ifdef MVTORCH_X86
  const char* limit = std::getenv("ATEN_CPU_CAPABILITY");
  const bool plain = limit && !std::strcmp(limit, "default"), narrow = limit && !std::strcmp(limit, "avx2");
  const bool avx512 = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx512 && !narrow && !plain) return kernels_avx512;
  if (avx2 && !plain) return kernels_avx2;
#endif
  return kernels_plain;
}

#ifdef MVTORCH_TILES
// The kernel must be asked for the memory in which it keeps a thread's tiles, before the first is used.
bool may_use_tiles() {
  unsigned a, b, c, d;
  constexpr unsigned amx_bf16 = 1u << 22, amx_tile = 1u << 24;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(d & amx_bf16) || !(d & amx_tile)) return false;
  constexpr long ask_for_state = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, ask_for_state, tile_data) == 0;
}

bool is_one_of(const char* text, std::initializer_list<const char*> names) {
  for (const char* name : names)
    if (!std::strcmp(text, name)) return true;
  return false;
}
#endif

const Tiles* best_tiles() {
#ifdef MVTORCH_TILES
  if (&kernels() == &kernels_avx512 && __builtin_cpu_supports("avx512bf16")) {
    const char* limit = std::getenv("ONEDNN_MAX_CPU_ISA");
    if (!limit || is_one_of(limit, {"ALL", "DEFAULT", "AVX512_CORE_AMX"})) return may_use_tiles() ? &tiles_amx : &tiles_bf16;
    if (is_one_of(limit, {"AVX512_CORE_BF16", "AVX512_CORE_FP16"})) return &tiles_bf16;
  }
#endif
  return nullptr;
}

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = best();
  return chosen;
}

const Tiles* tiles() {
  static const Tiles* chosen = best_tiles();
  return chosen;
}

}  // namespace mvt

const char* mvt_kernels(void) {
  static const std::string name = std::string(mvt::kernels().name) + (mvt::tiles() ? std::string(", products by ") + mvt::tiles()->name : "");
  return name.c_str();
}

const char* mvt_unit(void) { return mvt::tiles() ? mvt::tiles()->name : nullptr; }

int mvt_unit_rate(int loading, int64_t milliseconds, double* gflops) {
  return mvt::guarded([&] {
    TORCH_CHECK(mvt::tiles(), "this processor multiplies no bfloat16");
    using Clock = std::chrono::steady_clock;
    std::atomic<int64_t> done{0};
    const auto begin = Clock::now(), end = begin + std::chrono::milliseconds(milliseconds);
    mvt::share(at::get_num_threads(), 1, 0, [&](int64_t, void*) {
      do done += mvt::tiles()->loop(10000, loading != 0);
      while (Clock::now() < end);
    });
    *gflops = done / std::chrono::duration<double>(Clock::now() - begin).count() / 1e9;
  });
}
