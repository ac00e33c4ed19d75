// Matrix products: which way through the kernels a problem takes.
#include "bindings/activations.h"
#include "bindings/arrays.h"
#include "bindings/register.h"

#include <string>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

std::string text(const Tensor& tensor) {
  std::string shape = "(";
  for (std::size_t i = 0; i < tensor.shape.size(); ++i)
    shape += (i > 0 ? ", " : "") + std::to_string(tensor.shape[i]);
  return shape + ")";
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Which kernel does a product, and how.
enum class Path {
  small,  // a number at a time: tiles would spend their time on being set up
  rows,   // up to four rows, B read once in long strips
  dot,    // few rows, B transposed: inner products
  column, // one column
  panels, // few rows: panels of columns, packed on the spot
  tiles,  // B in place
  packed, // B packed into panels beforehand
};

Path path_of(const MatmulArgs& args, const Tile& tile, std::int64_t item_bytes) {
  if (args.m * args.n * args.k <= 128) return Path::small;
  if (args.n == 1 && !args.transpose_a) return Path::column;
  if (args.m <= 4 && !args.transpose_b) return Path::rows;
  if (args.m <= 8 && args.transpose_b && !args.transpose_a) return Path::dot;
  const std::int64_t row_tiles = ceil_div(args.m, tile.rows);
  if (row_tiles <= 4 && ceil_div(args.n, tile.panel) > row_tiles) return Path::panels;
  // Rows of B a multiple of a page apart fall into the same cache sets: those are worth a copy.
  const bool aliased = args.ldb * item_bytes % 4096 == 0 && args.k > 64;
  return args.transpose_b || aliased || row_tiles > 16 ? Path::packed : Path::tiles;
}

void matmul(const py::array& a_array, const py::array& b_array, const py::object& bias_array,
            const py::array& c_array, bool transpose_a, bool transpose_b,
            const std::string& activation, double alpha) {
  Call call("matmul");
  const Tensor a = call.real_input(a_array, "a"), b = call.real_input(b_array, "b");
  const Tensor c = call.real_output(c_array, "out");
  call.require(a.shape.size() == 2 && b.shape.size() == 2 && c.shape.size() == 2,
               "a, b and out must be matrices");
  MatmulArgs args{};
  args.m = a.shape[transpose_a ? 1 : 0];
  args.k = a.shape[transpose_a ? 0 : 1];
  args.n = b.shape[transpose_b ? 0 : 1];
  call.require(b.shape[transpose_b ? 1 : 0] == args.k && c.shape[0] == args.m &&
                   c.shape[1] == args.n && a.same_type(b) && a.same_type(c),
               "shapes or dtypes do not fit: a " + text(a) + ", b " + text(b) + ", out " + text(c));
  std::vector<Operand> operands{a.read(), b.read()};
  if (!bias_array.is_none()) {
    const Tensor bias = call.real_input(bias_array.cast<py::array>(), "bias");
    call.require(bias.size == args.n && bias.same_type(c),
                 "bias must hold " + std::to_string(args.n) + " numbers of out's dtype");
    args.bias = bias.data;
    operands.push_back(bias.read());
  }
  args.a = a.data;
  args.b = b.data;
  args.c = c.data;
  args.lda = a.shape[1];
  args.ldb = b.shape[1];
  args.ldc = args.n;
  args.transpose_a = transpose_a;
  args.transpose_b = transpose_b;
  args.activation = to_activation(activation);
  args.alpha = alpha;
  for (const Operand& operand : operands)
    call.require(!operand.overlaps(c.write()) || c.bytes() == 0,
                 "out must not share memory with an input");

  const double flops =
      2.0 * static_cast<double>(args.m) * static_cast<double>(args.n) * static_cast<double>(args.k);
  const Tile& tile = kernels().tile[static_cast<int>(c.scalar())];
  args.k_block = tile.k_block;
  std::vector<Task> tasks;
  Block scratch;
  std::int64_t scratch_bytes = 0;
  const auto add = [&](KernelId id, std::int64_t extent, std::int64_t grain, bool a_by_slice,
                       bool c_by_slice) {
    operands[0].by_slice = a_by_slice;
    operands.push_back(c.write(c_by_slice));
    tasks.push_back(
        make_task("matmul", id, c.scalar(), args, extent, grain, flops, std::move(operands)));
  };
  constexpr std::int64_t strip = 64; // columns: whole cache lines for each member
  switch (path_of(args, tile, c.item_bytes)) {
  case Path::small:
    add(KernelId::matmul_small, args.m, 1, !transpose_a, true);
    break;
  case Path::column:
    add(KernelId::matvec, args.m, 1, true, true);
    break;
  case Path::rows:
    add(KernelId::matmul_rows, args.n, strip, false, args.m == 1);
    break;
  case Path::dot:
    add(KernelId::matmul_dot, args.n, strip, false, args.m == 1);
    break;
  case Path::panels:
    args.by_columns = true;
    add(KernelId::matmul, ceil_div(args.n, tile.panel), 1, false, false);
    break;
  case Path::packed: {
    const std::int64_t panels = ceil_div(args.n, tile.panel);
    scratch_bytes = panels * tile.panel * args.k * c.item_bytes;
    scratch = allocate(scratch_bytes);
    args.packed = scratch.get();
    const PackArgs pack{b.data,   scratch.get(), args.k,     args.n,
                        args.ldb, args.k_block,  tile.panel, transpose_b};
    tasks.push_back(make_task("pack", KernelId::pack, c.scalar(), pack,
                              panels * ceil_div(args.k, args.k_block), 1, 0,
                              {b.read(), Operand{scratch.get(), scratch_bytes, Access::write}}));
    operands[1] = {scratch.get(), scratch_bytes, Access::read};
    [[fallthrough]];
  }
  case Path::tiles:
    add(KernelId::matmul, args.m, 1, !transpose_a, true);
    break;
  }
  call.run(std::move(tasks), std::move(scratch), scratch_bytes);
}

void sum_rows(const py::array& x_array, const py::array& y_array) {
  Call call("sum_rows");
  const Tensor x = call.real_input(x_array, "x"), y = call.real_output(y_array, "out");
  call.require(x.shape.size() == 2 && y.size == x.shape[1] && x.same_type(y),
               "out must hold one number for each column of x");
  const SumRowsArgs args{x.data, y.data, x.shape[0], x.shape[1]};
  const std::int64_t cache_line = 64 / y.item_bytes;
  call.run(make_task("sum_rows", KernelId::sum_rows, x.scalar(), args, y.size, cache_line,
                     static_cast<double>(x.size), {x.read(), y.write()}));
}

} // namespace

void register_gemm(py::module_& module) {
  module.def("matmul", &matmul, py::arg("a"), py::arg("b"), py::arg("bias"), py::arg("out"),
             py::arg("transpose_a"), py::arg("transpose_b"), py::arg("activation"),
             py::arg("alpha"));
  module.def("sum_rows", &sum_rows, py::arg("x"), py::arg("out"));
}

} // namespace gyaku::bindings
