// The public function of an operation: a call goes straight to the native function, and only
// arguments that this one rejects reach Python.
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>

#include <structmember.h>

namespace gyaku::bindings {

namespace {

std::atomic<bool> native_is_chosen{true}; // or the equations in NumPy

constexpr Py_ssize_t most_arguments = 24;

// A callable object, like that of functools.lru_cache: Python's functions cannot be made in C.
struct Operation {
  PyObject_HEAD vectorcallfunc vectorcall;
  PyObject *attributes, *weak_references; // as of a function: __name__, __doc__, ...
  PyObject* native;                       // called with all arguments in order
  PyObject* careful;                      // called with the arguments as given
  PyObject* names;                        // of the arguments, a tuple
  PyObject* initial; // constants before the arguments, then their defaults; Ellipsis for none
  Py_ssize_t positional;
  bool careful_first;
};

Operation* as_operation(PyObject* self) { return reinterpret_cast<Operation*>(self); }

// The argument of this name; -1 if there is none.
Py_ssize_t index_of(PyObject* names, PyObject* name) {
  const Py_ssize_t count = PyTuple_GET_SIZE(names);
  for (Py_ssize_t i = 0; i < count; ++i)
    if (PyTuple_GET_ITEM(names, i) == name) return i; // nearly always: both are interned
  for (Py_ssize_t i = 0; i < count; ++i)
    if (PyUnicode_Compare(PyTuple_GET_ITEM(names, i), name) == 0) return i;
  return -1;
}

// The result of the native function; null, without an error, if the arguments are not its own.
PyObject* call_native(const Operation& operation, PyObject* const* arguments, Py_ssize_t given,
                      PyObject* keywords) {
  if (given > operation.positional) return nullptr;
  // The callee may use the place before the arguments.
  std::array<PyObject*, 1 + most_arguments> places;
  PyObject** const all = places.data() + 1;
  const Py_ssize_t count = PyTuple_GET_SIZE(operation.initial),
                   constants = count - PyTuple_GET_SIZE(operation.names);
  std::copy_n(reinterpret_cast<PyTupleObject*>(operation.initial)->ob_item, count, all);
  PyObject** const own = all + constants;
  std::copy_n(arguments, given, own);
  const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
  for (Py_ssize_t i = 0; i < named; ++i) {
    const Py_ssize_t place = index_of(operation.names, PyTuple_GET_ITEM(keywords, i));
    if (place < given) return nullptr; // unknown, or given twice
    own[place] = arguments[given + i];
  }
  if (std::find(own, all + count, Py_Ellipsis) != all + count) return nullptr;
  PyObject* const result = PyObject_Vectorcall(
      operation.native, all, static_cast<std::size_t>(count) | PY_VECTORCALL_ARGUMENTS_OFFSET,
      nullptr);
  // These two errors mean that an argument needs conversion, or a sentence about what is wrong.
  if (result == nullptr &&
      (PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError)))
    PyErr_Clear();
  return result;
}

PyObject* call_operation(PyObject* self, PyObject* const* arguments, std::size_t flags,
                         PyObject* keywords) {
  const Operation& operation = *as_operation(self);
  if (native_is_chosen.load(std::memory_order_relaxed) && !operation.careful_first) {
    PyObject* const result = call_native(operation, arguments, PyVectorcall_NARGS(flags), keywords);
    if (result != nullptr || PyErr_Occurred() != nullptr) return result;
  }
  return PyObject_Vectorcall(operation.careful, arguments, flags, keywords);
}

int visit_operation(PyObject* self, visitproc visit, void* arg) {
  const Operation& operation = *as_operation(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(operation.attributes);
  Py_VISIT(operation.native);
  Py_VISIT(operation.careful);
  Py_VISIT(operation.names);
  Py_VISIT(operation.initial);
  return 0;
}

int clear_operation(PyObject* self) {
  Operation& operation = *as_operation(self);
  Py_CLEAR(operation.attributes);
  Py_CLEAR(operation.native);
  Py_CLEAR(operation.careful);
  Py_CLEAR(operation.names);
  Py_CLEAR(operation.initial);
  return 0;
}

void free_operation(PyObject* self) {
  PyTypeObject* const type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (as_operation(self)->weak_references != nullptr) PyObject_ClearWeakRefs(self);
  clear_operation(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// As an attribute of a class, it is a method.
PyObject* bind_operation(PyObject* self, PyObject* owner, PyObject*) {
  if (owner == nullptr || owner == Py_None) return Py_NewRef(self);
  return PyMethod_New(self, owner);
}

PyObject* describe_operation(PyObject* self) {
  PyObject* const name = PyObject_GetAttrString(self, "__qualname__");
  if (name == nullptr) return nullptr;
  PyObject* const text = PyUnicode_FromFormat("<operation %U>", name);
  Py_DECREF(name);
  return text;
}

// Copied and pickled by name, like a function.
PyObject* reduce_operation(PyObject* self, PyObject*) {
  return PyObject_GetAttrString(self, "__qualname__");
}

PyMemberDef operation_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Operation, vectorcall), READONLY, nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(Operation, attributes), READONLY, nullptr},
    {"__weaklistoffset__", T_PYSSIZET, offsetof(Operation, weak_references), READONLY, nullptr},
    {}};
PyMethodDef operation_methods[] = {{"__reduce__", reduce_operation, METH_NOARGS, nullptr}, {}};
PyGetSetDef operation_attributes[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};
PyType_Slot operation_slots[] = {{Py_tp_call, reinterpret_cast<void*>(PyVectorcall_Call)},
                                 {Py_tp_traverse, reinterpret_cast<void*>(visit_operation)},
                                 {Py_tp_clear, reinterpret_cast<void*>(clear_operation)},
                                 {Py_tp_dealloc, reinterpret_cast<void*>(free_operation)},
                                 {Py_tp_descr_get, reinterpret_cast<void*>(bind_operation)},
                                 {Py_tp_repr, reinterpret_cast<void*>(describe_operation)},
                                 {Py_tp_members, operation_members},
                                 {Py_tp_methods, operation_methods},
                                 {Py_tp_getset, operation_attributes},
                                 {0, nullptr}};
PyType_Spec operation_spec = {"gyaku._core.Operation", sizeof(Operation), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL |
                                  Py_TPFLAGS_DISALLOW_INSTANTIATION,
                              operation_slots};

py::object make_operation(PyTypeObject* type, const py::object& native, const py::object& careful,
                          const py::tuple& names, const py::tuple& initial, py::ssize_t positional,
                          bool careful_first) {
  require(py::len(initial) >= py::len(names) && py::len(initial) <= most_arguments, "operation",
          "there must be an initial value for each argument, and 24 in all at most");
  auto made = py::reinterpret_steal<py::object>(type->tp_alloc(type, 0));
  if (!made) throw py::error_already_set();
  Operation& operation = *as_operation(made.ptr());
  operation.vectorcall = call_operation;
  operation.native = native.inc_ref().ptr();
  operation.careful = careful.inc_ref().ptr();
  operation.names = names.inc_ref().ptr();
  operation.initial = initial.inc_ref().ptr();
  operation.positional = positional;
  operation.careful_first = careful_first;
  return made;
}

} // namespace

void register_operation(py::module_& module) {
  const auto type = py::reinterpret_steal<py::object>(PyType_FromSpec(&operation_spec));
  if (!type) throw py::error_already_set();
  module.def(
      "operation",
      [type](const py::object& native, const py::object& careful, const py::tuple& names,
             const py::tuple& initial, py::ssize_t positional, bool careful_first) {
        return make_operation(reinterpret_cast<PyTypeObject*>(type.ptr()), native, careful, names,
                              initial, positional, careful_first);
      },
      py::arg("native"), py::arg("careful"), py::arg("names"), py::arg("initial"),
      py::arg("positional"), py::arg("careful_first"));
  module.def("is_native", [] { return native_is_chosen.load(std::memory_order_relaxed); });
  module.def(
      "set_native", [](bool native) { native_is_chosen.store(native, std::memory_order_relaxed); },
      py::arg("native"));
}

} // namespace gyaku::bindings
