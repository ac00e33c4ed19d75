// Arguments of embeddings, and of the lengths of padded sequences of ids.
#pragma once

#include <cstdint>

namespace gyaku {

enum class IdType : std::int32_t { int32, int64 };

struct EmbeddingArgs { // y[i] = table[ids[i]]; an id outside the table gives a row of NaN
  const void* ids;
  const void* table; // vocabulary x columns
  void* y;           // count x columns
  std::int64_t count, columns, vocabulary;
  std::int64_t unit; // ids
  IdType type;
};

struct EmbeddingBackwardArgs { // dtable[k] = sum of dy[i] over ids[i] = k, in the order of i
  const void* ids;
  const void* dy; // count x columns
  void* dtable;   // vocabulary x columns
  std::int64_t count, columns;
  std::int64_t padding; // an id whose row gets no gradient; -1 for none
  IdType type;
};

struct SequenceLengthsArgs { // lengths[n] = 1 + the last step with an id other than 0, or 0
  const void* ids;           // samples x steps x width
  std::int64_t* lengths;
  std::int64_t steps, width;
  IdType type;
};

} // namespace gyaku
