// Memory of tensors on the CPU. Each block of a transformer takes and frees the same hundreds of megabytes. By itself the C library either
// maps them anew each time, and the system clears every page again (an eighth of the time of encoding where that was measured), or keeps
// them in a heap full of holes (a gigabyte in a step of training). So a large piece that is freed waits for the next of its size.
#include <ATen/ATen.h>
#include <c10/core/CPUAllocator.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#include <cstdlib>
#include <cstring>
#include <iterator>
#include <list>
#include <mutex>

#include "internal.h"
#include "product.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif

#ifdef __linux__   // elsewhere libtorch keeps its own
namespace {

constexpr size_t alignment = 64;        // what vector units want; also the room of a Header before the memory that is given out
constexpr size_t large = 1 << 20;       // below it the C library's own heap serves
constexpr size_t most_kept = size_t{1} << 31;  // bytes that wait, in all

struct Header {
  size_t size;  // of the whole piece, this header included
};
static_assert(sizeof(Header) <= alignment);

class Kept {
 public:
  // A piece of that size, or a little larger (blocks whose tokens are merged want less and less), or null.
  Header* take(size_t size) {
    const std::lock_guard<std::mutex> lock(mutex_);
    auto best = pieces_.rend();
    // The youngest first: its pages may still be in the cache of the processor.
    for (auto piece = pieces_.rbegin(); piece != pieces_.rend() && (best == pieces_.rend() || (*best)->size != size); ++piece) {
      const size_t there = (*piece)->size;
      if (there >= size && there <= size + size / 4 && (best == pieces_.rend() || there < (*best)->size)) best = piece;
    }
    if (best == pieces_.rend()) return nullptr;
    Header* found = *best;
    pieces_.erase(std::next(best).base());
    bytes_ -= found->size;
    return found;
  }

  void give(Header* piece) {
    const std::lock_guard<std::mutex> lock(mutex_);
    pieces_.push_back(piece);
    bytes_ += piece->size;
    shrink(most_kept);
  }

  void clear() {
    const std::lock_guard<std::mutex> lock(mutex_);
    shrink(0);
  }

 private:
  void shrink(size_t most) {
    while (bytes_ > most) {
      Header* oldest = pieces_.front();
      pieces_.pop_front();
      bytes_ -= oldest->size;
      munmap(oldest, oldest->size);
    }
  }

  std::mutex mutex_;
  std::list<Header*> pieces_;
  size_t bytes_ = 0;
};

// Never destroyed: tensors may be freed after everything else.
Kept& kept() {
  static auto* kept = new Kept;
  return *kept;
}

// Batches differ by a few frames or tokens: what is a little larger serves them too. An eighth more at most, which nobody touches.
size_t rounded(size_t size) {
  size_t step = large / 8;
  while (step * 16 <= size) step *= 2;
  return (size + step - 1) / step * step;
}

void release(void* memory) {
  if (memory == nullptr) return;
  auto* piece = reinterpret_cast<Header*>(static_cast<char*>(memory) - alignment);
  if (piece->size < large) free(piece);
  else kept().give(piece);
}

Header* acquire(size_t size) {
  void* piece = nullptr;
  if (size < large) {
    if (posix_memalign(&piece, alignment, size) != 0) return nullptr;
  } else {
    if (auto* waiting = kept().take(size)) return waiting;
    piece = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (piece == MAP_FAILED) return nullptr;
  }
  static_cast<Header*>(piece)->size = size;
  return static_cast<Header*>(piece);
}

// What libtorch's interface has become is a member without const, and a copy; either version finds its own here.
struct CpuMemory final : c10::Allocator {
  c10::DataPtr allocate(size_t count) const { return piece_of(count); }
  c10::DataPtr allocate(size_t count) { return piece_of(count); }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const { memcpy(to, from, count); }

 private:
  static c10::DataPtr piece_of(size_t count) {
    if (count == 0) return {nullptr, nullptr, &release, c10::Device(c10::DeviceType::CPU)};
    size_t size = count + alignment;
    if (size >= large) size = rounded(size);
    auto* piece = size < count ? nullptr : acquire(size);
    if (piece == nullptr) {
      kept().clear();
      piece = size < count ? nullptr : acquire(size);
    }
    TORCH_CHECK(piece != nullptr, "not enough memory: ", count, " bytes were asked for");
    void* memory = reinterpret_cast<char*>(piece) + alignment;
    return {memory, memory, &release, c10::Device(c10::DeviceType::CPU)};
  }
};

// Under the sanitizer each tensor is to be its own piece, so that a step beyond its end is seen.
#ifndef __SANITIZE_ADDRESS__
__attribute__((constructor)) void serve() {
  static auto* memory = new CpuMemory;
  constexpr uint8_t above_the_default = 1;
  c10::SetCPUAllocator(memory, above_the_default);
}
#endif

}  // namespace
#endif

void mvt_trim_memory(void) {
#ifdef MVTORCH_ONEDNN
  mvt::drop_held_weights();
#endif
#ifdef __linux__
  kept().clear();
#endif
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}
