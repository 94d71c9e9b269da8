// What differs between libtorch 1.13 and 2.11, in one place.
#pragma once
#include <ATen/autocast_mode.h>
#include <c10/util/Exception.h>
#include <torch/version.h>

#define MVT_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))

namespace mvt {

struct AutocastState {
  bool enabled;
  at::ScalarType dtype;
};

#if MVT_TORCH_AT_LEAST(2, 4)
inline AutocastState get_autocast(at::DeviceType device) {
  return {at::autocast::is_autocast_enabled(device), at::autocast::get_autocast_dtype(device)};
}
inline void set_autocast(at::DeviceType device, AutocastState state) {
  at::autocast::set_autocast_enabled(device, state.enabled);
  at::autocast::set_autocast_dtype(device, state.dtype);
}
#else
inline AutocastState get_autocast(at::DeviceType device) {
  if (device == at::kCUDA) return {at::autocast::is_enabled(), at::autocast::get_autocast_gpu_dtype()};
  return {at::autocast::is_cpu_enabled(), at::autocast::get_autocast_cpu_dtype()};
}
inline void set_autocast(at::DeviceType device, AutocastState state) {
  if (device == at::kCUDA) {
    at::autocast::set_enabled(state.enabled);
    at::autocast::set_autocast_gpu_dtype(state.dtype);
  } else {
    at::autocast::set_cpu_enabled(state.enabled);
    at::autocast::set_autocast_cpu_dtype(state.dtype);
  }
}
#endif

#if MVT_TORCH_AT_LEAST(2, 0)
namespace warnings = c10::WarningUtils;
#else
namespace warnings = c10::Warning;
#endif

// Hears what libtorch warns of on the thread that made it, for as long as it lives.
class WarningListener : private c10::WarningHandler {
 public:
  WarningListener() : before_(warnings::get_warning_handler()) { warnings::set_warning_handler(this); }
  ~WarningListener() override { warnings::set_warning_handler(before_); }

 private:
#if MVT_TORCH_AT_LEAST(2, 0)
  void process(const c10::Warning& warning) override { heard(warning.msg()); }
#else
  void process(const c10::SourceLocation&, const std::string& message, const bool) override { heard(message); }
#endif
  virtual void heard(const std::string& message) = 0;

  c10::WarningHandler* before_;
  warnings::WarnAlways always_;  // and not only the first time
};

}  // namespace mvt
