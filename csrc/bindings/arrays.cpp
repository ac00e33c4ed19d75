#include "bindings/arrays.h"

#include <cstring>
#include <optional>
#include <utility>

namespace gyaku::bindings {

namespace {

std::string describe(const py::array& array) {
  return py::str(array.dtype()).cast<std::string>() + " array of shape " +
         py::str(array.attr("shape")).cast<std::string>();
}

// Below this, giving up the GIL costs more than it lets others do.
constexpr double long_enough_to_release = 5e5; // FLOPs or bytes

} // namespace

void require(bool holds, const char* operation, const std::string& message) {
  if (!holds) throw py::value_error(std::string(operation) + ": " + message);
}

void Call::require(bool holds, const std::string& message) const {
  bindings::require(holds, operation_, message);
}

Tensor Call::input(const py::array& array, const char* name) {
  const int flags = array.flags();
  const bool plain = (flags & py::array::c_style) != 0 &&
                     (flags & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0 &&
                     array.dtype().byteorder() != '>';
  require(plain, std::string(name) +
                     " must be a C-contiguous, aligned array in native byte order, "
                     "got " +
                     describe(array));
  Tensor tensor;
  tensor.data = const_cast<void*>(array.data());
  tensor.shape.assign(array.shape(), array.shape() + array.ndim());
  tensor.size = array.size();
  tensor.item_bytes = array.itemsize();
  tensor.kind = array.dtype().kind();
  arrays_.push_back(array);
  return tensor;
}

Tensor Call::output(const py::array& array, const char* name) {
  require(array.writeable(), std::string(name) + " is read-only");
  return input(array, name);
}

Tensor Call::real_input(const py::array& array, const char* name) {
  Tensor tensor = input(array, name);
  require(tensor.is_float(),
          std::string(name) + " must be float32 or float64, got " + describe(array));
  return tensor;
}

Tensor Call::real_output(const py::array& array, const char* name) {
  require(array.writeable(), std::string(name) + " is read-only");
  return real_input(array, name);
}

std::int64_t* Call::int64_buffer(const py::array& array, const char* name, std::int64_t count,
                                 bool writes) {
  const Tensor tensor = writes ? output(array, name) : input(array, name);
  require(tensor.kind == 'i' && tensor.item_bytes == 8 && (count < 0 || tensor.size == count),
          std::string(name) + " must be int64" +
              (count < 0 ? "" : " of " + std::to_string(count) + " numbers") + ", got " +
              describe(array));
  return static_cast<std::int64_t*>(tensor.data);
}

double* Call::float64_buffer(const py::array& array, const char* name, std::int64_t count,
                             bool writes) {
  const Tensor tensor = writes ? output(array, name) : input(array, name);
  require(tensor.kind == 'f' && tensor.item_bytes == 8 && (count < 0 || tensor.size == count),
          std::string(name) + " must be float64" +
              (count < 0 ? "" : " of " + std::to_string(count) + " numbers") + ", got " +
              describe(array));
  return static_cast<double*>(tensor.data);
}

void Call::run(std::vector<Task> tasks, Block scratch, std::int64_t scratch_bytes) {
  for (const py::array& array : arrays_) keep_alive(array);
  double work = 0;
  for (const Task& task : tasks) work += task.flops + task.bytes();
  std::optional<py::gil_scoped_release> release;
  if (work > long_enough_to_release) release.emplace();
  submit(tasks, std::move(scratch), scratch_bytes);
}

void Call::run(Task task) {
  std::vector<Task> tasks;
  tasks.push_back(std::move(task));
  run(std::move(tasks));
}

py::array empty(const std::vector<std::int64_t>& shape, const py::dtype& dtype, bool zeroed) {
  require(!dtype.attr("hasobject").cast<bool>(), "empty",
          "there is no memory for Python objects here");
  std::int64_t bytes = dtype.itemsize();
  for (const std::int64_t length : shape) {
    const auto product = length < 0 ? std::nullopt : checked_product(bytes, length);
    require(product.has_value(), "empty",
            "an array of shape " + py::str(py::cast(shape)).cast<std::string>() +
                " has no size in 64 bits");
    bytes = *product;
  }
  Block block = allocate(bytes);
  if (zeroed) std::memset(block.get(), 0, static_cast<std::size_t>(bytes));
  std::byte* memory = block.release();
  const py::capsule owner(memory,
                          [](void* pointer) { Release()(static_cast<std::byte*>(pointer)); });
  py::array array(dtype, shape, memory, owner);
  if (Program* program = Program::recording(); program != nullptr && !zeroed) {
    program->add_temporary(memory, bytes);
    keep_alive(array); // or what is allocated next might lie there, and pass for a temporary
  }
  return array;
}

} // namespace gyaku::bindings
