// Arguments of the gather of batches, and of its counters.
#pragma once

#include <cstdint>

namespace gyaku {

// The dtype of the rows of a batch before the gather.
enum class Source : std::int32_t { uint8, float32, float64, int32, int64 };

struct GatherArgs { // out[i] = source[order[cursor[0] + i]] * scale
  const void* source;
  const std::int64_t* order;
  const std::int64_t* cursor;
  void* out;
  std::int64_t rows, columns;        // of out
  std::int64_t source_columns;       // those behind `columns`, padded steps, are left out
  std::int64_t source_rows, indices; // bounds: an index outside them yields a row of zeros
  double scale;
  Source type;
};

struct GatherImagesArgs { // each image mirrored and shifted by its number, seed and epoch
  const std::int64_t* epoch;
  const std::int64_t* numbers; // of the rows of the source, or null: the rows themselves
  GatherArgs rows;
  std::int64_t height, width, channels;
  std::uint64_t seed;
  std::int32_t shift; // maximum in pixels in each direction, less than the size of the image
  bool flip;
};

struct KeepRowsArgs { // kept[cursor[0] + i] begins with rows[i], if there is such a row
  const void* rows;
  void* kept;
  const std::int64_t* cursor;
  std::int64_t count, capacity;           // rows
  std::int64_t row_bytes, kept_row_bytes; // the latter are as many or more
};

struct RescaleArgs { // y = x * scale + offset; a slice counts units of `unit` elements
  const void* x;
  void* y;
  std::int64_t size, unit;
  double scale, offset;
};

struct AdvanceArgs {
  std::int64_t* counter;
  std::int64_t amount;
};

struct AccumulateArgs { // totals[slot[0]] += weight * value[0] * count[0], if the slot exists
  const double* value;
  double* totals;
  const std::int64_t* slot;
  const double* count; // null for 1
  std::int64_t slots;
  double weight;
};

} // namespace gyaku
