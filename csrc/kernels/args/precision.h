// Arguments of the rounding of operands.
#pragma once

#include <cstdint>

namespace gyaku {

// y = x, rounded to bfloat16 in its own dtype. Rows of x are `stride` apart, those of y contiguous;
// the last one ends at `size` elements of y.
struct RoundArgs {
  const void* x;
  void* y;
  std::int64_t size, columns, stride;
};

// What the packing of a product that may skip zeros leaves behind the panels. Of A: for each half
// of a panel the number of steps along k (words) that are not zero in all of its columns, then
// these steps, in `list_length` uint16. Of B: for each panel, whether it is finite, in uint16.
enum class PairMarks : std::int64_t { none, steps, finite }; // 64 bits: no padding in PairArgs
constexpr std::int64_t list_length(std::int64_t pairs) { return pairs + 2; }

// A matrix of k rows and n columns, rounded to bfloat16: panels of `width` columns, in which each
// word holds rows 2 p and 2 p + 1 of a column, the even one in its lower half; zeros behind k and
// n. Element (p, j) is x[p * step + j * stride]; one of the two is 1.
struct PairArgs {
  const void* x;
  void* packed;
  void* sums;     // of the rounded columns, or null: panels of whole vectors
  double* totals; // see SumRowsArgs
  std::int64_t k, n, step, stride, width;
  PairMarks marks = PairMarks::none;
};

// Words of neighbours in rows of an even number of elements; `size` elements in all.
struct PairElementsArgs {
  const void* x;
  void* words;
  std::int64_t size, columns;
};

// Words of an element in rows 2 p and 2 p + 1, the even one in the lower half; zero behind the last
// row.
struct PairRowsArgs {
  const void* x;
  void* words;
  std::int64_t rows, columns;
};

// The panels of the transposed A in a product: tiles of equal height, at most `most`.
struct PairsOfA {
  std::int64_t tiles, height;
  constexpr PairsOfA(std::int64_t rows, std::int64_t most)
      : tiles((rows + most - 1) / most), height((rows + tiles - 1) / tiles) {
    tiles = (rows + height - 1) / height;
  }
};

} // namespace gyaku
