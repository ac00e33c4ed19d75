#include "runtime/arena.h"

#include <cstdlib>
#include <new>

#include <sys/mman.h>

namespace gyaku {

namespace {
constexpr std::size_t huge_page = std::size_t{2} << 20;
}

void Release::operator()(std::byte* memory) const noexcept { std::free(memory); }

Block allocate(std::int64_t bytes) {
  const auto wanted = static_cast<std::size_t>(bytes < 1 ? 1 : bytes);
  // Large buffers on huge pages: a matrix of 64 MB would need 16,384 entries of the TLB otherwise.
  const std::size_t boundary = wanted >= 2 * huge_page ? huge_page : alignment;
  const std::size_t size = (wanted + boundary - 1) / boundary * boundary;
  if (size < wanted) throw std::bad_alloc();
  void* memory = std::aligned_alloc(boundary, size);
  if (memory == nullptr) throw std::bad_alloc();
  if (boundary == huge_page) madvise(memory, size, MADV_HUGEPAGE);
  return Block(static_cast<std::byte*>(memory));
}

} // namespace gyaku
