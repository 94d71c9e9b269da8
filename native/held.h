// Copies of frozen weights in the order that products want, one for all tensors that share a weight's memory.
#pragma once
#include <ATen/ATen.h>

#include <mutex>
#include <unordered_map>
#include <vector>

namespace mvt {

template <typename Copy>
class Held {
 public:
  // The copy of a weight; made by make() when there is none, or none any more: who writes into the memory past libtorch drops it.
  template <typename Make>
  Copy find(const at::Tensor& w, Make&& make) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = held_.find(w.data_ptr());
    if (found != held_.end() && found->second.is_of(w)) return found->second.copy;
    for (auto entry = held_.begin(); entry != held_.end();) entry = entry->second.is_dead() ? held_.erase(entry) : std::next(entry);
    return held_.insert_or_assign(w.data_ptr(), Entry(w, make())).first->second.copy;
  }

  void drop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    held_.clear();
  }

 private:
  struct Entry {
    Entry(const at::Tensor& w, Copy made)
        : copy(std::move(made)), owner(w.storage().getWeakStorageImpl()), version(w._version()), sizes(w.sizes().vec()), type(w.scalar_type()) {}

    bool is_dead() const { return owner.expired(); }
    bool is_of(const at::Tensor& w) const { return !is_dead() && version == w._version() && type == w.scalar_type() && w.sizes() == sizes; }

    Copy copy;
    c10::weak_intrusive_ptr<c10::StorageImpl> owner;
    int64_t version;
    std::vector<int64_t> sizes;
    at::ScalarType type;
  };

  std::mutex mutex_;
  std::unordered_map<const void*, Entry> held_;
};

}  // namespace mvt
