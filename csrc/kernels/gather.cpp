// The gather of a batch by an index list, with rescaling, and the counters that go with it.
#include "kernels/args/gather.h"
#include "kernels/entry.h"
#include "kernels/philox.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// These loops are vectorised by the compiler: elements are independent.
template <class T, class From>
void convert_row(T* __restrict out, const From* __restrict from, std::int64_t columns, T scale) {
  for (std::int64_t j = 0; j < columns; ++j) out[j] = static_cast<T>(from[j]) * scale;
}

// The source row of row i of the batch, or of a later batch if i is beyond it; -1: none.
GYAKU_INLINE std::int64_t source_row(const GatherArgs& args, std::int64_t i) {
  const std::uint64_t place =
      static_cast<std::uint64_t>(args.cursor[0]) + static_cast<std::uint64_t>(i);
  if (place >= static_cast<std::uint64_t>(args.indices)) return -1;
  const std::int64_t row = args.order[place];
  return static_cast<std::uint64_t>(row) < static_cast<std::uint64_t>(args.source_rows) ? row : -1;
}

template <class T, class From, class Convert>
GYAKU_INLINE void gather_rows(const GatherArgs& args, Slice slice, Convert convert) {
  constexpr std::int64_t cache_line = 64, worth_fetching = 4 * 1024 * 1024;
  const From* source = static_cast<const From*>(args.source);
  T* out = static_cast<T*>(args.out) + slice.begin * args.columns;
  // The rows of a shuffled batch are anywhere in memory. Those of the next batch are prefetched one
  // step ahead, unless they are so many that they would evict the data of the step.
  const std::int64_t row_bytes = args.columns * static_cast<std::int64_t>(sizeof(From));
  const bool fetch = row_bytes >= cache_line && row_bytes * args.rows <= worth_fetching;
  for (std::int64_t i = slice.begin; i < slice.end; ++i, out += args.columns) {
    const std::int64_t next = fetch ? source_row(args, i + args.rows) : -1;
    if (next >= 0) {
      const char* line = reinterpret_cast<const char*>(source + next * args.source_columns);
      for (std::int64_t at = 0; at < row_bytes; at += cache_line)
        __builtin_prefetch(line + at, 0, 2);
    }
    const std::int64_t row = source_row(args, i);
    if (row >= 0)
      convert(out, source + row * args.source_columns, row);
    else
      __builtin_memset(out, 0, static_cast<std::size_t>(args.columns) * sizeof(T));
  }
}

template <class T, class From> void gather_converted(const GatherArgs& args, Slice slice) {
  const std::int64_t columns = args.columns;
  const T scale = static_cast<T>(args.scale);
  gather_rows<T, From>(args, slice, [=](T* out, const From* from, std::int64_t) {
    convert_row(out, from, columns, scale);
  });
}

template <class T> void gather_copied(const GatherArgs& args, Slice slice) {
  const std::size_t bytes = static_cast<std::size_t>(args.columns) * sizeof(T);
  gather_rows<T, T>(args, slice, [=](T* out, const T* from, std::int64_t) {
    if (bytes == sizeof(T)) // a label
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
  case Source::int32:
    return gather_copied<std::int32_t>(args, slice);
  case Source::int64:
    return gather_copied<std::int64_t>(args, slice);
  }
}

// The augmentation of an image: mirrored or not, then shifted.
struct Move {
  std::int64_t down, right;
  bool mirrored;
};

GYAKU_INLINE Move drawn(const GatherImagesArgs& args, std::int64_t row) {
  // The stream of the shuffled order, in the half of its counters that no order uses.
  constexpr std::uint32_t stream = 0xffffffff;
  constexpr std::uint64_t upper_half = std::uint64_t{1} << 63;
  const PhiloxBlocks blocks =
      philox(Words(static_cast<std::uint64_t>(row)), stream,
             static_cast<std::uint64_t>(args.epoch[0]) | upper_half,
             {static_cast<std::uint32_t>(args.seed), static_cast<std::uint32_t>(args.seed >> 32)});
  std::uint64_t word[3];
  for (int i = 0; i < 3; ++i) word[i] = first(blocks.word[i]) & 0xffffffff;
  const std::uint64_t places = 2 * static_cast<std::uint64_t>(args.shift) + 1;
  return {static_cast<std::int64_t>(word[0] * places >> 32) - args.shift,
          static_cast<std::int64_t>(word[1] * places >> 32) - args.shift,
          args.flip && word[2] >> 31 != 0};
}

template <class T> void clear(T* out, std::int64_t count) {
  __builtin_memset(out, 0, static_cast<std::size_t>(count) * sizeof(T));
}

// A shifted image is a copy of the whole image to another position, but for what leaves it at the
// edges.
template <class T, class From>
void move_image(T* out, const From* from, std::int64_t size, std::int64_t offset, T scale) {
  const std::int64_t begin = offset > 0 ? offset : 0, end = offset < 0 ? size + offset : size;
  clear(out, begin);
  convert_row(out + begin, from + (begin - offset), end - begin, scale);
  clear(out + end, size - end);
}

// A row of pixels in reverse; `fixed` channels, or a variable number if 0.
template <int fixed, class T, class From>
void mirror_row(T* __restrict to, const From* __restrict last, std::int64_t pixels,
                std::int64_t channels, T scale) {
  // Rows are short: blocks of fixed length are vectorised, and the last one may overlap the one
  // before.
  constexpr std::int64_t block = 16;
  const std::int64_t c = fixed ? fixed : channels;
  const auto mirror = [=](std::int64_t begin, std::int64_t count) {
    for (std::int64_t p = begin; p < begin + count; ++p)
      for (std::int64_t k = 0; k < c; ++k) to[p * c + k] = static_cast<T>(last[k - p * c]) * scale;
  };
  std::int64_t p = 0;
  for (; p + block <= pixels; p += block) mirror(p, block);
  if (pixels >= block)
    mirror(pixels - block, block);
  else
    mirror(p, pixels - p);
}

template <class T, class From>
void mirror_image(T* out, const From* from, const GatherImagesArgs& args, Move move, T scale) {
  const std::int64_t c = args.channels, columns = args.width * c;
  const std::int64_t first_row = move.down > 0 ? move.down : 0;
  const std::int64_t end_row = args.height + (move.down < 0 ? move.down : 0);
  const std::int64_t first_pixel = move.right > 0 ? move.right : 0;
  const std::int64_t pixels = args.width - (move.right < 0 ? -move.right : move.right);
  clear(out, first_row * columns);
  clear(out + end_row * columns, (args.height - end_row) * columns);
  const auto row = c == 1   ? mirror_row<1, T, From>
                   : c == 3 ? mirror_row<3, T, From>
                            : mirror_row<0, T, From>;
  T* to = out + first_row * columns + first_pixel * c;
  const From* last =
      from + (first_row - move.down) * columns + (args.width - 1 - first_pixel + move.right) * c;
  for (std::int64_t r = first_row; r < end_row; ++r, to += columns, last += columns)
    row(to, last, pixels, c, scale);
}

template <class T, class From>
void place_image(T* out, const From* from, const GatherImagesArgs& args, Move move) {
  const std::int64_t c = args.channels, columns = args.width * c;
  const T scale = static_cast<T>(args.rows.scale);
  if (move.mirrored)
    mirror_image(out, from, args, move, scale);
  else
    move_image(out, from, args.rows.columns, move.down * columns + move.right * c, scale);
  const std::int64_t gap = (move.right < 0 ? -move.right : move.right) * c;
  T* side = out + (move.right < 0 ? columns - gap : 0);
  for (std::int64_t j = 0; j < gap; ++j)
    for (std::int64_t r = 0; r < args.height; ++r) side[r * columns + j] = 0;
}

template <class T, class From> void gather_placed(const GatherImagesArgs& args, Slice slice) {
  gather_rows<T, From>(args.rows, slice, [&](T* out, const From* from, std::int64_t row) {
    place_image(out, from, args, drawn(args, args.numbers == nullptr ? row : args.numbers[row]));
  });
}

template <class T> void gather_images(const GatherImagesArgs& args, Slice slice) noexcept {
  switch (args.rows.type) {
  case Source::uint8:
    return gather_placed<T, std::uint8_t>(args, slice);
  case Source::float32:
    return gather_placed<T, float>(args, slice);
  case Source::float64:
    return gather_placed<T, double>(args, slice);
  case Source::int32: // not a dtype of images
  case Source::int64:
    return;
  }
}

void keep_rows(const KeepRowsArgs& args, Slice slice) noexcept {
  for (std::int64_t i = slice.begin; i < slice.end; ++i) {
    const std::int64_t place = args.cursor[0] + i;
    if (static_cast<std::uint64_t>(place) >= static_cast<std::uint64_t>(args.capacity)) return;
    __builtin_memcpy(static_cast<char*>(args.kept) + place * args.kept_row_bytes,
                     static_cast<const char*>(args.rows) + i * args.row_bytes,
                     static_cast<std::size_t>(args.row_bytes));
  }
}

template <class T> void rescale(const RescaleArgs& args, Slice slice) noexcept {
  const std::int64_t begin = slice.begin * args.unit, end = slice.end * args.unit;
  const std::int64_t count = (end < args.size ? end : args.size) - begin;
  const T* __restrict x = static_cast<const T*>(args.x) + begin;
  T* __restrict y = static_cast<T*>(args.y) + begin;
  const T scale = static_cast<T>(args.scale), offset = static_cast<T>(args.offset);
  if (offset == 0) // as in a gather with a scale: -0 stays -0
    convert_row(y, x, count, scale);
  else
    for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] * scale + offset;
}

void advance(const AdvanceArgs& args, Slice) noexcept { *args.counter += args.amount; }

void accumulate(const AccumulateArgs& args, Slice) noexcept {
  const std::int64_t slot = *args.slot;
  if (static_cast<std::uint64_t>(slot) < static_cast<std::uint64_t>(args.slots))
    args.totals[slot] += args.weight * *args.value * (args.count == nullptr ? 1 : *args.count);
}

} // namespace

// Slices of rows.
Entry gather_kernel() noexcept { return entry<GatherArgs, gather<float>, gather<double>>; }
// Slices of rows.
Entry gather_images_kernel() noexcept {
  return entry<GatherImagesArgs, gather_images<float>, gather_images<double>>;
}
// Slices of rows.
Entry keep_rows_kernel() noexcept { return entry<KeepRowsArgs, keep_rows, keep_rows>; }
// Slices of elements, in units of RescaleArgs::unit.
Entry rescale_kernel() noexcept { return entry<RescaleArgs, rescale<float>, rescale<double>>; }
// One slice.
Entry advance_kernel() noexcept { return entry<AdvanceArgs, advance, advance>; }
// One slice.
Entry accumulate_kernel() noexcept { return entry<AccumulateArgs, accumulate, accumulate>; }

} // namespace gyaku::GYAKU_ISA_NAME
