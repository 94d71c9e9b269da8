// C ABI over libtorch: tensors as opaque handles, and one boxed call that reaches every operator by name.
//
// Conventions. Every function that can fail returns 0 on success and 1 on failure; the message of the
// last failure of the calling thread is mvt_last_error(). Handles are owned by the caller and released
// with the matching mvt_*_free. Sizes are in elements, memory in bytes.
#pragma once
#include <stdint.h>

#ifdef _WIN32
#define MVT_EXPORT __declspec(dllexport)
#else
#define MVT_EXPORT __attribute__((visibility("default")))
#endif
#ifdef __cplusplus
#define MVT_API extern "C" MVT_EXPORT
#else
#define MVT_API
#endif

// Changes with every change of a function below.
#define MVT_ABI 3

typedef struct mvt_tensor mvt_tensor;
typedef struct mvt_operator mvt_operator;
typedef struct mvt_generator mvt_generator;
typedef struct mvt_guard mvt_guard;
typedef struct mvt_store mvt_store;
typedef struct mvt_group mvt_group;
typedef struct mvt_work mvt_work;
typedef struct mvt_reducer mvt_reducer;

// A tagged argument or result of an operator.
typedef enum {
  MVT_DEFAULT = 0,      // take the schema's default
  MVT_NONE = 1,
  MVT_BOOL = 2,         // i
  MVT_INT = 3,          // i (also dtypes, layouts, memory formats)
  MVT_DOUBLE = 4,       // d
  MVT_TENSOR = 5,       // p: mvt_tensor*
  MVT_INT_LIST = 6,     // p: const int64_t*, i: length
  MVT_DOUBLE_LIST = 7,  // p: const double*, i: length
  MVT_TENSOR_LIST = 8,  // p: mvt_tensor* const* (a null entry is None), i: length
  MVT_STRING = 9,       // p: const char*, i: length
  MVT_DEVICE = 10,      // i: type << 32 | index (index -1: current)
  MVT_GENERATOR = 11,   // p: mvt_generator*
} mvt_tag;

typedef struct {
  int64_t tag;
  int64_t i;
  double d;
  const void* p;
} mvt_value;

// The message of the calling thread's last failure; valid until its next call.
MVT_API const char* mvt_last_error(void);

// ---- operators (operator.cpp) ----
// Finds an operator such as "aten::add" with overload "Tensor" in the dispatcher. The handle lives for ever.
MVT_API int mvt_operator_find(const char* name, const char* overload, const mvt_operator** out);
// The operator's schema as text, valid until the thread's next call.
MVT_API int mvt_operator_schema(const mvt_operator* op, const char** out);
// Calls it. Missing trailing arguments take the schema's defaults. Results lie in memory of the calling
// thread, valid until its next call; their tensors belong to the caller.
MVT_API int mvt_operator_call(const mvt_operator* op, const mvt_value* arguments, int64_t count,
                              const mvt_value** results, int64_t* result_count);

// ---- tensors (tensor.cpp) ----
MVT_API void mvt_tensor_free(mvt_tensor* tensor);
MVT_API int mvt_tensor_info(const mvt_tensor* tensor, int64_t* dtype, int64_t* dimensions, int64_t* device,
                            int64_t* flags);  // flags: 1 contiguous, 2 requires grad, 4 inference, 8 leaf
MVT_API int mvt_tensor_sizes(const mvt_tensor* tensor, int64_t* sizes, int64_t* strides);  // both [dimensions]
MVT_API int mvt_tensor_data(const mvt_tensor* tensor, void** data);  // the first element, on its device

// ---- autograd (autograd.cpp) ----
MVT_API int mvt_set_requires_grad(mvt_tensor* tensor, int value);
MVT_API int mvt_get_grad(const mvt_tensor* tensor, mvt_tensor** out);  // null when there is none
MVT_API int mvt_set_grad(mvt_tensor* tensor, const mvt_tensor* grad);  // null clears
MVT_API int mvt_backward(mvt_tensor* const* tensors, int64_t count, mvt_tensor* const* gradients, int keep_graph);
MVT_API int mvt_gradient(mvt_tensor* const* outputs, int64_t output_count, mvt_tensor* const* output_gradients,
                         mvt_tensor* const* inputs, int64_t input_count, int keep_graph, mvt_tensor** gradients);
// Runs forward(state, x, &y) now without a graph, and again when the gradient is wanted. forward owns the x it is given and gives
// its y away; it returns 0, or anything else when it failed. release(state) is called once, when nothing will call forward any more.
typedef int (*mvt_segment)(void* state, mvt_tensor* x, mvt_tensor** y);
typedef void (*mvt_segment_release)(void* state);
MVT_API int mvt_checkpoint(const mvt_tensor* x, mvt_segment forward, mvt_segment_release release, void* state, mvt_tensor** out);
MVT_API int mvt_grad_mode(int value);  // 0, 1, or -1 to ask; returns the mode before the call
// Guards undo themselves when released, in the reverse order, on the thread that made them.
MVT_API int mvt_inference_mode_enter(mvt_guard** out);
MVT_API int mvt_autocast_enter(int64_t device_type, int64_t dtype, mvt_guard** out);
MVT_API void mvt_guard_release(mvt_guard* guard);

// ---- runtime (runtime.cpp) ----
MVT_API int mvt_abi(void);  // MVT_ABI: who calls compares it with the one it was written for
MVT_API const char* mvt_version(void);  // "1.13.1"
MVT_API int mvt_configuration(const char** build, const char** parallel);  // libtorch's own descriptions
MVT_API int mvt_set_threads(int64_t threads);
MVT_API int mvt_get_threads(int64_t* threads);
MVT_API int mvt_manual_seed(uint64_t seed);  // every device's default generator
MVT_API int mvt_generator_create(int64_t device, uint64_t seed, mvt_generator** out);
MVT_API int mvt_generator_get_state(const mvt_generator* generator, mvt_tensor** out);
MVT_API int mvt_generator_set_state(mvt_generator* generator, const mvt_tensor* state);
MVT_API void mvt_generator_free(mvt_generator* generator);
MVT_API const char* mvt_kernels(void);       // which of our own kernels this processor runs (capability.cpp)
// The unit that multiplies bfloat16, null where there is none; and how fast it does on all threads, in GFLOP/s: its instruction alone, or with
// loading what it multiplies from the first cache.
MVT_API const char* mvt_unit(void);
MVT_API int mvt_unit_rate(int loading, int64_t milliseconds, double* gflops);
MVT_API void mvt_trim_memory(void);  // gives freed memory back to the system (memory.cpp)
MVT_API int mvt_cuda_devices(int64_t* count);  // 0 without CUDA
MVT_API int mvt_cuda_synchronize(int64_t index);
MVT_API int mvt_cuda_memory(int64_t index, int64_t* allocated, int64_t* peak, int64_t* total);
MVT_API int mvt_cuda_reset_peak(int64_t index);
MVT_API int mvt_cuda_empty_cache(void);

// ---- looking on (observe.cpp) ----
typedef enum { MVT_WAITS = 1, MVT_VARYING = 2 } mvt_watch;
// From now on this thread's waits for a GPU, or its operators whose results may vary from run to run, are noted. 0 ends it.
MVT_API int mvt_watch_for(int64_t kinds);
// What was noted since mvt_watch_for, a line each; valid until the thread's next call. The watch goes on.
MVT_API int mvt_watched(const char** lines);
// Times every operator, those of the backward pass too, by the clock or by the GPU's own events, until mvt_profile_end.
MVT_API int mvt_profile_begin(int64_t device);
// "name<tab>calls<tab>seconds" a line, seconds without those of operators called inside; valid until the thread's next call.
MVT_API int mvt_profile_end(const char** lines);

// ---- process groups (distributed.cpp) ----
MVT_API int mvt_distributed_backends(int64_t* backends);  // 1 Gloo, 2 NCCL, 0 neither
// Where workers meet: a file that all of one machine see, or the server of one of them. A store is used by one thread at a time.
MVT_API int mvt_store_open_file(const char* path, mvt_store** out);
MVT_API int mvt_store_open_tcp(const char* host, int64_t port, int is_server, int64_t timeout_ms, mvt_store** out);
MVT_API int mvt_store_set(mvt_store* store, const char* key, const char* value, int64_t length);
// Waits for the key, or with a timeout of 0 gives null where it is not there. Valid until the store's next read.
MVT_API int mvt_store_get(mvt_store* store, const char* key, int64_t timeout_ms, const char** value, int64_t* length);
MVT_API int mvt_store_add(mvt_store* store, const char* key, int64_t amount, int64_t* sum);
MVT_API void mvt_store_free(mvt_store* store);
// A group of workers by a back end of mvt_distributed_backends. address: this worker's own, for Gloo. Every worker calls the same
// functions in the same order.
MVT_API int mvt_group_open(mvt_store* store, const char* name, int64_t backend, int64_t rank, int64_t world, const char* address,
                           int64_t timeout_ms, mvt_group** out);
MVT_API void mvt_group_free(mvt_group* group);
MVT_API int mvt_group_all_reduce(mvt_group* group, mvt_tensor* tensor, mvt_work** out);  // the sum, in place
MVT_API int mvt_group_broadcast(mvt_group* group, mvt_tensor* tensor, int64_t root, mvt_work** out);
MVT_API int mvt_group_all_gather(mvt_group* group, const mvt_tensor* tensor, mvt_tensor* const* parts, int64_t count, mvt_work** out);
MVT_API int mvt_work_wait(mvt_work* work);
MVT_API void mvt_work_free(mvt_work* work);
// Sums the gradients of parameters over the workers, in flat buffers: those of the next backward pass as they come when armed for it,
// else all at the end. finish waits, puts the sums in the gradients' places, and gives the bytes that were summed.
MVT_API int mvt_reducer_create(mvt_group* group, mvt_tensor* const* parameters, int64_t count, int64_t bucket_bytes, mvt_reducer** out);
MVT_API int mvt_reducer_arm(mvt_reducer* reducer);
MVT_API int mvt_reducer_finish(mvt_reducer* reducer, int64_t* bytes);
MVT_API void mvt_reducer_free(mvt_reducer* reducer);
