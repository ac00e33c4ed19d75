// Positions of windows on images, as given by Python.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>

#include <pybind11/pybind11.h>

namespace gyaku::bindings {

// One axis, in the order of the fields of gyaku's own Axis: size, taps, stride, dilation, before,
// after, windows.
using Axis = std::array<std::int64_t, 7>;

} // namespace gyaku::bindings

// From a tuple directly: the sequence protocol of named tuples takes longer than a small kernel.
template <> struct pybind11::detail::type_caster<gyaku::bindings::Axis> {
  PYBIND11_TYPE_CASTER(gyaku::bindings::Axis, const_name("collections.abc.Sequence[int]"));

  bool load(handle source, bool) {
    const auto items = reinterpret_steal<object>(PySequence_Fast(source.ptr(), ""));
    if (!items || PySequence_Fast_GET_SIZE(items.ptr()) != std::ssize(value)) {
      PyErr_Clear();
      return false;
    }
    PyObject* const* item = PySequence_Fast_ITEMS(items.ptr());
    for (std::int64_t& number : value) number = PyLong_AsLongLong(*item++);
    if (PyErr_Occurred() == nullptr) return true;
    PyErr_Clear();
    return false;
  }
};
