// What the translation units of the shim share.
#pragma once
#include <ATen/ATen.h>
#include <exception>
#include <string>

#include "mvtorch.h"

namespace mvt {

// Remembers the message for mvt_last_error of this thread; returns the failure status.
int fail(const char* message);

// libtorch's messages end with a C++ back trace; the first part is what a reader can use.
template <typename Body>
int guarded(Body&& body) {
  try {
    body();
    return 0;
  } catch (const c10::Error& error) {
    return fail(error.what_without_backtrace());
  } catch (const std::exception& error) {
    return fail(error.what());
  } catch (...) {
    return fail("unknown native failure");
  }
}

inline at::Tensor& unwrap(const mvt_tensor* tensor) {
  TORCH_CHECK(tensor != nullptr, "a tensor handle is null");
  return *reinterpret_cast<at::Tensor*>(const_cast<mvt_tensor*>(tensor));
}

inline at::Tensor unwrap_or_undefined(const mvt_tensor* tensor) {
  return tensor == nullptr ? at::Tensor() : unwrap(tensor);
}

inline mvt_tensor* wrap(at::Tensor tensor) {
  return reinterpret_cast<mvt_tensor*>(new at::Tensor(std::move(tensor)));
}

inline at::Generator& unwrap(const mvt_generator* generator) {
  TORCH_CHECK(generator != nullptr, "a generator handle is null");
  return *reinterpret_cast<at::Generator*>(const_cast<mvt_generator*>(generator));
}

// Devices cross the boundary as type << 32 | index.
inline c10::Device device_of(int64_t packed) {
  return c10::Device(static_cast<c10::DeviceType>(packed >> 32), static_cast<c10::DeviceIndex>(packed & 0xff));
}

inline int64_t pack(c10::Device device) {
  return (static_cast<int64_t>(device.type()) << 32) | (static_cast<int64_t>(device.index()) & 0xff);
}

}  // namespace mvt
