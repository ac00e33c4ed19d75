// NumPy arrays on their way into tasks: what every binding checks, and memory for results.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include "kernels/table.h"
#include "program/program.h"

namespace gyaku::bindings {

namespace py = pybind11;

// The last line of defence behind gyaku.ops: throws ValueError unless `holds`.
void require(bool holds, const char* operation, const std::string& message);

// A C-contiguous, aligned array in native byte order.
struct Tensor {
  void* data = nullptr;
  std::vector<std::int64_t> shape;
  std::int64_t size = 0;
  std::int64_t item_bytes = 0;
  char kind = 'f'; // as NumPy says: f, i, u

  std::int64_t bytes() const { return size * item_bytes; }
  std::int64_t rows() const { return shape.empty() ? 1 : shape.front(); }
  std::int64_t columns() const { return rows() == 0 ? 0 : size / rows(); }
  bool is_float() const { return kind == 'f' && (item_bytes == 4 || item_bytes == 8); }
  Scalar scalar() const { return item_bytes == 4 ? Scalar::float32 : Scalar::float64; }
  bool same_type(const Tensor& other) const {
    return kind == other.kind && item_bytes == other.item_bytes;
  }

  Operand read(bool by_slice = false) const { return {data, bytes(), Access::read, by_slice}; }
  Operand write(bool by_slice = false) const { return {data, bytes(), Access::write, by_slice}; }
  Operand update(bool by_slice = false) const { return {data, bytes(), Access::update, by_slice}; }
};

// What one call needs of its arrays: checks them one by one and keeps them alive for a program.
class Call {
public:
  explicit Call(const char* operation) : operation_(operation) {}

  Tensor input(const py::array& array, const char* name);
  Tensor output(const py::array& array, const char* name);
  // float32 or float64
  Tensor real_input(const py::array& array, const char* name);
  Tensor real_output(const py::array& array, const char* name);
  // counters, labels and sums: `count` numbers, or any number if negative
  std::int64_t* int64_buffer(const py::array& array, const char* name, std::int64_t count,
                             bool writes);
  double* float64_buffer(const py::array& array, const char* name, std::int64_t count, bool writes);

  void require(bool holds, const std::string& message) const;
  // Runs the tasks, and records them with the arrays they point to if this thread records.
  void run(std::vector<Task> tasks, Block scratch = nullptr, std::int64_t scratch_bytes = 0);
  void run(Task task);

private:
  const char* operation_;
  std::vector<py::array> arrays_;
};

py::array empty(const std::vector<std::int64_t>& shape, const py::dtype& dtype, bool zeroed);

// Keeps an array as long as the program that this thread records, if any, points to it.
void keep_alive(const py::array& array);

} // namespace gyaku::bindings
