// The gather of batches, and the counters and sums of a program.
#include "kernels/args/gather.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <algorithm>

namespace gyaku::bindings {

namespace {

Source source_of(const Call& call, const Tensor& source) {
  if (source.kind == 'u' && source.item_bytes == 1) return Source::uint8;
  if (source.kind == 'i' && source.item_bytes == 4) return Source::int32;
  if (source.kind == 'i' && source.item_bytes == 8) return Source::int64;
  call.require(source.is_float(), "source must be uint8, float32, float64, int32 or int64");
  return source.item_bytes == 4 ? Source::float32 : Source::float64;
}

// Labels and indices are copied.
bool is_integer(Source type) { return type == Source::int32 || type == Source::int64; }

// A batch of rows: checked arguments, and the memory they touch.
struct Rows {
  GatherArgs args{};
  Tensor source, out;
  std::vector<Operand> operands;

  // Moves the operands into a task.
  Task task(const char* name, KernelId id, const auto& all_args) {
    return make_task(name, id, out.item_bytes == 4 ? Scalar::float32 : Scalar::float64, all_args,
                     args.rows, 1, Work{1, 1} * static_cast<double>(out.size), std::move(operands));
  }
};

Rows rows_of(Call& call, py::handle source_array, py::handle order_array, py::handle cursor_array,
             py::handle out_array, double scale) {
  Rows rows;
  const Tensor source = rows.source = call.buffer(source_array, "source");
  const Tensor out = rows.out = call.output(out_array, "out");
  const auto order = call.int64_buffer(order_array, "order", -1, false);
  const auto cursor = call.int64_buffer(cursor_array, "cursor", 1, false);
  GatherArgs& args = rows.args;
  args.type = source_of(call, source);
  call.require(is_integer(args.type) ? out.same_type(source) && scale == 1 : out.is_float(),
               "out must be float32 or float64, or integers like the source's and not scaled");
  // A row of out may end before that of source: the steps behind are padding.
  call.require(!source.shape.empty() && source.shape.size() == out.shape.size() &&
                   (out.shape.size() < 2 ||
                    (out.shape[1] <= source.shape[1] &&
                     std::ranges::equal(source.shape.subspan(2), out.shape.subspan(2)))),
               "rows of source and out differ in shape");
  args.source = source.data;
  args.order = order.data();
  args.cursor = cursor.data();
  args.out = out.data;
  args.rows = out.rows();
  args.columns = out.columns();
  args.source_columns = source.columns();
  args.source_rows = source.rows();
  args.indices = static_cast<std::int64_t>(order.size());
  args.scale = scale;
  const std::int64_t first = cursor.front();
  call.require(first >= 0 && first <= args.indices - args.rows, "the cursor is beyond order");
  const auto named =
      order.subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(args.rows));
  call.require(std::ranges::all_of(
                   named, [&](std::int64_t row) { return row >= 0 && row < args.source_rows; }),
               "order names a row that source does not have");
  // A batch touches as many rows of source and order as it has itself.
  constexpr std::int64_t row_number = sizeof(std::int64_t);
  rows.operands = {
      Operand{source.data, source.bytes(), Access::read, false, out.size * source.item_bytes},
      Operand{args.order, args.indices * row_number, Access::read, false, args.rows * row_number},
      Operand{args.cursor, row_number, Access::read}, out.write(true)};
  return rows;
}

void gather(py::handle source, py::handle order, py::handle cursor, py::handle out, double scale) {
  Call call("gather");
  Rows rows = rows_of(call, source, order, cursor, out, scale);
  call.run(rows.task("gather", KernelId::gather, rows.args));
}

void gather_images(py::handle source, py::handle order, py::handle cursor, py::handle epoch_array,
                   py::handle out, py::handle numbers_array, double scale, std::int32_t shift,
                   bool flip, std::uint64_t seed) {
  Call call("gather_images");
  Rows rows = rows_of(call, source, order, cursor, out, scale);
  const auto epoch = call.int64_buffer(epoch_array, "epoch", 1, false);
  const Shape shape = rows.out.shape;
  call.require(shape.size() == 4 && !is_integer(rows.args.type) && rows.source.shape[1] == shape[1],
               "source must hold images of shape (height, width, channels)");
  call.require(rows.args.source_rows <= std::int64_t{1} << 32,
               "source has more images than one stream has draws");
  call.require(shift >= 0 && shift < std::min(shape[1], shape[2]),
               "shift must be at least 0 and less than height and width");
  rows.operands.push_back(Operand{epoch.data(), sizeof(std::int64_t), Access::read});
  const std::int64_t* numbers = nullptr;
  if (!numbers_array.is_none()) {
    const auto given = call.int64_buffer(numbers_array, "numbers", rows.args.source_rows, false);
    numbers = given.data();
    const auto bytes = static_cast<std::int64_t>(given.size_bytes());
    rows.operands.push_back(Operand{numbers, bytes, Access::read, false, rows.args.rows * 8});
  }
  const GatherImagesArgs args{epoch.data(), numbers, rows.args, shape[1], shape[2],
                              shape[3],     seed,    shift,     flip};
  call.run(rows.task("gather_images", KernelId::gather_images, args));
}

void keep_rows(py::handle rows_array, py::handle kept_array, py::handle cursor_array) {
  Call call("keep_rows");
  const Tensor rows = call.buffer(rows_array, "rows"), kept = call.output(kept_array, "kept");
  const auto cursor = call.int64_buffer(cursor_array, "cursor", 1, false);
  call.require(rows.same_type(kept) && !rows.shape.empty() &&
                   rows.shape.size() == kept.shape.size() &&
                   (rows.shape.size() < 2 ||
                    (rows.shape[1] <= kept.shape[1] &&
                     std::ranges::equal(rows.shape.subspan(2), kept.shape.subspan(2)))),
               "rows of rows and kept differ in shape or dtype");
  call.require(cursor.front() >= 0 && cursor.front() <= kept.rows() - rows.rows(),
               "kept has no room for the rows");
  const KeepRowsArgs args{rows.data,
                          kept.data,
                          cursor.data(),
                          rows.rows(),
                          kept.rows(),
                          rows.columns() * rows.item_bytes,
                          kept.columns() * kept.item_bytes};
  call.run(make_task("keep_rows", KernelId::keep_rows, Scalar::float64, args, args.count, 1,
                     Work{0, 1} * static_cast<double>(rows.size),
                     {rows.read(true),
                      Operand{kept.data, kept.bytes(), Access::update, false, rows.bytes()},
                      Operand{args.cursor, sizeof(std::int64_t), Access::read}}));
}

py::object rescale(py::handle x_array, double scale, double offset) {
  Call call("rescale");
  const Tensor x = call.real_input(x_array, "x");
  const py::object y_array = call.result(x.shape, x.scalar());
  const Tensor y = call.real_output(y_array, "y");
  const std::int64_t line = 64 / y.item_bytes;
  const bool by_sample = y.rows() >= enough_samples;
  const RescaleArgs args{x.data, y.data, y.size, by_sample ? y.columns() : line, scale, offset};
  call.run(make_task("rescale", KernelId::rescale, y.scalar(), args,
                     by_sample ? y.rows() : (y.size + line - 1) / line, 1,
                     Work{2, 2} * static_cast<double>(y.size),
                     {x.read(by_sample), y.write(by_sample)}));
  return y_array;
}

void advance(py::handle counter_array, std::int64_t amount) {
  Call call("advance");
  const auto counter = call.int64_buffer(counter_array, "counter", 1, true);
  const AdvanceArgs args{counter.data(), amount};
  call.run(make_task("advance", KernelId::advance, Scalar::float64, args, 1, 1, {0, 1},
                     {Operand{args.counter, sizeof(std::int64_t), Access::update}}));
}

void accumulate(py::handle value_array, py::handle totals_array, py::handle slot_array,
                double weight, py::handle count_array) {
  Call call("accumulate");
  const auto value = call.float64_buffer(value_array, "value", 1, false);
  const auto totals = call.float64_buffer(totals_array, "totals", -1, true);
  const auto slot = call.int64_buffer(slot_array, "slot", 1, false);
  const auto slots = static_cast<std::int64_t>(totals.size());
  call.require(slot.front() >= 0 && slot.front() < slots, "the slot is not in totals");
  AccumulateArgs args{value.data(), totals.data(), slot.data(), nullptr, slots, weight};
  std::vector<Operand> operands{Operand{args.value, sizeof(double), Access::read},
                                Operand{args.totals,
                                        slots * static_cast<std::int64_t>(sizeof(double)),
                                        Access::update, false, sizeof(double)},
                                Operand{args.slot, sizeof(std::int64_t), Access::read}};
  if (!count_array.is_none()) {
    args.count = call.float64_buffer(count_array, "count", 1, false).data();
    operands.push_back(Operand{args.count, sizeof(double), Access::read});
  }
  call.run(make_task("accumulate", KernelId::accumulate, Scalar::float64, args, 1, 1, {2, 2},
                     std::move(operands)));
}

} // namespace

void register_gather(py::module_& module) {
  module.def("gather", &gather, py::arg("source"), py::arg("order"), py::arg("cursor"),
             py::arg("out"), py::arg("scale"));
  module.def("gather_images", &gather_images, py::arg("source"), py::arg("order"),
             py::arg("cursor"), py::arg("epoch"), py::arg("out"), py::arg("numbers"),
             py::arg("scale"), py::arg("shift"), py::arg("flip"), py::arg("seed"));
  module.def("keep_rows", &keep_rows, py::arg("rows"), py::arg("kept"), py::arg("cursor"));
  module.def("rescale", &rescale, py::arg("x"), py::arg("scale"), py::arg("offset"));
  module.def("advance", &advance, py::arg("counter"), py::arg("amount"));
  module.def("accumulate", &accumulate, py::arg("value"), py::arg("totals"), py::arg("slot"),
             py::arg("weight"), py::arg("count"));
}

} // namespace gyaku::bindings
