// A batch taken out of the data by an index list, and the counters that go with it.
#include "kernels/register.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// The compiler makes vectors of these loops; every element is computed alone, so it may.
template <class T, class From>
void convert_row(T* __restrict out, const From* __restrict from, std::int64_t columns, T scale) {
  for (std::int64_t j = 0; j < columns; ++j) out[j] = static_cast<T>(from[j]) * scale;
}

// The source row that the batch's row i is, or that of a later batch if i is beyond; -1 if none.
GYAKU_INLINE std::int64_t source_row(const GatherArgs& args, std::int64_t i) {
  const std::uint64_t place =
      static_cast<std::uint64_t>(args.cursor[0]) + static_cast<std::uint64_t>(i);
  if (place >= static_cast<std::uint64_t>(args.indices)) return -1;
  const std::int64_t row = args.order[place];
  return static_cast<std::uint64_t>(row) < static_cast<std::uint64_t>(args.source_rows) ? row : -1;
}

template <class T, class From, class Convert>
GYAKU_INLINE void gather_rows(const GatherArgs& args, Slice slice, Convert convert) {
  constexpr std::int64_t cache_line = 64, worth_fetching = 256 * 1024;
  const From* source = static_cast<const From*>(args.source);
  T* out = static_cast<T*>(args.out) + slice.begin * args.columns;
  // The rows of a shuffled batch lie anywhere in memory. The next batch's are asked for one step
  // ahead, as long as they fit into the second-level cache beside the step's own work.
  const std::int64_t row_bytes = args.columns * static_cast<std::int64_t>(sizeof(From));
  const bool fetch = row_bytes >= cache_line && row_bytes * args.rows <= worth_fetching;
  for (std::int64_t i = slice.begin; i < slice.end; ++i, out += args.columns) {
    const std::int64_t next = fetch ? source_row(args, i + args.rows) : -1;
    if (next >= 0) {
      const char* line = reinterpret_cast<const char*>(source + next * args.columns);
      for (std::int64_t at = 0; at < row_bytes; at += cache_line)
        __builtin_prefetch(line + at, 0, 2);
    }
    const std::int64_t row = source_row(args, i);
    if (row >= 0)
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
