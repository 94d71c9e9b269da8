#include "internal.h"

namespace {
thread_local std::string last_error;
}

int mvt::fail(const char* message) {
  last_error = message;
  return 1;
}

const char* mvt_last_error(void) { return last_error.c_str(); }

void mvt_tensor_free(mvt_tensor* tensor) { delete reinterpret_cast<at::Tensor*>(tensor); }

int mvt_tensor_info(const mvt_tensor* handle, int64_t* dtype, int64_t* dimensions, int64_t* device, int64_t* flags) {
  return mvt::guarded([&] {
    const auto& tensor = mvt::unwrap(handle);
    *dtype = static_cast<int64_t>(tensor.scalar_type());
    *dimensions = tensor.dim();
    *device = mvt::pack(tensor.device());
    *flags = (tensor.is_contiguous() ? 1 : 0) | (tensor.requires_grad() ? 2 : 0) | (tensor.is_inference() ? 4 : 0) |
             (tensor.is_leaf() ? 8 : 0);
  });
}

int mvt_tensor_sizes(const mvt_tensor* handle, int64_t* sizes, int64_t* strides) {
  return mvt::guarded([&] {
    const auto& tensor = mvt::unwrap(handle);
    for (int64_t d = 0; d < tensor.dim(); d++) {
      sizes[d] = tensor.size(d);
      strides[d] = tensor.stride(d);
    }
  });
}

int mvt_tensor_data(const mvt_tensor* handle, void** data) {
  return mvt::guarded([&] { *data = mvt::unwrap(handle).data_ptr(); });
}
