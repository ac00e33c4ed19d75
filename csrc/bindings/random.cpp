#include "kernels/args/random.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <array>
#include <cmath>

#include "runtime/philox.h"

namespace gyaku::bindings {

namespace {

constexpr Work work_per_element{2, 20};

py::object dropout(py::handle x_array, py::handle clock_array, double rate, std::uint64_t seed,
                   std::uint32_t stream) {
  Call call("dropout");
  const Tensor x = call.real_input(x_array, "x");
  const auto clock = call.int64_buffer(clock_array, "clock", 1, false);
  call.require(rate >= 0 && rate < 1, "rate must be at least 0 and below 1");
  // The last stream shuffles the samples; each has 2^32 blocks of 8 draws a step.
  call.require(stream < UINT32_MAX, "stream must be below 2^32 - 1");
  call.require(x.size <= std::int64_t{1} << 34, "x has more elements than one stream has draws");
  const py::object y_array = call.result(x.shape, x.scalar());
  const Tensor y = call.real_output(y_array, "y");
  DropoutArgs args{};
  args.x = x.data;
  args.clock = clock.data();
  args.y = y.data;
  args.size = x.size;
  // Groups of 128 elements share their random blocks: a slice that cuts one draws it twice.
  const bool by_rows = x.rows() >= 8 && x.columns() >= 32;
  args.unit = by_rows ? x.columns() : 128;
  args.seed = seed;
  args.stream = stream;
  args.threshold = static_cast<std::uint32_t>(std::floor(rate * 65536 + 0.5));
  args.scale = 1 / (1 - rate);
  const std::int64_t extent = (args.size + args.unit - 1) / args.unit;
  call.run(make_task("dropout", KernelId::dropout, x.scalar(), args, extent, 1,
                     work_per_element * static_cast<double>(x.size),
                     {x.read(by_rows), y.write(by_rows),
                      Operand{args.clock, sizeof(std::int64_t), Access::read}}));
  return y_array;
}

void permutation(py::handle order_array, std::int64_t n, std::uint64_t seed,
                 std::uint64_t first_epoch) {
  Call call("permutation");
  const auto order = call.int64_buffer(order_array, "order", -1, true);
  const auto size = static_cast<std::int64_t>(order.size());
  call.require(n > 0 && n < (std::int64_t{1} << 32) && size % n == 0,
               "order must hold whole permutations of n numbers");
  call.require(first_epoch <= INT64_MAX, "first_epoch must fit in 63 bits");
  for (std::int64_t k = 0; k < size / n; ++k)
    permute(order.data() + k * n, n, seed, first_epoch + static_cast<std::uint64_t>(k));
}

} // namespace

void register_random(py::module_& module) {
  module.def("dropout", &dropout, py::arg("x"), py::arg("clock"), py::arg("rate"), py::arg("seed"),
             py::arg("stream"));
  module.def("permutation", &permutation, py::arg("order"), py::arg("n"), py::arg("seed"),
             py::arg("first_epoch"));
  module.def(
      "philox",
      [](std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
        return philox4x32(counter, key);
      },
      py::arg("counter"), py::arg("key"));
}

} // namespace gyaku::bindings
