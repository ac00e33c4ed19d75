// The sums over the processes of a job: by the MPI library of mpi4py, whose functions are given by
// address, or in memory that the processes of a machine have in common.
#include "program/communicator.h"
#include "bindings/arrays.h"
#include "bindings/register.h"
#include "program/local_ranks.h"
#include "runtime/arena.h"
#include "runtime/shared_pages.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

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

// Shared pages, and the arrays on them, which must not be freed before.
class Shared {
public:
  explicit Shared(int file) : pages_(file) {}
  void place(const py::array& array, std::size_t offset, bool keeps) {
    const auto block = large_block(array.data());
    require(!block.empty(), "place", "array must be in a large block");
    arrays_.push_back(array);
    pages_.place(block, offset, keeps);
  }

private:
  std::vector<py::array> arrays_;
  SharedPages pages_; // destroyed first
};

std::pair<std::int64_t, std::int64_t> block_of(const py::array& array) {
  const auto* const data = static_cast<const std::byte*>(array.data());
  const auto block = large_block(data);
  if (block.empty()) return {0, 0};
  return {data - block.data(), static_cast<std::int64_t>(block.size())};
}

std::unique_ptr<LocalRanks> local_ranks(py::handle array, int rank) {
  Call call("LocalRanks");
  const Tensor counters = call.output(array, "counters");
  constexpr std::int64_t own = sizeof(Meetings);
  call.require(reinterpret_cast<std::uintptr_t>(counters.data) % own == 0, "counters are aligned");
  call.require(counters.bytes() % own == 0 && rank >= 0 && rank < counters.bytes() / own,
               "counters must have a cache line for each rank");
  return std::make_unique<LocalRanks>(static_cast<Meetings*>(counters.data), rank,
                                      static_cast<int>(counters.bytes() / own));
}

void meet(LocalRanks& ranks, const std::vector<py::handle>& arrays) {
  Call call("meet");
  std::vector<Operand> memory;
  for (const py::handle array : arrays) memory.push_back(call.output(array, "array").update());
  call.run(ranks.meet(std::move(memory)));
}

void sum(LocalRanks& ranks, py::handle array, const std::vector<py::handle>& others) {
  Call call("sum");
  const Tensor own = call.real_output(array, "own");
  std::vector<const void*> all;
  for (const py::handle other : others) {
    const Tensor values = call.buffer(other, "others");
    call.require(values.like(own), "others must be like own");
    all.push_back(values.data);
  }
  call.require(!all.empty(), "there must be others");
  call.run(ranks.sum(own.data, std::move(all), own.size, own.scalar()));
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
  py::class_<Shared>(module, "SharedPages")
      .def(py::init<int>(), py::arg("file"))
      .def("place", &Shared::place, py::arg("array"), py::arg("offset"), py::arg("keeps"));
  module.def("block_of", &block_of, py::arg("array"));
  py::class_<LocalRanks>(module, "LocalRanks")
      .def(py::init(&local_ranks), py::arg("counters"), py::arg("rank"), py::keep_alive<1, 2>())
      .def("meet", &meet, py::arg("arrays"))
      .def("sum", &sum, py::arg("own"), py::arg("all"));
}

} // namespace gyaku::bindings
