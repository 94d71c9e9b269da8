// Which of the compiled kernels this processor runs. ATEN_CPU_CAPABILITY, libtorch's own switch, limits ours as well.
#include <cstdlib>
#include <cstring>

#include "kernels.h"
#include "mvtorch.h"

namespace mvt {

extern const Kernels kernels_plain;
#ifdef MVTORCH_X86
extern const Kernels kernels_avx2, kernels_avx512;
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

}  // namespace

const Kernels& kernels() {
  static const Kernels& chosen = best();
  return chosen;
}

}  // namespace mvt

const char* mvt_kernels(void) { return mvt::kernels().name; }
