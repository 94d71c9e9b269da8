// Work divided among libtorch's threads.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>

namespace mvt {

// Scratch memory of this thread, from an address that 64 divides; the next call may give the same.
inline void* scratch(int64_t bytes) {
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  static thread_local std::unique_ptr<void, Free> memory;
  static thread_local int64_t size = 0;
  if (bytes > size) {
    memory.reset();
    memory.reset(std::aligned_alloc(64, size_t(bytes + 63) / 64 * 64));
    size = memory ? bytes : 0;
    TORCH_CHECK(memory, "not enough memory: ", bytes, " bytes were asked for");
  }
  return memory.get();
}

// body(task, scratch of that many bytes) for each task, by whichever thread is free: one that is interrupted does not hold up the others.
// No more threads than have `at_least` tasks each.
template <typename Body>
void share(int64_t tasks, int64_t at_least, int64_t bytes, Body&& body) {
  std::atomic<int64_t> next{0};
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), std::max<int64_t>(1, tasks / at_least));
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    void* memory = scratch(bytes);
    for (int64_t task = next++; task < tasks; task = next++) body(task, memory);
  });
}

}  // namespace mvt
