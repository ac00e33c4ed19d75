// Dropout, with a mask drawn by Philox.
#include "kernels/args/random.h"
#include "kernels/entry.h"
#include "kernels/philox.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// y[i] = kept ? x[i] * scale : 0 for the 128 elements of a group: element 16 (2 w + h) + lane takes
// half h of word w of block 16 group + lane.
template <class T> struct Group {
  vec<T> scale;
  std::int32_t threshold;
  std::uint64_t step;
  PhiloxKey key;
  std::uint32_t stream;

  GYAKU_INLINE void apply(std::uint64_t group, const T* x, T* y) const {
    if constexpr (sizeof(T) == 8 || vec<T>::width == 1)
      by_lanes(group, x, y);
    else
      by_pairs(group, x, y);
  }

  // Elements in the lanes of the drawn words.
  GYAKU_INLINE void by_lanes(std::uint64_t group, const T* x, T* y) const {
    using Draws = vec<std::int64_t>;
    for (unsigned lane = 0; lane < 16; lane += Words::width) {
      const PhiloxBlocks drawn =
          philox(iota<std::uint64_t>() + Words(16 * group + lane), stream, step, key);
      for (unsigned w = 0; w < 4; ++w)
        for (unsigned h = 0; h < 2; ++h) {
          const unsigned at = 16 * (2 * w + h) + lane;
          const Words half = (drawn.word[w] >> (16 * h)) & Words(0xffff);
          if constexpr (sizeof(T) == 8)
            keep(Draws(Draws::native(half.v)) >= Draws(threshold), x + at, y + at);
          else // one lane
            keep(vec<std::int32_t>(static_cast<std::int32_t>(first(half))) >=
                     vec<std::int32_t>(threshold),
                 x + at, y + at);
        }
    }
  }

  // Lanes half as wide: the words of an even and of the next odd block share a lane of 64 bits.
  GYAKU_INLINE void by_pairs(std::uint64_t group, const T* x, T* y) const {
    using Draws = vec<integer<T>>;
    const Words lower_half(0xffffffff);
    for (unsigned lane = 0; lane < 16; lane += Draws::width) {
      const Words block = (iota<std::uint64_t>() << 1) + Words(16 * group + lane);
      const PhiloxBlocks even = philox(block, stream, step, key);
      const PhiloxBlocks odd = philox(block + Words(1), stream, step, key);
      for (unsigned w = 0; w < 4; ++w) {
        const Words both = (even.word[w] & lower_half) | (odd.word[w] << 32);
        const Draws word = typename Draws::native(both.v), low = word & Draws(0xffff);
        const Draws high = (word >> 16) & Draws(0xffff);
        keep(low >= Draws(threshold), x + 32 * w + lane, y + 32 * w + lane);
        keep(high >= Draws(threshold), x + 32 * w + 16 + lane, y + 32 * w + 16 + lane);
      }
    }
  }

  GYAKU_INLINE void keep(mask<integer<T>> kept, const T* x, T* y) const {
    // `and` instead of a select: no branch on a random bit with one lane either.
    store(y, from_bits<T>(bits(load(x) * scale) & vec<integer<T>>(kept.v)));
  }
};

template <class T> void dropout(const DropoutArgs& args, Slice slice) noexcept {
  constexpr std::int64_t size = 128;
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  const Group<T> group{
      vec<T>(static_cast<T>(args.scale)),
      static_cast<std::int32_t>(args.threshold),
      static_cast<std::uint64_t>(args.clock[0]),
      {static_cast<std::uint32_t>(args.seed), static_cast<std::uint32_t>(args.seed >> 32)},
      args.stream};
  std::int64_t i = slice.begin * args.unit;
  const std::int64_t wanted = slice.end * args.unit;
  const std::int64_t end = wanted < args.size ? wanted : args.size;
  while (i < end) {
    const std::int64_t first = i / size * size;
    if (i == first && end - i >= size) {
      group.apply(static_cast<std::uint64_t>(i / size), x + i, y + i);
      i += size;
      continue;
    }
    // Part of a group is computed as a whole group.
    const std::int64_t last = first + size < end ? first + size : end;
    T whole_x[size] = {}, whole_y[size];
    for (std::int64_t k = i; k < last; ++k) whole_x[k - first] = x[k];
    group.apply(static_cast<std::uint64_t>(first / size), whole_x, whole_y);
    for (; i < last; ++i) y[i] = whole_y[i - first];
  }
}

} // namespace

// Slices of units of DropoutArgs::unit elements.
Entry dropout_kernel() noexcept { return entry<DropoutArgs, dropout<float>, dropout<double>>; }

} // namespace gyaku::GYAKU_ISA_NAME
