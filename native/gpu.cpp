// Operators on an NVIDIA GPU: their kernels are compiled by NVRTC when first wanted, and launched here.
#ifdef MVTORCH_CUDA
#include "gpu.h"

#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#include <dlfcn.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "gpu_kernels.h"
#include "recorded.h"

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// NVRTC and the driver, by the library through which libtorch reaches them: it knows where they are. Their headers are not in every
// installation, so what is called is declared here.
struct Compiler {
  using Handle = void*;
  int (*create)(Handle*, const char*, const char*, int, const char* const*, const char* const*);
  int (*compile)(Handle, int, const char* const*);
  int (*log_size)(Handle, size_t*);
  int (*log)(Handle, char*);
  int (*binary_size)(Handle, size_t*);
  int (*binary)(Handle, char*);
  int (*destroy)(Handle*);
  int (*load)(Handle*, const void*);
  int (*function)(Handle*, Handle, const char*);
  int (*launch)(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, Handle, void**, void**);
};

template <typename F>
void find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  TORCH_CHECK(function, "libcaffe2_nvrtc.so leads to no ", name);
}

Compiler load_compiler() {
  void* library = dlopen("libcaffe2_nvrtc.so", RTLD_NOW | RTLD_LOCAL);
  TORCH_CHECK(library, dlerror());
  Compiler c{};
  find(library, "nvrtcCreateProgram", c.create);
  find(library, "nvrtcCompileProgram", c.compile);
  find(library, "nvrtcGetProgramLogSize", c.log_size);
  find(library, "nvrtcGetProgramLog", c.log);
  find(library, "nvrtcGetCUBINSize", c.binary_size);
  find(library, "nvrtcGetCUBIN", c.binary);
  find(library, "nvrtcDestroyProgram", c.destroy);
  find(library, "cuModuleLoadData", c.load);
  find(library, "cuModuleGetFunction", c.function);
  find(library, "cuLaunchKernel", c.launch);
  return c;
}

const Compiler& compiler() {
  static const Compiler loaded = load_compiler();
  return loaded;
}

void check(int status, const char* what) { TORCH_CHECK(status == 0, "the GPU's kernels: ", what, " failed with ", status); }

std::string option(const char* name, const std::string& value) { return std::string("-D") + name + "=" + value; }
std::string type_of(at::ScalarType type) { return type == at::kBFloat16 ? "bf16" : "float"; }

// Compiled once for each GPU and its macros. The module stays as long as the process.
void* function_of(const char* name, const std::vector<std::string>& macros) {
  static std::mutex mutex;
  static std::map<std::pair<int, std::string>, void*> functions;
  int device = 0, major = 0, minor = 0;
  TORCH_CHECK(cudaGetDevice(&device) == cudaSuccess, "the CUDA driver does not answer");
  std::string key = name;
  for (const auto& macro : macros) key += " " + macro;
  std::lock_guard<std::mutex> lock(mutex);
  auto& function = functions[{device, key}];
  if (function) return function;
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
  cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
  auto options = macros;
  options.push_back("--gpu-architecture=sm_" + std::to_string(10 * major + minor));
  options.push_back("--std=c++17");
  std::vector<const char*> pointers;
  for (const auto& text : options) pointers.push_back(text.c_str());
  const auto& nvrtc = compiler();
  Compiler::Handle program = nullptr, module = nullptr, found = nullptr;
  check(nvrtc.create(&program, mvt::gpu_kernels, "gpu_kernels.cu", 0, nullptr, nullptr), "NVRTC");
  if (nvrtc.compile(program, static_cast<int>(pointers.size()), pointers.data()) != 0) {
    size_t size = 0;
    nvrtc.log_size(program, &size);
    std::string log(size, '\0');
    nvrtc.log(program, log.data());
    nvrtc.destroy(&program);
    TORCH_CHECK(false, "the GPU's kernels do not compile:\n", log);
  }
  size_t size = 0;
  check(nvrtc.binary_size(program, &size), "NVRTC");
  std::string binary(size, '\0');
  check(nvrtc.binary(program, binary.data()), "NVRTC");
  nvrtc.destroy(&program);
  check(nvrtc.load(&module, binary.data()), "loading");
  check(nvrtc.function(&found, module, name), "loading");
  return function = found;
}

struct Size {
  int64_t blocks;
  unsigned x, y;
};

template <typename... Arguments>
void launch(void* function, Size size, Arguments... arguments) {
  if (size.blocks == 0) return;
  TORCH_CHECK(size.blocks < (int64_t{1} << 31), "a tensor is too large for one kernel");
  void* pointers[] = {&arguments...};
  check(compiler().launch(function, static_cast<unsigned>(size.blocks), 1, 1, size.x, size.y, 1, 0, c10::cuda::getCurrentCUDAStream().stream(), pointers, nullptr),
        "a launch");
}

// As kernels read it: without gaps, and 16 bytes at a time.
at::Tensor aligned(const at::Tensor& tensor) {
  auto whole = tensor.contiguous();
  return reinterpret_cast<uintptr_t>(whole.data_ptr()) % 16 == 0 ? whole : whole.clone();
}

template <typename T = void>
T* pointer(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}

// ---- QuickGELU ----

constexpr unsigned activation_threads = 256;

Size activation_size(const at::Tensor& x) {
  const int64_t at_once = activation_threads * (16 / static_cast<int64_t>(x.element_size()));
  return {(x.numel() + at_once - 1) / at_once, activation_threads, 1};
}

at::Tensor quick_gelu(const at::Tensor& x) {
  TORCH_CHECK(mvt::is_float(x), "quick_gelu: x is float32 or bfloat16, not ", x.scalar_type());
  const c10::cuda::CUDAGuard guard(x.device());
  const auto in = aligned(x);
  auto y = at::empty(in.sizes(), in.options());
  launch(function_of("quick_gelu", {option("TYPE", type_of(x.scalar_type()))}), activation_size(in), in.numel(), pointer(in), pointer(y));
  return y;
}

struct QuickGelu : torch::autograd::Function<QuickGelu> {
  static Variable forward(AutogradContext* context, const Variable& x) {
    at::AutoDispatchBelowADInplaceOrView guard;
    context->save_for_backward({x});
    return quick_gelu(x);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto x = aligned(context->get_saved_variables()[0]), gradient = aligned(gradients[0].to(x.scalar_type()));
    const c10::cuda::CUDAGuard guard(x.device());
    auto out = at::empty(x.sizes(), x.options());
    launch(function_of("quick_gelu_backward", {option("TYPE", type_of(x.scalar_type()))}), activation_size(x), x.numel(), pointer(x), pointer(gradient), pointer(out));
    return {out};
  }
};

at::Tensor quick_gelu_recorded(const at::Tensor& x) {
  if (mvt::recorded({x})) return QuickGelu::apply(x);
  at::AutoDispatchBelowADInplaceOrView guard;
  return quick_gelu(x);
}

// ---- layer normalisation ----

constexpr int64_t rows_at_once = 4, widest = 4096;  // a row's numbers are in the registers of a warp

Size rows_size(int64_t rows) { return {(rows + rows_at_once - 1) / rows_at_once, 32, static_cast<unsigned>(rows_at_once)}; }

std::string width_of(const at::Tensor& weight) {
  TORCH_CHECK(weight.size(0) <= widest, "layer_norm: more than ", widest, " wide");
  return option("WIDTH", std::to_string(weight.size(0)));
}

}  // namespace

namespace mvt::gpu {

void layer_norm(const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight, const at::Tensor& bias, const Normalized& to) {
  if (x.numel() == 0) return;
  const c10::cuda::CUDAGuard guard(x.device());
  const auto in = aligned(x), w = aligned(weight), b = aligned(bias), added = delta.defined() ? aligned(delta) : delta;
  const bool half = to.kept.defined() && !to.means.defined();
  launch(function_of("layer_norm", {width_of(weight), option("DELTA", type_of(delta.defined() ? delta.scalar_type() : at::kFloat)),
                                    option("OUT", type_of(to.y.scalar_type())), option("KEPT", "float"), option("GRADIENT", "float")}),
         rows_size(in.numel() / weight.size(0)), in.numel() / weight.size(0), pointer(in), pointer(added), pointer(w), pointer(b),
         delta.defined() ? pointer(to.sum) : nullptr, pointer(to.y), pointer(to.means), pointer(to.scales), half ? pointer(to.kept) : nullptr);
}

void layer_norm_backward(const at::Tensor& kept, const at::Tensor& weight, const at::Tensor& means, const at::Tensor& scales,
                         const at::Tensor& gradient, const at::Tensor& through, const at::Tensor& out, const at::Tensor& half) {
  if (kept.numel() == 0) return;
  const c10::cuda::CUDAGuard guard(kept.device());
  const auto k = aligned(kept), w = aligned(weight), g = aligned(gradient), t = through.defined() ? aligned(through) : through;
  launch(function_of("layer_norm_backward", {width_of(weight), option("KEPT", type_of(kept.scalar_type())), option("GRADIENT", type_of(g.scalar_type())),
                                             option("DELTA", "float"), option("OUT", "float")}),
         rows_size(scales.numel()), scales.numel(), pointer(k), pointer(w), pointer(means), pointer(scales), pointer(g), pointer(t), pointer(out), pointer(half));
}

}  // namespace mvt::gpu

TORCH_LIBRARY_FRAGMENT(mvt, library) { library.def("quick_gelu(Tensor x) -> Tensor"); }

TORCH_LIBRARY_IMPL(mvt, CUDA, library) { library.impl("quick_gelu", quick_gelu); }

TORCH_LIBRARY_IMPL(mvt, AutogradCUDA, library) { library.impl("quick_gelu", quick_gelu_recorded); }
#endif
