// NumPy arrays as operands of tasks: checks of every binding, and memory for results.
//
// A binding uses its arguments in place or throws; conversions, and the sentences of errors, are in
// gyaku.ops. A check that passes costs nothing more.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "kernels/args/precision.h"
#include "kernels/table.h"
#include "program/program.h"

namespace gyaku::bindings {

namespace py = pybind11;

using Shape = std::span<const py::ssize_t>;

// Throws ValueError unless `holds`.
void require(bool holds, const char* operation, const char* message);
void require(bool holds, const char* operation, const std::string& message);

// A C-contiguous, aligned array in native byte order: a view, whose array is held by the caller.
struct Tensor {
  void* data = nullptr;
  Shape shape;
  std::int64_t size = 0;
  std::int64_t item_bytes = 0;
  char kind = 'f'; // as in NumPy: f, i, u

  std::int64_t bytes() const { return size * item_bytes; }
  std::int64_t rows() const { return shape.empty() ? 1 : shape.front(); }
  std::int64_t columns() const { return rows() == 0 ? 0 : size / rows(); }
  bool is_float() const { return kind == 'f' && (item_bytes == 4 || item_bytes == 8); }
  bool is_int64() const { return kind == 'i' && item_bytes == 8; }
  Scalar scalar() const { return item_bytes == 4 ? Scalar::float32 : Scalar::float64; }
  bool same_type(const Tensor& other) const {
    return kind == other.kind && item_bytes == other.item_bytes;
  }
  bool same_shape(const Tensor& other) const;
  bool like(const Tensor& other) const { return same_type(other) && same_shape(other); }

  Operand read(bool by_slice = false) const { return {data, bytes(), Access::read, by_slice}; }
  Operand write(bool by_slice = false) const { return {data, bytes(), Access::write, by_slice}; }
  Operand update(bool by_slice = false) const { return {data, bytes(), Access::update, by_slice}; }
};

// A matrix of contiguous rows with a row stride of `leading` elements. For a transposed view it is
// the matrix that was transposed.
struct Matrix {
  void* data = nullptr;
  std::int64_t rows = 0, columns = 0, leading = 0;
  std::int64_t item_bytes = 0;
  bool transposed = false;

  Scalar scalar() const { return item_bytes == 4 ? Scalar::float32 : Scalar::float64; }
  // From the first element to the last, gaps between rows included.
  std::int64_t bytes() const {
    return rows == 0 || columns == 0 ? 0 : ((rows - 1) * leading + columns) * item_bytes;
  }
  // Rows are equal slices of the memory only without gaps between them.
  bool is_dense() const { return leading == columns; }
  Operand read(bool by_row = false) const {
    return {data, bytes(), Access::read, by_row && is_dense()};
  }
  Operand write(bool by_row = false) const {
    return {data, bytes(), Access::write, by_row && is_dense()};
  }
};

// The arrays of one call: checks them one by one and keeps them alive for a program.
class Call {
public:
  explicit Call(const char* operation)
      : operation_(operation), is_recorded_(Program::recording() != nullptr) {}

  // Inputs, which may be converted copies: exactly ndarrays, since the elements of a subclass may
  // have another meaning.
  Tensor input(py::handle array, const char* name);
  Tensor real_input(py::handle array, const char* name); // float32 or float64
  Matrix real_matrix(py::handle array, const char* name);
  // Arrays used in place, subclasses included.
  Tensor buffer(py::handle array, const char* name);
  Tensor output(py::handle array, const char* name);
  Tensor real_output(py::handle array, const char* name);
  Matrix real_matrix_output(py::handle array, const char* name);
  // Counters and sums: `count` elements, or any length if that is negative.
  std::span<std::int64_t> int64_buffer(py::handle array, const char* name, std::int64_t count,
                                       bool writes);
  std::span<double> float64_buffer(py::handle array, const char* name, std::int64_t count,
                                   bool writes);

  // An operand of a product: itself, or a copy that is rounded where products are in bfloat16. To
  // be asked for once all arguments are valid.
  Tensor operand(const Tensor& x);
  Matrix operand(const Matrix& x);
  // An operand as words of two numbers in bfloat16: neighbours, or an element of two rows. Their
  // `size` counts words.
  Tensor pairs_of_elements(const Tensor& x, bool by_sample);
  Tensor pairs_of_rows(const Tensor& x, std::int64_t rows);

  // The array of a result: `out`, or a new one for None.
  py::object result(py::handle out, Shape shape, Scalar scalar) const;
  py::object result(Shape shape, Scalar scalar) const { return result(py::none(), shape, scalar); }
  py::object number() const; // a new float64 array of one element

  void require(bool holds, const char* message) const {
    if (!holds) bindings::require(false, operation_, message);
  }
  // Runs the tasks; if this thread records, records them with the arrays they point to.
  void run(std::span<Task> tasks, Block scratch = nullptr, std::int64_t scratch_bytes = 0);
  void run(Task task);

private:
  void require_of(bool holds, const char* name, const char* what) const;
  Tensor tensor(py::handle array, const char* name);
  Matrix matrix(py::handle array, const char* name);
  void hold(py::handle array);
  void* rounded(const Operand& x, RoundArgs args, std::int64_t rows, Scalar scalar);

  Tensor room_for_words(const Tensor& x, std::int64_t words);

  const char* operation_;
  bool is_recorded_;
  std::vector<py::array> rounded_; // copies of operands
  std::vector<py::array> arrays_;  // while recording; otherwise the caller holds them
};

// Called once, before any array is made.
void prepare_memory();

// A new array that starts on a cache line; throws ValueError or MemoryError for the operation.
py::array empty(const char* operation, Shape shape, const py::dtype& dtype, bool zeroed = false);

// The smallest batch with one slice for each sample: tasks over the same samples need no barrier
// between them.
constexpr std::int64_t enough_samples = 8;

constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// The partition of the rows of all samples into slices.
struct Cut {
  std::int64_t unit;   // rows
  std::int64_t extent; // units
  bool by_sample;
};
inline Cut cut_samples(std::int64_t samples, std::int64_t rows) {
  if (samples >= enough_samples && rows > 0) return {rows, samples, true};
  return {1, samples * rows, false};
}

// Whether no element of a real array is NaN or infinite.
bool is_finite(const Tensor& x);
bool fits_float32(const Tensor& x); // whether all elements are finite as float32

// Keeps an array alive as long as the program that this thread records, if any.
void keep_alive(const py::array& array);

} // namespace gyaku::bindings
