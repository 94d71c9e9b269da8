// Which of the compiled kernels this processor runs.
#include "kernels.h"

namespace mvt {

extern const Kernels kernels_plain;
#ifdef MVTORCH_X86
extern const Kernels kernels_avx2, kernels_avx512;
#endif

const Kernels& kernels() {
#ifdef MVTORCH_X86
  static const Kernels& best = __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") ? kernels_avx512
      : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? kernels_avx2 : kernels_plain;
  return best;
#else
  return kernels_plain;
#endif
}

}  // namespace mvt
