// Arguments of the recurrent cells.
#pragma once

#include <cstdint>

namespace gyaku {

// The equations are in gyaku.ops; reset_gru multiplies the state by the reset gate before the
// product with the weight of the candidate, gru the product.
enum class Cell : std::int32_t { tanh, relu, lstm, gru, reset_gru };

struct RecurrentShape {
  std::int64_t rows; // sequences
  std::int32_t steps, units;
  std::int32_t outputs; // elements of h: units, or columns of the projection
  std::int32_t room;    // elements of a row of the scratch memory
  std::int32_t operand; // elements of a row of left operands, where they are rounded
  std::int32_t state;   // where the state of a sequence begins in it, by rows
  std::int32_t step;    // by_units
  Cell cell;
  bool reverse;  // step s of a sequence is at the time length - 1 - s, else s
  bool by_units; // a slice counts panels of units instead of rows, of one step
  bool in_place; // u is not packed: columns of whole panels, of the only step
  bool rounds;   // the left operands of products to bfloat16
};

// h' = cell(x w + b + h u) step by step. A slice of rows runs through all steps.
//
// `packed` are the panels of u, u itself (in_place), or its columns for the first two gates
// (reset_gru);
// `second_packed` those of the projection (lstm), or of the remaining columns of u (reset_gru).
struct RecurrentArgs {
  const void* packed;
  const void* second_packed;
  const void* bias;            // of the product with u (gru), or null
  const void* peepholes;       // 3 x units for the gates i, f, o (lstm), or null
  const void* h0;              // rows x outputs
  const void* c0;              // rows x units (lstm)
  const std::int64_t* lengths; // rows, or null: all steps
  void* gates;                 // rows x steps x gates: x w + b; then the gates
  void* y;                     // rows x steps x outputs
  void* previous;              // the same: h before each step
  void* cells;                 // rows x steps x units: c after each step (lstm)
  void* inner;                 // the same: h u + bias for the candidate (gru), r h (reset_gru)
  void* h;                     // rows x outputs: the last state
  void* c;                     // rows x units (lstm)
  void* other_h;               // by_units: like h
  void* room;                  // rows x room
  void* left;                  // rows x operand
  RecurrentShape shape;
};

// The gradients, from the last step to the first. `packed` and `second_packed` are the panels of
// the transposed matrices.
struct RecurrentBackwardArgs {
  const void* packed;
  const void* second_packed;
  const void* peepholes;
  const void* c0;
  const std::int64_t* lengths;
  const void* gates;    // saved by the forward pass; tanh and relu: y
  const void* cells;    // saved by the forward pass (lstm)
  const void* inner;    // saved by the forward pass (gru, reset_gru)
  const void* previous; // saved by the forward pass (gru, reset_gru)
  const void* dy;       // rows x steps x outputs, or null: zeros
  const void* dhn;      // rows x outputs
  const void* dcn;      // rows x units (lstm)
  void* dgates;         // rows x steps x gates: with respect to x w + b
  void* dinner;         // rows x steps x units: with respect to inner (gru)
  void* hidden;         // projection, rows x steps x units: o tanh(c)
  void* dhidden;        // projection, rows x steps x outputs: with respect to y
  void* dh;             // rows x outputs: with respect to h0
  void* dc;             // rows x units: with respect to c0 (lstm)
  void* room;
  void* left;
  RecurrentShape shape;
};

// dpeepholes[k] = sum over rows and steps of dgate c, in the order of the rows; a slice counts
// units.
struct PeepholeArgs {
  const void* dgates;
  const void* cells;
  const void* c0;
  const std::int64_t* lengths;
  void* dpeepholes; // 3 x units
  RecurrentShape shape;
};

} // namespace gyaku
