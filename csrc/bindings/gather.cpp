// Batches out of data sets, and the counters and sums that a program carries along.
#include "bindings/arrays.h"
#include "bindings/register.h"

namespace gyaku::bindings {

namespace {

Source source_of(const Call& call, const Tensor& source) {
  if (source.kind == 'u' && source.item_bytes == 1) return Source::uint8;
  if (source.kind == 'i' && source.item_bytes == 8) return Source::int64;
  call.require(source.is_float(), "source must be uint8, float32, float64 or int64");
  return source.item_bytes == 4 ? Source::float32 : Source::float64;
}

void gather(const py::array& source_array, const py::array& order_array,
            const py::array& cursor_array, const py::array& out_array, double scale) {
  Call call("gather");
  const Tensor source = call.input(source_array, "source"), out = call.output(out_array, "out");
  const Tensor order = call.input(order_array, "order");
  GatherArgs args{};
  args.source = source.data;
  args.type = source_of(call, source);
  call.require(args.type == Source::int64 ? out.same_type(source) : out.is_float(),
               "out must be float32 or float64, or int64 like the source");
  args.order = call.int64_buffer(order_array, "order", -1, false);
  args.cursor = call.int64_buffer(cursor_array, "cursor", 1, false);
  args.out = out.data;
  args.rows = out.rows();
  args.columns = out.columns();
  args.source_rows = source.rows();
  args.indices = order.size;
  args.scale = scale;
  call.require(source.columns() == args.columns || args.rows == 0 || args.source_rows == 0,
               "rows of source and out differ in size");
  call.run(make_task(
      "gather", KernelId::gather, out.item_bytes == 4 ? Scalar::float32 : Scalar::float64, args,
      args.rows, 1, static_cast<double>(out.size),
      {// a batch touches as many rows of source and order as it has itself
       Operand{source.data, source.bytes(), Access::read, false, out.size * source.item_bytes},
       Operand{order.data, order.bytes(), Access::read, false, args.rows * order.item_bytes},
       Operand{args.cursor, sizeof(std::int64_t), Access::read}, out.write(true)}));
}

void advance(const py::array& counter_array, std::int64_t amount) {
  Call call("advance");
  const AdvanceArgs args{call.int64_buffer(counter_array, "counter", 1, true), amount};
  call.run(make_task("advance", KernelId::advance, Scalar::float64, args, 1, 1, 1,
                     {Operand{args.counter, sizeof(std::int64_t), Access::update}}));
}

void accumulate(const py::array& value_array, const py::array& totals_array,
                const py::array& slot_array, double weight) {
  Call call("accumulate");
  const Tensor totals = call.output(totals_array, "totals");
  const AccumulateArgs args{call.float64_buffer(value_array, "value", 1, false),
                            call.float64_buffer(totals_array, "totals", -1, true),
                            call.int64_buffer(slot_array, "slot", 1, false), totals.size, weight};
  call.run(make_task("accumulate", KernelId::accumulate, Scalar::float64, args, 1, 1, 2,
                     {Operand{args.value, sizeof(double), Access::read},
                      Operand{totals.data, totals.bytes(), Access::update, false, sizeof(double)},
                      Operand{args.slot, sizeof(std::int64_t), Access::read}}));
}

} // namespace

void register_gather(py::module_& module) {
  module.def("gather", &gather, py::arg("source"), py::arg("order"), py::arg("cursor"),
             py::arg("out"), py::arg("scale"));
  module.def("advance", &advance, py::arg("counter"), py::arg("amount"));
  module.def("accumulate", &accumulate, py::arg("value"), py::arg("totals"), py::arg("slot"),
             py::arg("weight"));
}

} // namespace gyaku::bindings
