// A batch taken out of the data by an index list, and the counters that go with it.
#include "kernels/register.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The compiler makes vectors of these loops; every element is computed alone, so it may.
template <class T, class From>
void convert_row(T* __restrict out, const From* __restrict from, std::int64_t columns, T scale) {
  for (std::int64_t j = 0; j < columns; ++j) out[j] = static_cast<T>(from[j]) * scale;
}

template <class T, class From, class Convert>
GYAKU_INLINE void gather_rows(const GatherArgs& args, Slice slice, Convert convert) {
  const From* source = static_cast<const From*>(args.source);
  T* out = static_cast<T*>(args.out) + slice.begin * args.columns;
  for (std::int64_t i = slice.begin; i < slice.end; ++i, out += args.columns) {
    const std::uint64_t place =
        static_cast<std::uint64_t>(args.cursor[0]) + static_cast<std::uint64_t>(i);
    std::int64_t row = -1;
    if (place < static_cast<std::uint64_t>(args.indices)) row = args.order[place];
    if (static_cast<std::uint64_t>(row) < static_cast<std::uint64_t>(args.source_rows))
      convert(out, source + row * args.columns);
    else
      __builtin_memset(out, 0, static_cast<std::size_t>(args.columns) * sizeof(T));
  }
}

template <class T, class From> void gather_converted(const GatherArgs& args, Slice slice) {
  const std::int64_t columns = args.columns;
  const T scale = static_cast<T>(args.scale);
  gather_rows<T, From>(args, slice,
                       [=](T* out, const From* from) { convert_row(out, from, columns, scale); });
}

template <class T> void gather_copied(const GatherArgs& args, Slice slice) {
  const std::size_t bytes = static_cast<std::size_t>(args.columns) * sizeof(T);
  gather_rows<T, T>(args, slice, [=](T* out, const T* from) {
    if (bytes == sizeof(T)) // labels
      *out = *from;
    else
      __builtin_memcpy(out, from, bytes);
  });
}

template <class T> void gather(const GatherArgs& args, Slice slice) noexcept {
  switch (args.type) {
  case Source::uint8:
    return gather_converted<T, std::uint8_t>(args, slice);
  case Source::float32:
    return gather_converted<T, float>(args, slice);
  case Source::float64:
    return gather_converted<T, double>(args, slice);
  case Source::int64:
    return gather_copied<std::int64_t>(args, slice);
  }
}

void advance(const AdvanceArgs& args, Slice) noexcept { *args.counter += args.amount; }

void accumulate(const AccumulateArgs& args, Slice) noexcept {
  const std::int64_t slot = *args.slot;
  if (static_cast<std::uint64_t>(slot) < static_cast<std::uint64_t>(args.slots))
    args.totals[slot] += args.weight * *args.value;
}

} // namespace

void register_gather(KernelTable& table) noexcept {
  enter<GatherArgs, gather<float>, gather<double>>(table, KernelId::gather);
  enter<AdvanceArgs, advance, advance>(table, KernelId::advance);
  enter<AccumulateArgs, accumulate, accumulate>(table, KernelId::accumulate);
}

} // namespace gyaku::GYAKU_ISA_NAME
