#include "runtime/shared_pages.h"

#include <cerrno>
#include <cstring>
#include <system_error>

#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

namespace gyaku {

namespace {

constexpr int protection = PROT_READ | PROT_WRITE;
constexpr int collapse = 25; // MADV_COLLAPSE, which the headers of older systems lack

[[noreturn]] void fail() {
  throw std::system_error(errno, std::generic_category(), "shared memory");
}

// Puts other pages in the place of those of a block, with the same contents if it `keeps` them.
// In one move, so that the address is never without memory. False if the system has none left.
bool replace(std::span<std::byte> block, int flags, int file, std::size_t offset, bool keeps) {
  void* const fresh =
      mmap(nullptr, block.size(), protection, flags, file, static_cast<off_t>(offset));
  if (fresh == MAP_FAILED) return false;
  if (keeps) std::memcpy(fresh, block.data(), block.size());
  if (mremap(fresh, block.size(), block.size(), MREMAP_MAYMOVE | MREMAP_FIXED, block.data()) ==
      MAP_FAILED) {
    munmap(fresh, block.size());
    return false;
  }
  madvise(block.data(), block.size(), MADV_HUGEPAGE); // of no consequence to small ones
  // Most systems give a file in memory small pages, and join them when asked (Linux 6.1).
  if (file >= 0) madvise(block.data(), block.size(), collapse);
  return true;
}

} // namespace

SharedPages::SharedPages(int file) : file_(dup(file)) {
  if (file_ < 0) fail();
}

SharedPages::~SharedPages() {
  // Without memory for it the pages remain those of the file, which nobody else writes any more.
  for (const auto block : blocks_) replace(block, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, true);
  close(file_);
}

void SharedPages::place(std::span<std::byte> block, std::size_t offset, bool keeps) {
  blocks_.reserve(blocks_.size() + 1); // which may throw, while there is nothing to undo
  if (!replace(block, MAP_SHARED, file_, offset, keeps)) fail();
  blocks_.push_back(block);
}

} // namespace gyaku
