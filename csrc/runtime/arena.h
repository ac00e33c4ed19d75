// Memory aligned to a cache line, owned by its handle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace gyaku {

constexpr std::size_t alignment = 64;

// a * b, or nothing on overflow of 63 bits.
inline std::optional<std::int64_t> checked_product(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

struct Release {
  void operator()(std::byte* memory) const noexcept;
};
using Block = std::unique_ptr<std::byte[], Release>;

// At least one byte, rounded up to whole cache lines. Throws std::bad_alloc.
Block allocate(std::int64_t bytes);

// The whole pages of the large block, of a quarter of a megabyte at least, that holds this address;
// empty if it is in none.
std::span<std::byte> large_block(const void* memory) noexcept;

} // namespace gyaku
