// The sums over the processes of a job; the MPI library is that of mpi4py, by addresses.
#include "program/communicator.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <cstdint>
#include <limits>

namespace gyaku::bindings {

namespace {

Tensor range(Call& call, py::handle array) {
  const Tensor values = call.real_output(array, "array");
  call.require(values.size > 0 && values.size <= std::numeric_limits<int>::max(),
               "array must have between 1 and 2^31 - 1 elements");
  return values;
}

void start(Communicator& ranks, py::handle array) {
  Call call("all_reduce");
  const Tensor values = range(call, array);
  call.run(ranks.start(values.data, values.size, values.scalar()));
}

void finish(Communicator& ranks, py::handle array, py::handle before) {
  Call call("all_reduce_wait");
  const Tensor values = range(call, array), all = call.buffer(before, "before");
  call.run(ranks.finish(values.data, values.size, values.scalar(), all.read()));
}

} // namespace

void register_communicator(py::module_& module) {
  using Word = std::uintptr_t;
  py::class_<Communicator>(module, "Communicator")
      .def(py::init([](Word all_reduce, Word test, Word in_place, Word sum, Word float32,
                       Word float64, Word communicator) {
             return std::make_unique<Communicator>(
                 MessageLibrary{all_reduce, test, in_place, sum, float32, float64, communicator});
           }),
           py::kw_only(), py::arg("all_reduce"), py::arg("test"), py::arg("in_place"),
           py::arg("sum"), py::arg("float32"), py::arg("float64"), py::arg("communicator"))
      .def("start", &start, py::arg("array"))
      .def("finish", &finish, py::arg("array"), py::arg("before"))
      .def_property_readonly("error", &Communicator::error);
}

} // namespace gyaku::bindings
