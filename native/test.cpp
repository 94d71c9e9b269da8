// The shim's own test, small enough to run under the sanitizers: every kind of argument and result,
// autograd, guards, generators, and the ways to fail.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "mvtorch.h"

#define CHECK(condition)                                                                        \
  do {                                                                                          \
    if (!(condition)) {                                                                         \
      std::fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, mvt_last_error()); \
      std::exit(1);                                                                             \
    }                                                                                           \
  } while (0)

namespace {

mvt_value integer(int64_t i) { return {MVT_INT, i, 0, nullptr}; }
mvt_value number(double d) { return {MVT_DOUBLE, 0, d, nullptr}; }
mvt_value tensor(const mvt_tensor* t) { return {MVT_TENSOR, 0, 0, t}; }
mvt_value ints(const std::vector<int64_t>& v) { return {MVT_INT_LIST, (int64_t)v.size(), 0, v.data()}; }
mvt_value skip() { return {MVT_DEFAULT, 0, 0, nullptr}; }

std::vector<mvt_value> call(const char* name, const char* overload, const std::vector<mvt_value>& arguments) {
  const mvt_operator* op = nullptr;
  CHECK(mvt_operator_find(name, overload, &op) == 0);
  const mvt_value* results = nullptr;
  int64_t count = 0;
  CHECK(mvt_operator_call(op, arguments.data(), (int64_t)arguments.size(), &results, &count) == 0);
  return {results, results + count};
}

mvt_tensor* one(const std::vector<mvt_value>& results) {
  CHECK(results.size() == 1 && results[0].tag == MVT_TENSOR);
  return (mvt_tensor*)results[0].p;
}

float first(const mvt_tensor* t) {
  void* data = nullptr;
  CHECK(mvt_tensor_data(t, &data) == 0);
  return *(float*)data;
}

void arithmetic_and_autograd() {
  mvt_tensor* x = one(call("aten::full", "", {ints({2, 3}), number(3)}));
  CHECK(mvt_set_requires_grad(x, 1) == 0);
  mvt_tensor* square = one(call("aten::mul", "Tensor", {tensor(x), tensor(x)}));
  mvt_tensor* sum = one(call("aten::sum", "", {tensor(square)}));
  CHECK(first(sum) == 54);
  mvt_tensor* gradient = nullptr;
  CHECK(mvt_gradient(&sum, 1, nullptr, &x, 1, 1, &gradient) == 0 && first(gradient) == 6);
  CHECK(mvt_backward(&sum, 1, nullptr, 0) == 0);
  mvt_tensor* stored = nullptr;
  CHECK(mvt_get_grad(x, &stored) == 0 && stored != nullptr && first(stored) == 6);
  CHECK(mvt_set_grad(x, nullptr) == 0);
  mvt_tensor* none = x;
  CHECK(mvt_get_grad(x, &none) == 0 && none == nullptr);
  for (auto* t : {x, square, sum, gradient, stored}) mvt_tensor_free(t);
}

void lists_and_options() {
  mvt_tensor* range = one(call("aten::arange", "", {integer(6)}));
  auto parts = call("aten::split", "Tensor", {tensor(range), integer(2)});
  CHECK(parts.size() == 3);
  std::vector<const mvt_tensor*> handles;
  for (auto& part : parts) handles.push_back((const mvt_tensor*)part.p);
  mvt_value list = {MVT_TENSOR_LIST, 3, 0, handles.data()};
  mvt_tensor* joined = one(call("aten::cat", "", {list, integer(0)}));
  CHECK(call("aten::equal", "", {tensor(joined), tensor(range)})[0].i == 1);
  int64_t dtype = 0, dimensions = 0, device = 0, flags = 0, size = 0, stride = 0;
  CHECK(mvt_tensor_info(joined, &dtype, &dimensions, &device, &flags) == 0 && dimensions == 1 && (flags & 1));
  CHECK(mvt_tensor_sizes(joined, &size, &stride) == 0 && size == 6 && stride == 1);
  std::vector<const mvt_tensor*> index = {joined};
  mvt_value indices = {MVT_TENSOR_LIST, 1, 0, index.data()};
  mvt_tensor* picked = one(call("aten::index", "Tensor", {tensor(range), indices}));
  CHECK(call("aten::equal", "", {tensor(picked), tensor(range)})[0].i == 1);
  const mvt_value none = {MVT_NONE, 0, 0, nullptr};
  mvt_tensor* rows = one(call("aten::ones", "", {ints({2, 4})}));
  auto norm = call("aten::native_layer_norm", "", {tensor(rows), ints({4}), none, none, number(1e-5)});
  CHECK(norm.size() == 3);
  // A None among the indices takes the whole dimension.
  mvt_tensor* column = one(call("aten::full", "", {ints({1}), integer(3), integer(4)}));
  const mvt_tensor* column_of[] = {nullptr, column};
  mvt_tensor* last = one(call("aten::index", "Tensor", {tensor(rows), {MVT_TENSOR_LIST, 2, 0, column_of}}));
  int64_t sizes[2] = {0, 0}, strides[2] = {0, 0};
  CHECK(mvt_tensor_sizes(last, sizes, strides) == 0 && sizes[0] == 2 && sizes[1] == 1);
  const double factors[] = {2, 3};
  mvt_tensor* image = one(call("aten::ones", "", {ints({1, 1, 4, 4})}));
  mvt_tensor* larger = one(call("aten::upsample_nearest2d", "vec", {tensor(image), none, {MVT_DOUBLE_LIST, 2, 0, factors}}));
  int64_t larger_sizes[4] = {}, larger_strides[4] = {};
  CHECK(mvt_tensor_sizes(larger, larger_sizes, larger_strides) == 0 && larger_sizes[2] == 8 && larger_sizes[3] == 12);
  const char* mode = "floor";
  mvt_tensor* floored = one(call("aten::div", "Tensor_mode", {tensor(rows), tensor(rows), {MVT_STRING, 5, 0, mode}}));
  CHECK(first(floored) == 1);
  for (auto* t : {column, last, image, larger, floored}) mvt_tensor_free(t);
  for (auto& value : norm) mvt_tensor_free((mvt_tensor*)value.p);
  for (auto* handle : handles) mvt_tensor_free((mvt_tensor*)handle);
  for (auto* t : {range, joined, picked, rows}) mvt_tensor_free(t);
}

void failures() {
  const mvt_operator* op = nullptr;
  CHECK(mvt_operator_find("aten::no_such_thing", "", &op) == 1 && std::strstr(mvt_last_error(), "no_such_thing"));
  CHECK(mvt_operator_find("aten::mm", "", &op) == 0);
  const mvt_operator* again = nullptr;
  CHECK(mvt_operator_find("aten::mm", "", &again) == 0 && again == op);
  const char* schema = nullptr;
  CHECK(mvt_operator_schema(op, &schema) == 0 && std::strstr(schema, "mat2"));
  mvt_tensor* a = one(call("aten::ones", "", {ints({2, 3})}));
  const mvt_value* results = nullptr;
  int64_t count = 0;
  mvt_value wrong[] = {tensor(a), tensor(a)};
  CHECK(mvt_operator_call(op, wrong, 2, &results, &count) == 1);  // shapes
  CHECK(mvt_operator_call(op, wrong, 1, &results, &count) == 1);  // missing argument
  mvt_value text[] = {tensor(a), {MVT_STRING, 1, 0, "x"}};
  CHECK(mvt_operator_call(op, text, 2, &results, &count) == 1 && std::strstr(mvt_last_error(), "mat2"));
  mvt_value null[] = {tensor(a), tensor(nullptr)};
  CHECK(mvt_operator_call(op, null, 2, &results, &count) == 1);
  CHECK(mvt_backward(&a, 1, nullptr, 0) == 1);  // nothing requires a gradient
  CHECK(mvt_set_threads(0) == 1);
  std::thread([] { CHECK(*mvt_last_error() == 0); }).join();  // messages are per thread
  mvt_tensor_free(a);
}

void guards_and_generators() {
  CHECK(mvt_grad_mode(0) == 1 && mvt_grad_mode(1) == 0);
  mvt_guard* guard = nullptr;
  CHECK(mvt_inference_mode_enter(&guard) == 0);
  mvt_tensor* t = one(call("aten::ones", "", {ints({1})}));
  mvt_guard_release(guard);
  int64_t dtype = 0, dimensions = 0, device = 0, flags = 0;
  CHECK(mvt_tensor_info(t, &dtype, &dimensions, &device, &flags) == 0 && (flags & 4));
  mvt_tensor_free(t);

  mvt_tensor* a = one(call("aten::ones", "", {ints({8, 8})}));
  CHECK(mvt_autocast_enter(0, 15, &guard) == 0);
  mvt_tensor* product = one(call("aten::mm", "", {tensor(a), tensor(a)}));
  mvt_guard_release(guard);
  CHECK(mvt_tensor_info(product, &dtype, &dimensions, &device, &flags) == 0 && dtype == 15);
  mvt_tensor_free(a);
  mvt_tensor_free(product);

  mvt_generator* generator = nullptr;
  CHECK(mvt_generator_create(0, 7, &generator) == 0);
  mvt_tensor* state = nullptr;
  CHECK(mvt_generator_get_state(generator, &state) == 0);
  mvt_value source = {MVT_GENERATOR, 0, 0, generator};
  mvt_tensor* r1 = one(call("aten::rand", "generator", {ints({5}), source, skip(), skip(), skip(), skip()}));
  CHECK(mvt_generator_set_state(generator, state) == 0);
  mvt_tensor* r2 = one(call("aten::rand", "generator", {ints({5}), source}));
  CHECK(call("aten::equal", "", {tensor(r1), tensor(r2)})[0].i == 1);
  for (auto* x : {state, r1, r2}) mvt_tensor_free(x);
  mvt_generator_free(generator);
  CHECK(mvt_generator_create((int64_t)2 << 32, 7, &generator) == 1);  // no generator for this kind of device
}

mvt_tensor* drawn(const std::vector<int64_t>& shape, int64_t dtype) {
  mvt_tensor* wide = one(call("aten::randn", "", {ints(shape)}));
  mvt_tensor* t = one(call("aten::to", "dtype", {tensor(wide), integer(dtype)}));
  mvt_tensor_free(wide);
  CHECK(mvt_set_requires_grad(t, 1) == 0);
  return t;
}

// Sums a result and takes its gradient by one tensor; frees both.
void differentiate(mvt_tensor* result, mvt_tensor* by) {
  mvt_tensor* sum = one(call("aten::sum", "", {tensor(result)}));
  mvt_tensor* gradient = nullptr;
  CHECK(mvt_gradient(&sum, 1, nullptr, &by, 1, 0, &gradient) == 0 && gradient != nullptr);
  for (auto* t : {result, sum, gradient}) mvt_tensor_free(t);
}

// Lengths and widths that no vector divides: a step beyond the end would be seen.
void operators_of_our_own() {
  const int64_t float32 = 6, bfloat16 = 15;
  const mvt_value none = {MVT_NONE, 0, 0, nullptr};
  for (const int64_t dtype : {float32, bfloat16}) {
    for (const int64_t length : {int64_t{1}, int64_t{7}, int64_t{61}}) {
      mvt_tensor* qkv = drawn({2, length, 3 * 2 * 5}, dtype);
      mvt_tensor* keys = one(call("aten::zeros", "", {ints({2, 1, 1, length})}));
      mvt_tensor* pairs = one(call("aten::zeros", "", {ints({length, length})}));
      for (const auto& mask : {none, tensor(keys), tensor(pairs)}) differentiate(one(call("mvt::attention", "", {tensor(qkv), integer(2), mask})), qkv);
      for (auto* t : {qkv, keys, pairs}) mvt_tensor_free(t);
    }
    mvt_tensor *x = drawn({3, 133}, float32), *delta = drawn({3, 133}, dtype), *weight = drawn({133}, float32), *bias = drawn({133}, float32);
    differentiate(one(call("mvt::layer_norm", "", {tensor(x), tensor(weight), tensor(bias), integer(dtype)})), bias);
    auto both = call("mvt::add_layer_norm", "", {tensor(x), tensor(delta), tensor(weight), tensor(bias), integer(dtype)});
    CHECK(both.size() == 2);
    mvt_tensor_free((mvt_tensor*)both[0].p);
    differentiate((mvt_tensor*)both[1].p, delta);
    for (auto* t : {x, delta, weight, bias}) mvt_tensor_free(t);
    const mvt_operator* op = nullptr;
    if (mvt_operator_find("mvt::linear", "", &op) != 0) continue;  // built without oneDNN
    mvt_tensor *in = drawn({5, 9}, dtype), *expand = drawn({19, 9}, dtype), *contract = drawn({9, 19}, dtype), *inner = drawn({19}, dtype);
    for (auto* t : {expand, contract}) CHECK(mvt_set_requires_grad(t, 0) == 0);
    differentiate(one(call("mvt::linear", "", {tensor(in), tensor(expand), tensor(inner)})), in);
    differentiate(one(call("mvt::mlp", "", {tensor(in), tensor(expand), tensor(inner), tensor(contract), none})), inner);
    for (auto* t : {in, expand, contract, inner}) mvt_tensor_free(t);
  }
}

void runtime() {
  CHECK(std::strlen(mvt_version()) > 0);
  const char *build = nullptr, *parallel = nullptr;
  CHECK(mvt_configuration(&build, &parallel) == 0 && *build != 0 && *parallel != 0);
  int64_t threads = 0;
  CHECK(mvt_set_threads(2) == 0 && mvt_get_threads(&threads) == 0 && threads == 2);
  CHECK(mvt_manual_seed(1) == 0);
  int64_t devices = -1, allocated = -1, peak = -1, total = -1;
  CHECK(mvt_cuda_devices(&devices) == 0 && devices >= 0);
  const int expected = devices > 0 ? 0 : 1;
  CHECK(mvt_cuda_synchronize(0) == expected && mvt_cuda_memory(0, &allocated, &peak, &total) == expected);
  if (devices == 0) return;
  mvt_generator* generator = nullptr;
  CHECK(mvt_generator_create((int64_t)1 << 32, 7, &generator) == 0);
  mvt_generator_free(generator);
  CHECK(allocated >= 0 && peak >= allocated && total > 0);
  CHECK(mvt_cuda_reset_peak(0) == 0 && mvt_cuda_empty_cache() == 0);
}

}  // namespace

int main() {
  runtime();
  arithmetic_and_autograd();
  lists_and_options();
  failures();
  guards_and_generators();
  operators_of_our_own();
  mvt_trim_memory();
  std::puts("ok");
}
