#include "runtime/arena.h"

#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <mutex>
#include <new>
#include <unordered_map>
#include <utility>
#include <vector>

#include <pthread.h>
#include <sys/mman.h>

namespace gyaku {

namespace {

constexpr std::size_t page = 4096, huge_page = std::size_t{2} << 20;

// Large blocks. Fresh pages cost more than most operations on them, so a few freed blocks are kept
// for the next allocation of their size.
class Shelf {
public:
  Shelf() { kept_.reserve(most_blocks + 1); }

  // Null if there is none of this size.
  void* take(std::size_t size) {
    const std::lock_guard lock(mutex_);
    for (auto it = kept_.rbegin(); it != kept_.rend(); ++it)
      if (it->second == size) {
        void* const memory = it->first;
        lent_.emplace(memory, size);
        kept_.erase(std::next(it).base());
        kept_bytes_ -= size;
        return memory;
      }
    return nullptr;
  }
  void enter(void* memory, std::size_t size) {
    const std::lock_guard lock(mutex_);
    lent_.emplace(memory, size);
  }
  // Whether it is one of these.
  bool put_back(void* memory) noexcept {
    const std::lock_guard lock(mutex_);
    const auto found = lent_.find(memory);
    if (found == lent_.end()) return false;
    kept_.emplace_back(memory, found->second); // there is room
    kept_bytes_ += found->second;
    lent_.erase(found);
    while (kept_.size() > most_blocks || kept_bytes_ > most_bytes) {
      std::free(kept_.front().first);
      kept_bytes_ -= kept_.front().second;
      kept_.erase(kept_.begin());
    }
    return true;
  }

  std::span<std::byte> holding(const void* memory) {
    const std::lock_guard lock(mutex_);
    for (const auto& [first, size] : lent_) {
      const std::span block(static_cast<std::byte*>(first), size);
      if (memory >= block.data() && memory < block.data() + size) return block;
    }
    return {};
  }

  void lock() noexcept { mutex_.lock(); }
  void unlock() noexcept { mutex_.unlock(); }

private:
  static constexpr std::size_t most_blocks = 16, most_bytes = std::size_t{128} << 20;

  std::mutex mutex_;
  std::unordered_map<void*, std::size_t> lent_;
  std::vector<std::pair<void*, std::size_t>> kept_; // oldest first
  std::size_t kept_bytes_ = 0;
};

// Never destroyed: arrays may outlive static objects. Locked during a fork, so that the child does
// not inherit a half-made change.
Shelf& shelf() {
  static Shelf& only = *[] {
    pthread_atfork([] { shelf().lock(); }, [] { shelf().unlock(); }, [] { shelf().unlock(); });
    return new Shelf;
  }();
  return only;
}

bool begins_a_page(const void* memory) {
  return reinterpret_cast<std::uintptr_t>(memory) % page == 0;
}

} // namespace

void Release::operator()(std::byte* memory) const noexcept {
  // True of all large blocks, and of hardly any other.
  if (memory != nullptr && begins_a_page(memory) && shelf().put_back(memory)) return;
  std::free(memory);
}

Block allocate(std::int64_t bytes) {
  const auto wanted = static_cast<std::size_t>(bytes < 1 ? 1 : bytes);
  // The largest ones on huge pages: a matrix of 64 MB would otherwise need 16,384 entries of the
  // TLB.
  const bool is_large = wanted >= 64 * page, is_huge = wanted >= 2 * huge_page;
  const std::size_t boundary = is_huge ? huge_page : is_large ? page : alignment;
  const std::size_t size = (wanted + boundary - 1) / boundary * boundary;
  if (size < wanted) throw std::bad_alloc();
  if (is_large)
    if (void* const memory = shelf().take(size)) return Block(static_cast<std::byte*>(memory));
  void* const memory = std::aligned_alloc(boundary, size);
  if (memory == nullptr) throw std::bad_alloc();
  Block block(static_cast<std::byte*>(memory));
  if (is_huge) madvise(memory, size, MADV_HUGEPAGE);
  if (is_large) shelf().enter(memory, size);
  return block;
}

std::span<std::byte> large_block(const void* memory) noexcept { return shelf().holding(memory); }

} // namespace gyaku
