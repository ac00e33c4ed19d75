#include "runtime/philox.h"

#include <utility>

namespace gyaku {

void permute(std::int64_t* order, std::int64_t n, std::uint64_t seed, std::uint64_t epoch) {
  constexpr std::uint32_t shuffle_stream = 0xffffffff;
  const PhiloxKey key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  for (std::int64_t i = 0; i < n; ++i) order[i] = i;
  PhiloxCounter words{};
  std::int64_t draw = 0;
  for (std::int64_t i = n - 1; i > 0; --i, ++draw) {
    if (draw % 4 == 0)
      words =
          philox4x32({static_cast<std::uint32_t>(draw / 4), shuffle_stream,
                      static_cast<std::uint32_t>(epoch), static_cast<std::uint32_t>(epoch >> 32)},
                     key);
    const std::uint64_t word = words[static_cast<std::size_t>(draw % 4)];
    const auto j = static_cast<std::int64_t>((word * static_cast<std::uint64_t>(i + 1)) >> 32);
    std::swap(order[i], order[j]);
  }
}

} // namespace gyaku
