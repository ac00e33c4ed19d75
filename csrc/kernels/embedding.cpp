// Embeddings: rows of a table by their ids, the gradient of the table, and the lengths of padded
// sequences.
//
// An id outside the table is never an index: its row is NaN, and it adds nothing to the gradient.
#include "kernels/args/embedding.h"
#include "kernels/entry.h"
#include "kernels/range.h"
#include "kernels/rows.h"

namespace gyaku::GYAKU_ISA_NAME {
namespace {

// Calls f with the ids in their own type.
template <class F> GYAKU_INLINE void with_ids(const void* ids, IdType type, F f) {
  if (type == IdType::int32)
    f(static_cast<const std::int32_t*>(ids));
  else
    f(static_cast<const std::int64_t*>(ids));
}

template <class T> void embedding(const EmbeddingArgs& args, Slice slice) noexcept {
  const std::int64_t columns = args.columns;
  const Range range{slice.begin * args.unit, least(slice.end * args.unit, args.count)};
  const std::size_t bytes = static_cast<std::size_t>(columns) * sizeof(T);
  const T* table = static_cast<const T*>(args.table);
  T* y = static_cast<T*>(args.y) + range.begin * columns;
  with_ids(args.ids, args.type, [&](const auto* ids) {
    for (std::int64_t i = range.begin; i < range.end; ++i, y += columns) {
      const auto id = static_cast<std::uint64_t>(std::int64_t{ids[i]});
      if (id < static_cast<std::uint64_t>(args.vocabulary))
        __builtin_memcpy(y, table + static_cast<std::int64_t>(id) * columns, bytes);
      else
        for (std::int64_t j = 0; j < columns; ++j) y[j] = static_cast<T>(__builtin_nan(""));
    }
  });
}

// A slice of the vocabulary passes over all ids, so that each row is summed in their order.
template <class T>
void embedding_backward(const EmbeddingBackwardArgs& args, Slice slice) noexcept {
  const std::int64_t columns = args.columns;
  T* dtable = static_cast<T*>(args.dtable) + slice.begin * columns;
  const std::int64_t rows = slice.end - slice.begin;
  __builtin_memset(dtable, 0, static_cast<std::size_t>(rows * columns) * sizeof(T));
  with_ids(args.ids, args.type, [&](const auto* ids) {
    for (std::int64_t i = 0; i < args.count; ++i) {
      const std::int64_t id = ids[i], row = id - slice.begin;
      if (static_cast<std::uint64_t>(row) >= static_cast<std::uint64_t>(rows) || id == args.padding)
        continue;
      const T* dy = static_cast<const T*>(args.dy) + i * columns;
      T* sum = dtable + row * columns;
      for_each_vector<T>(0, columns, [&](std::int64_t j, int n) {
        store(sum + j, load(sum + j, n) + load(dy + j, n), n);
      });
    }
  });
}

void sequence_lengths(const SequenceLengthsArgs& args, Slice slice) noexcept {
  const std::int64_t size = args.steps * args.width;
  with_ids(args.ids, args.type, [&](const auto* ids) {
    for (std::int64_t n = slice.begin; n < slice.end; ++n) {
      std::int64_t last = size;
      while (last > 0 && ids[n * size + last - 1] == 0) --last;
      args.lengths[n] = last == 0 ? 0 : ceil_div(last, args.width);
    }
  });
}

} // namespace

// Slices of ids, in units of EmbeddingArgs::unit.
Entry embedding_kernel() noexcept {
  return entry<EmbeddingArgs, embedding<float>, embedding<double>>;
}
// Slices of rows of the table.
Entry embedding_backward_kernel() noexcept {
  return entry<EmbeddingBackwardArgs, embedding_backward<float>, embedding_backward<double>>;
}
// Slices of samples.
Entry sequence_lengths_kernel() noexcept {
  return entry<SequenceLengthsArgs, sequence_lengths, sequence_lengths>;
}

} // namespace gyaku::GYAKU_ISA_NAME
