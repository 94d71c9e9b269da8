// The boxed call: finds an operator in libtorch's dispatcher and converts arguments by its schema.
#include <ATen/core/dispatch/Dispatcher.h>

#include <mutex>
#include <unordered_map>
#include <vector>

#include "internal.h"

namespace {

using c10::IValue;
using c10::TypeKind;

// Kept once per operator, however often it is asked for.
const mvt_operator* wrap(const c10::OperatorHandle& handle) {
  static std::mutex mutex;
  // Never destroyed: other threads may still call operators while the process ends.
  static auto& known = *new std::unordered_map<c10::OperatorName, c10::OperatorHandle>();
  std::lock_guard<std::mutex> lock(mutex);
  const auto entry = known.emplace(handle.operator_name(), handle).first;
  return reinterpret_cast<const mvt_operator*>(&entry->second);
}

const c10::OperatorHandle& unwrap(const mvt_operator* op) {
  TORCH_CHECK(op != nullptr, "an operator handle is null");
  return *reinterpret_cast<const c10::OperatorHandle*>(op);
}

[[noreturn]] void refuse(const c10::Argument& argument, const mvt_value& value) {
  TORCH_CHECK(false, "argument '", argument.name(), "' wants ", argument.type()->str(), ", got a value of tag ",
              value.tag);
}

c10::Scalar to_scalar(const c10::Argument& argument, const mvt_value& value) {
  switch (value.tag) {
    case MVT_BOOL: return c10::Scalar(value.i != 0);
    case MVT_INT: return c10::Scalar(value.i);
    case MVT_DOUBLE: return c10::Scalar(value.d);
    default: refuse(argument, value);
  }
}

template <typename T>
c10::ArrayRef<T> elements(const mvt_value& value) {
  return c10::ArrayRef<T>(static_cast<const T*>(value.p), static_cast<size_t>(value.i));
}

IValue to_list(const c10::Argument& argument, const c10::TypePtr& element, const mvt_value& value) {
  if (element->kind() == TypeKind::OptionalType && value.tag == MVT_TENSOR_LIST) {
    // Untyped, because the name of libtorch's optional depends on its version.
    c10::impl::GenericList list(element);
    for (auto* tensor : elements<const mvt_tensor*>(value))
      list.push_back(tensor ? IValue(mvt::unwrap(tensor)) : IValue());
    return list;
  }
  switch (element->kind()) {
    case TypeKind::TensorType:
      if (value.tag == MVT_TENSOR_LIST) {
        c10::List<at::Tensor> list;
        for (auto* tensor : elements<const mvt_tensor*>(value)) list.push_back(mvt::unwrap(tensor));
        return list;
      }
      break;
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      if (value.tag == MVT_INT_LIST) return c10::List<int64_t>(elements<int64_t>(value));
      if (value.tag == MVT_INT) return c10::List<int64_t>({value.i});
      break;
    case TypeKind::FloatType:
      if (value.tag == MVT_DOUBLE_LIST) return c10::List<double>(elements<double>(value));
      break;
    case TypeKind::BoolType:
      if (value.tag == MVT_INT_LIST) {
        c10::List<bool> list;
        for (auto item : elements<int64_t>(value)) list.push_back(item != 0);
        return list;
      }
      break;
    default: break;
  }
  refuse(argument, value);
}

IValue convert(const c10::Argument& argument, const c10::TypePtr& type, const mvt_value& value) {
  if (value.tag == MVT_NONE) return IValue();
  switch (type->kind()) {
    case TypeKind::OptionalType: return convert(argument, type->castRaw<c10::OptionalType>()->getElementType(), value);
    case TypeKind::TensorType:
      if (value.tag == MVT_TENSOR) return mvt::unwrap(static_cast<const mvt_tensor*>(value.p));
      break;
    case TypeKind::NumberType: return to_scalar(argument, value);
    case TypeKind::IntType:
    case TypeKind::SymIntType:
    case TypeKind::ScalarTypeType:
    case TypeKind::LayoutType:
    case TypeKind::MemoryFormatType:
      if (value.tag == MVT_INT || value.tag == MVT_BOOL) return value.i;
      break;
    case TypeKind::FloatType:
      if (value.tag == MVT_DOUBLE) return value.d;
      if (value.tag == MVT_INT) return static_cast<double>(value.i);
      break;
    case TypeKind::BoolType:
      if (value.tag == MVT_BOOL || value.tag == MVT_INT) return value.i != 0;
      break;
    case TypeKind::StringType:
      if (value.tag == MVT_STRING) return std::string(static_cast<const char*>(value.p), static_cast<size_t>(value.i));
      break;
    case TypeKind::DeviceObjType:
      if (value.tag == MVT_DEVICE) return mvt::device_of(value.i);
      break;
    case TypeKind::GeneratorType:
      if (value.tag == MVT_GENERATOR) return mvt::unwrap(static_cast<const mvt_generator*>(value.p));
      break;
    case TypeKind::ListType: return to_list(argument, type->castRaw<c10::ListType>()->getElementType(), value);
    default: break;
  }
  refuse(argument, value);
}

mvt_value tensor_value(const at::Tensor& tensor) {
  return tensor.defined() ? mvt_value{MVT_TENSOR, 0, 0, mvt::wrap(tensor)} : mvt_value{MVT_NONE, 0, 0, nullptr};
}

// Results of one call, flattened: a list of tensors becomes its tensors.
void append(std::vector<mvt_value>& results, const IValue& value) {
  if (value.isTensor()) results.push_back(tensor_value(value.toTensor()));
  else if (value.isTensorList())
    for (const at::Tensor& tensor : value.toTensorVector()) results.push_back(tensor_value(tensor));
  else if (value.isBool()) results.push_back({MVT_BOOL, value.toBool(), 0, nullptr});
  else if (value.isInt()) results.push_back({MVT_INT, value.toInt(), 0, nullptr});
  else if (value.isDouble()) results.push_back({MVT_DOUBLE, 0, value.toDouble(), nullptr});
  else if (value.isNone()) results.push_back({MVT_NONE, 0, 0, nullptr});
  else TORCH_CHECK(false, "a result of type ", value.tagKind(), " cannot cross the boundary");
}

thread_local std::vector<mvt_value> thread_results;
thread_local std::string thread_schema;

}  // namespace

int mvt_operator_find(const char* name, const char* overload, const mvt_operator** out) {
  return mvt::guarded([&] {
    auto handle = c10::Dispatcher::singleton().findSchema({name, overload});
    TORCH_CHECK(handle.has_value(), "this libtorch has no operator ", name, *overload ? "." : "", overload);
    *out = wrap(*handle);
  });
}

int mvt_operator_schema(const mvt_operator* op, const char** out) {
  return mvt::guarded([&] {
    thread_schema = c10::toString(unwrap(op).schema());
    *out = thread_schema.c_str();
  });
}

int mvt_operator_call(const mvt_operator* op, const mvt_value* arguments, int64_t count, const mvt_value** results,
                      int64_t* result_count) {
  return mvt::guarded([&] {
    const auto& handle = unwrap(op);
    const auto& parameters = handle.schema().arguments();
    TORCH_CHECK(count <= static_cast<int64_t>(parameters.size()), "at most ", parameters.size(), " arguments, got ",
                count);
    torch::jit::Stack stack;
    stack.reserve(parameters.size());
    for (size_t i = 0; i < parameters.size(); i++) {
      const auto& parameter = parameters[i];
      if (static_cast<int64_t>(i) < count && arguments[i].tag != MVT_DEFAULT) {
        stack.push_back(convert(parameter, parameter.type(), arguments[i]));
      } else {
        TORCH_CHECK(parameter.default_value().has_value(), "argument '", parameter.name(), "' is missing");
        stack.push_back(*parameter.default_value());
      }
    }
    handle.callBoxed(&stack);
    thread_results.clear();
    for (const auto& value : stack) append(thread_results, value);
    *results = thread_results.data();
    *result_count = static_cast<int64_t>(thread_results.size());
  });
}
