// Embeddings, and the lengths of padded sequences of ids.
#include "kernels/args/embedding.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace gyaku::bindings {

namespace {

Tensor ids_of(Call& call, py::handle array) {
  const Tensor ids = call.input(array, "ids");
  call.require(ids.kind == 'i' && (ids.item_bytes == 4 || ids.item_bytes == 8),
               "ids must be int32 or int64");
  return ids;
}

IdType type_of(const Tensor& ids) { return ids.item_bytes == 4 ? IdType::int32 : IdType::int64; }

template <class Id> bool are_below(const Tensor& ids, std::int64_t vocabulary) {
  const auto* first = static_cast<const Id*>(ids.data);
  return std::all_of(first, first + ids.size,
                     [=](std::int64_t id) { return id >= 0 && id < vocabulary; });
}

void require_below(const Call& call, const Tensor& ids, std::int64_t vocabulary) {
  call.require(type_of(ids) == IdType::int32 ? are_below<std::int32_t>(ids, vocabulary)
                                             : are_below<std::int64_t>(ids, vocabulary),
               "an id is outside the vocabulary");
}

py::object embedding(py::handle ids_array, py::handle table_array) {
  Call call("embedding");
  const Tensor ids = ids_of(call, ids_array), table = call.real_input(table_array, "table");
  call.require(table.shape.size() == 2, "table must be a matrix");
  require_below(call, ids, table.shape[0]);
  std::vector<py::ssize_t> shape(ids.shape.begin(), ids.shape.end());
  shape.push_back(table.shape[1]);
  const py::object y_array = call.result(shape, table.scalar());
  const Tensor y = call.real_output(y_array, "y");
  const std::int64_t samples = ids.rows();
  const Cut cut = cut_samples(samples, samples == 0 ? 0 : ids.size / samples);
  const EmbeddingArgs args{ids.data,       table.data,     y.data,   ids.size,
                           table.shape[1], table.shape[0], cut.unit, type_of(ids)};
  Operand rows = table.read();
  rows.touched = y.bytes();
  call.run(make_task("embedding", KernelId::embedding, y.scalar(), args, cut.extent, 1,
                     Work{0, 1} * static_cast<double>(y.size),
                     {ids.read(true), rows, y.write(true)}));
  return y_array;
}

py::object embedding_backward(py::handle dy_array, py::handle ids_array, std::int64_t vocabulary,
                              std::optional<std::int64_t> padding, py::handle out) {
  Call call("embedding_backward");
  const Tensor dy = call.real_input(dy_array, "dy"), ids = ids_of(call, ids_array);
  call.require(dy.shape.size() == ids.shape.size() + 1 &&
                   std::ranges::equal(dy.shape.first(ids.shape.size()), ids.shape),
               "dy must have a row for each id");
  call.require(vocabulary > 0, "vocabulary_size must be at least 1");
  require_below(call, ids, vocabulary);
  const std::array<py::ssize_t, 2> shape{vocabulary, dy.shape.back()};
  const py::object dtable_array = call.result(out, shape, dy.scalar());
  const Tensor dtable = call.real_output(dtable_array, "out");
  call.require(dtable.same_type(dy) && std::ranges::equal(dtable.shape, shape),
               "out must have a row for each id of the vocabulary, like those of dy");
  call.require(!dtable.write().overlaps(dy.read()) && !dtable.write().overlaps(ids.read()),
               "out must not share memory with dy or ids");
  const EmbeddingBackwardArgs args{
      ids.data, dy.data, dtable.data, ids.size, shape[1], padding.value_or(-1), type_of(ids)};
  const double additions = static_cast<double>(dy.size);
  call.run(make_task("embedding_backward", KernelId::embedding_backward, dy.scalar(), args,
                     vocabulary, 1,
                     Work{additions, 2 * additions + static_cast<double>(dtable.size)},
                     {ids.read(), dy.read(), dtable.write(true)}));
  return dtable_array;
}

py::object sequence_lengths(py::handle ids_array) {
  Call call("sequence_lengths");
  const Tensor ids = ids_of(call, ids_array);
  call.require(ids.shape.size() >= 2, "ids must have a sample axis and a time axis");
  const py::object lengths_array =
      empty("sequence_lengths", ids.shape.first(1), py::dtype::of<std::int64_t>());
  const Tensor lengths = call.output(lengths_array, "lengths");
  const Shape inner = ids.shape.subspan(2);
  const std::int64_t width =
      std::accumulate(inner.begin(), inner.end(), std::int64_t{1}, std::multiplies<>());
  const SequenceLengthsArgs args{ids.data, static_cast<std::int64_t*>(lengths.data), ids.shape[1],
                                 width, type_of(ids)};
  call.run(make_task("sequence_lengths", KernelId::sequence_lengths, Scalar::float64, args,
                     ids.rows(), 1, Work{0, 1} * static_cast<double>(ids.size),
                     {ids.read(true), lengths.write(true)}));
  return lengths_array;
}

} // namespace

void register_embedding(py::module_& module) {
  module.def("embedding", &embedding, py::arg("ids"), py::arg("table"));
  module.def("embedding_backward", &embedding_backward, py::arg("dy"), py::arg("ids"),
             py::arg("vocabulary_size"), py::arg("padding"), py::arg("out"));
  module.def("sequence_lengths", &sequence_lengths, py::arg("ids"));
}

} // namespace gyaku::bindings
