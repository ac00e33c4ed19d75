#include "bindings/arrays.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <new>
#include <optional>
#include <type_traits>
#include <utility>

#include "bindings/gil.h"
#include "bindings/precision.h"
#include "bindings/signals.h"

namespace gyaku::bindings {

namespace {

// Below this, releasing the GIL costs more than it gains.
constexpr double long_enough_to_release = 5e5; // weight or bytes

std::string described(Shape shape, const py::dtype& dtype) {
  py::tuple lengths(shape.size());
  for (std::size_t i = 0; i < shape.size(); ++i) lengths[i] = shape[i];
  return "an array of shape " + py::str(lengths).cast<std::string>() + " and dtype " +
         py::str(dtype).cast<std::string>();
}

bool is_writeable(py::handle array) { return py::reinterpret_borrow<py::array>(array).writeable(); }
bool is_readable(const py::array& array) {
  return (array.flags() & py::detail::npy_api::NPY_ARRAY_ALIGNED_) != 0 &&
         array.dtype().byteorder() != '>';
}

bool is_exactly_array(py::handle object) {
  return Py_TYPE(object.ptr()) == py::detail::npy_api::get().PyArray_Type_;
}

// Subclasses included, but for masked arrays, whose values are not all valid.
bool is_array(py::handle object) {
  if (is_exactly_array(object)) return true;
  if (!py::isinstance<py::array>(object)) return false;
  const py::dict modules = py::module_::import("sys").attr("modules");
  return !modules.contains("numpy.ma") || // no masked array exists before somebody imported it
         !py::isinstance(object, modules["numpy.ma"].attr("MaskedArray"));
}

// The memory of a small array is in the object that owns it: one allocation, at a third of the
// price of a block and a capsule.
struct SmallMemory {
  PyObject_HEAD std::byte bytes[alignment]; // and more; the array begins at the first cache line
};
constexpr std::int64_t small = 64 * 1024;
PyTypeObject* small_memory = nullptr; // set once, by `prepare_memory`

void free_small_memory(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyType_Slot small_memory_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(free_small_memory)},
                                    {0, nullptr}};
PyType_Spec small_memory_spec = {"gyaku._core.SmallMemory", sizeof(SmallMemory), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                                 small_memory_slots};

struct OwnedMemory {
  std::byte* data;
  py::object owner;
};

OwnedMemory own_small_memory(std::int64_t bytes) {
  const auto lines = static_cast<std::size_t>((bytes + 63) / 64 * 64);
  void* const memory = PyObject_Malloc(sizeof(SmallMemory) + lines);
  if (memory == nullptr) throw std::bad_alloc();
  PyObject* const owner = PyObject_Init(static_cast<PyObject*>(memory), small_memory);
  const auto begin = reinterpret_cast<std::uintptr_t>(reinterpret_cast<SmallMemory*>(owner)->bytes);
  return {reinterpret_cast<std::byte*>((begin + alignment - 1) / alignment * alignment),
          py::reinterpret_steal<py::object>(owner)};
}

OwnedMemory own_memory(std::int64_t bytes) {
  if (bytes <= small) return own_small_memory(bytes);
  std::byte* const memory = allocate(bytes).release();
  return {memory,
          py::capsule(memory, [](void* pointer) { Release()(static_cast<std::byte*>(pointer)); })};
}

// An array in memory that `owner` keeps. (That of pybind11 computes strides in vectors.)
py::array array_in(const OwnedMemory& memory, Shape shape, const py::dtype& dtype) {
  using Api = py::detail::npy_api;
  const Api& numpy = Api::get();
  constexpr int flags =
      Api::NPY_ARRAY_C_CONTIGUOUS_ | Api::NPY_ARRAY_ALIGNED_ | Api::NPY_ARRAY_WRITEABLE_;
  auto array = py::reinterpret_steal<py::array>(numpy.PyArray_NewFromDescr_(
      numpy.PyArray_Type_, dtype.inc_ref().ptr(), static_cast<int>(shape.size()), shape.data(),
      nullptr, memory.data, flags, nullptr));
  if (!array) throw py::error_already_set();
  numpy.PyArray_SetBaseObject_(array.ptr(), memory.owner.inc_ref().ptr());
  return array;
}

// The row stride of a matrix in elements; none if its rows are not contiguous.
std::optional<std::int64_t> leading_dimension(py::ssize_t rows, py::ssize_t columns,
                                              py::ssize_t row_stride, py::ssize_t column_stride,
                                              py::ssize_t item) {
  if (rows == 0 || columns == 0) return columns;
  if (columns > 1 && column_stride != item) return std::nullopt;
  if (rows == 1) return columns;
  if (row_stride < columns * item || row_stride % item != 0) return std::nullopt;
  return row_stride / item;
}

// Whether an exponent is that of NaN and infinity. Blocks of fixed length are vectorised.
template <class Bits> bool all_finite(const std::byte* x, std::int64_t size, Bits exponent) {
  constexpr std::int64_t block = 32;
  const auto any_infinite = [=](const std::byte* from, auto count) {
    std::array<Bits, block> bits{};
    std::memcpy(bits.data(), from, static_cast<std::size_t>(count) * sizeof(Bits));
    Bits found = 0;
    for (const Bits each : bits) found |= static_cast<Bits>((each & exponent) == exponent);
    return found != 0;
  };
  const std::byte* const whole = x + size / block * block * sizeof(Bits);
  for (; x < whole; x += block * sizeof(Bits))
    if (any_infinite(x, std::integral_constant<std::int64_t, block>{})) return false;
  return !any_infinite(x, size % block);
}

// Whether doubles are finite as floats as well: below the midpoint of the largest float and 2^128.
bool all_fit_float(const std::byte* x, std::int64_t size) {
  constexpr double limit = 0x1.ffffffp127;
  constexpr std::int64_t block = 32;
  const auto any_beyond = [=](const std::byte* from, auto count) {
    std::array<double, block> values{};
    std::memcpy(values.data(), from, static_cast<std::size_t>(count) * sizeof(double));
    std::int64_t found = 0;
    for (const double each : values) found |= !(std::abs(each) < limit); // NaN is not below
    return found != 0;
  };
  const std::byte* const whole = x + size / block * block * sizeof(double);
  for (; x < whole; x += block * sizeof(double))
    if (any_beyond(x, std::integral_constant<std::int64_t, block>{})) return false;
  return !any_beyond(x, size % block);
}

} // namespace

bool fits_float32(const Tensor& x) {
  if (x.item_bytes == 4) return is_finite(x);
  const ReleasedGil released(static_cast<double>(x.bytes()) > long_enough_to_release);
  return all_fit_float(static_cast<const std::byte*>(x.data), x.size);
}

bool is_finite(const Tensor& x) {
  const auto* data = static_cast<const std::byte*>(x.data);
  const ReleasedGil released(static_cast<double>(x.bytes()) > long_enough_to_release);
  return x.item_bytes == 4 ? all_finite(data, x.size, std::uint32_t{0x7f800000})
                           : all_finite(data, x.size, std::uint64_t{0x7ff0000000000000});
}

void require(bool holds, const char* operation, const char* message) {
  if (!holds) throw py::value_error(std::string(operation) + ": " + message);
}

void require(bool holds, const char* operation, const std::string& message) {
  require(holds, operation, message.c_str());
}

bool Tensor::same_shape(const Tensor& other) const {
  return std::equal(shape.begin(), shape.end(), other.shape.begin(), other.shape.end());
}

void Call::require_of(bool holds, const char* name, const char* what) const {
  if (!holds) bindings::require(false, operation_, std::string(name) + " must be " + what);
}

void Call::hold(py::handle array) {
  if (is_recorded_) arrays_.push_back(py::reinterpret_borrow<py::array>(array));
}

Tensor Call::tensor(py::handle object, const char* name) {
  const auto array = py::reinterpret_borrow<py::array>(object);
  const py::dtype dtype = array.dtype();
  require_of((array.flags() & py::array::c_style) != 0 && is_readable(array), name,
             "C-contiguous, aligned and in native byte order");
  hold(array);
  Tensor tensor;
  tensor.data = const_cast<void*>(array.data());
  tensor.shape = {array.shape(), static_cast<std::size_t>(array.ndim())};
  tensor.size = array.size();
  tensor.item_bytes = dtype.itemsize();
  tensor.kind = dtype.kind();
  return tensor;
}

Tensor Call::input(py::handle object, const char* name) {
  require_of(is_exactly_array(object), name, "an ndarray");
  return tensor(object, name);
}

Tensor Call::buffer(py::handle object, const char* name) {
  require_of(is_array(object), name, "an array without a mask");
  return tensor(object, name);
}

Tensor Call::output(py::handle object, const char* name) {
  const Tensor found = buffer(object, name);
  require_of(is_writeable(object), name, "writeable");
  return found;
}

Tensor Call::real_input(py::handle object, const char* name) {
  const Tensor found = input(object, name);
  require_of(found.is_float(), name, "float32 or float64");
  return found;
}

Tensor Call::real_output(py::handle object, const char* name) {
  const Tensor found = output(object, name);
  require_of(found.is_float(), name, "float32 or float64");
  return found;
}

Matrix Call::matrix(py::handle object, const char* name) {
  const auto array = py::reinterpret_borrow<py::array>(object);
  const py::dtype dtype = array.dtype();
  const py::ssize_t item = dtype.itemsize();
  require_of(array.ndim() == 2 && is_readable(array) && dtype.kind() == 'f' &&
                 (item == 4 || item == 8),
             name, "an aligned matrix of float32 or float64");
  const py::ssize_t *shape = array.shape(), *strides = array.strides();
  auto leading = leading_dimension(shape[0], shape[1], strides[0], strides[1], item);
  const bool transposed = !leading && shape[0] > 1; // a single row is faster to copy
  if (transposed) leading = leading_dimension(shape[1], shape[0], strides[1], strides[0], item);
  require_of(leading.has_value(), name, "a matrix of contiguous rows or the transpose of one");
  hold(array);
  return {const_cast<void*>(array.data()),
          shape[transposed ? 1 : 0],
          shape[transposed ? 0 : 1],
          *leading,
          item,
          transposed};
}

Matrix Call::real_matrix(py::handle object, const char* name) {
  require_of(is_exactly_array(object), name, "an ndarray");
  return matrix(object, name);
}

Matrix Call::real_matrix_output(py::handle object, const char* name) {
  require_of(is_array(object), name, "an array without a mask");
  const Matrix found = matrix(object, name);
  require_of(!found.transposed && is_writeable(object), name, "writeable, with contiguous rows");
  return found;
}

std::span<std::int64_t> Call::int64_buffer(py::handle object, const char* name, std::int64_t count,
                                           bool writes) {
  const Tensor found = writes ? output(object, name) : buffer(object, name);
  require_of(found.is_int64() && found.shape.size() == 1 && (count < 0 || found.size == count),
             name, "a row of int64 of the right length");
  return {static_cast<std::int64_t*>(found.data), static_cast<std::size_t>(found.size)};
}

std::span<double> Call::float64_buffer(py::handle object, const char* name, std::int64_t count,
                                       bool writes) {
  const Tensor found = writes ? output(object, name) : buffer(object, name);
  require_of(found.kind == 'f' && found.item_bytes == 8 && found.shape.size() == 1 &&
                 (count < 0 || found.size == count),
             name, "a row of float64 of the right length");
  return {static_cast<double*>(found.data), static_cast<std::size_t>(found.size)};
}

py::object Call::result(py::handle out, Shape shape, Scalar scalar) const {
  if (!out.is_none()) return py::reinterpret_borrow<py::object>(out);
  return empty(operation_, shape,
               scalar == Scalar::float32 ? py::dtype::of<float>() : py::dtype::of<double>());
}

// `args` without pointers; x is read by rows if it is dense.
void* Call::rounded(const Operand& x, RoundArgs args, std::int64_t rows, Scalar scalar) {
  const std::array<py::ssize_t, 1> shape{args.size};
  rounded_.push_back(
      empty(operation_, shape,
            scalar == Scalar::float32 ? py::dtype::of<float>() : py::dtype::of<double>()));
  void* const copy = rounded_.back().mutable_data();
  args.x = x.memory;
  args.y = copy;
  const Operand y{copy, rounded_.back().nbytes(), Access::write, rows * args.columns == args.size};
  Task task = make_task("round to bfloat16", KernelId::round_rows, scalar, args, rows, 1,
                        Work{0, 1} * static_cast<double>(args.size), {x, y});
  run(std::move(task));
  return copy;
}

// Words of two numbers of bfloat16; the shape is that of x.
Tensor Call::pairs_of_elements(const Tensor& x, bool by_sample) {
  constexpr std::int64_t piece = 1024;
  const std::int64_t columns = by_sample ? x.columns() : piece;
  Tensor words = room_for_words(x, x.size / 2);
  const PairElementsArgs args{x.data, words.data, x.size, columns};
  run(make_task("pair in bfloat16", KernelId::pair_elements, Scalar::float32, args,
                ceil_div(x.size, columns), 1, Work{0, 1} * static_cast<double>(x.size),
                {x.read(by_sample), words.write(by_sample)}));
  return words;
}
Tensor Call::pairs_of_rows(const Tensor& x, std::int64_t rows) {
  const std::int64_t columns = x.size / rows, pairs = ceil_div(rows, std::int64_t{2});
  Tensor words = room_for_words(x, pairs * columns);
  const PairRowsArgs args{x.data, words.data, rows, columns};
  run(make_task("pair in bfloat16", KernelId::pair_rows, Scalar::float32, args, pairs, 1,
                Work{0, 1} * static_cast<double>(x.size), {x.read(), words.write()}));
  return words;
}
Tensor Call::room_for_words(const Tensor& x, std::int64_t words) {
  const std::array<py::ssize_t, 1> shape{words};
  rounded_.push_back(empty(operation_, shape, py::dtype::of<float>()));
  Tensor found = x;
  found.data = rounded_.back().mutable_data();
  found.size = words;
  return found;
}

Tensor Call::operand(const Tensor& x) {
  if (precision() == Precision::float32 || x.size == 0) return x;
  constexpr std::int64_t piece = 1024;
  const bool by_sample = x.rows() >= enough_samples;
  const std::int64_t columns = by_sample ? x.columns() : piece;
  Tensor copy = x;
  copy.data = rounded(x.read(by_sample), {nullptr, nullptr, x.size, columns, columns},
                      ceil_div(x.size, columns), x.scalar());
  return copy;
}

Matrix Call::operand(const Matrix& x) {
  if (precision() == Precision::float32 || x.bytes() == 0) return x;
  Matrix copy = x;
  copy.leading = x.columns;
  copy.data = rounded(x.read(true), {nullptr, nullptr, x.rows * x.columns, x.columns, x.leading},
                      x.rows, x.scalar());
  return copy;
}

py::object Call::number() const {
  constexpr std::array<py::ssize_t, 1> one{1};
  return result(one, Scalar::float64);
}

void Call::run(std::span<Task> tasks, Block scratch, std::int64_t scratch_bytes) {
  for (const py::array& array : arrays_) keep_alive(array);
  double work = 0;
  for (const Task& task : tasks) work += task.work.weight + task.bytes();
  {
    const ReleasedGil released(work > long_enough_to_release);
    submit(tasks, std::move(scratch), scratch_bytes);
  }
  if (work > long_enough_to_release) settle_work();
}

void Call::run(Task task) { run({&task, 1}); }

void prepare_memory() {
  small_memory = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&small_memory_spec));
  if (small_memory == nullptr) throw py::error_already_set();
}

py::array empty(const char* operation, Shape shape, const py::dtype& dtype, bool zeroed) {
  constexpr std::uint64_t holds_references = 1; // NPY_ITEM_REFCOUNT
  require((dtype.flags() & holds_references) == 0, operation,
          "there is no memory for Python objects here");
  std::int64_t bytes = dtype.itemsize();
  for (const py::ssize_t length : shape) {
    const auto product = length < 0 ? std::nullopt : checked_product(bytes, length);
    if (!product) require(false, operation, described(shape, dtype) + " is beyond 2^63 bytes");
    bytes = *product;
  }
  OwnedMemory memory;
  try {
    memory = own_memory(bytes);
  } catch (const std::bad_alloc&) {
    py::set_error(
        PyExc_MemoryError,
        (std::string(operation) + ": there is no memory for " + described(shape, dtype)).c_str());
    throw py::error_already_set();
  }
  if (zeroed) std::memset(memory.data, 0, static_cast<std::size_t>(bytes));
  py::array array = array_in(memory, shape, dtype);
  if (Program* program = Program::recording(); program != nullptr && !zeroed) {
    program->add_temporary(memory.data, bytes);
    keep_alive(array); // else the next allocation might reuse its address, and pass for a temporary
  }
  return array;
}

} // namespace gyaku::bindings
