// Matrix products: which way through the kernels a problem takes.
#include "kernels/args/gemm.h"
#include "bindings/activations.h"
#include "bindings/arrays.h"
#include "bindings/register.h"
#include "runtime/cpu.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

// Which kernel does a product, and how.
enum class Path {
  small,  // a number at a time: tiles would spend their time on being set up
  rows,   // up to four rows, B read once in long strips
  dot,    // few rows, B transposed: inner products
  column, // one column
  panels, // panels of columns, packed on the fly: few rows, or B transposed
  tiles,  // B in place
  packed, // B packed into panels beforehand
  large,  // and A copied in chunks
};

Path path_of(const MatmulArgs& args, const Tile& tile, std::int64_t item_bytes) {
  if (args.m * args.n * args.k <= 128) return Path::small;
  // Inner products either way: side by side, or each in a row of its own.
  if (args.n == 1 && !args.transpose_a) return args.ldc == 1 ? Path::column : Path::dot;
  if (args.m <= 4 && !args.transpose_b) return Path::rows;
  if (args.m <= 8 && args.transpose_b && !args.transpose_a) return Path::dot;
  const std::int64_t row_tiles = ceil_div(args.m, tile.rows);
  const std::int64_t b_bytes = args.k * args.n * item_bytes, huge = 2 * 1024 * 1024;
  const bool is_large = b_bytes > tile.large_b && row_tiles > 20,
             is_huge = is_large && b_bytes > huge;
  // A transposed B is packed anyway: better on the fly than beforehand if a block of A stays in
  // the second-level cache meanwhile and B is not huge. There must be columns for a team, unless
  // those of one cache line are done before a larger team would be worth while. Low tiles have no
  // time to read B where it lies if they are short as well.
  const bool is_near = args.m * columns_k_block * item_bytes <= 512 * 1024 && !is_huge;
  const bool is_quick = args.m * args.k * 64 / item_bytes <= 640 * 1024;
  const bool is_short = tile.rows <= 6 && args.k <= 64;
  const bool is_few = (args.transpose_b ? is_near : row_tiles <= (is_short ? 20 : 4)) ||
                      (args.m <= 56 && b_bytes > huge);
  const bool is_wide = ceil_div(args.n, tile.panel) > row_tiles ||
                       (args.transpose_b && (args.n * item_bytes >= 1024 || is_quick));
  if (is_few && is_wide) return Path::panels;
  // A large B that many rows pass by is worth a copy: its rows lie in as many pages. So is A then,
  // but for rows of moderate length that are summed along.
  if (is_huge || (is_large && args.transpose_a)) return Path::large;
  return args.transpose_b || is_large ? Path::packed : Path::tiles;
}

// How the loops around the micro-kernel are cut. Blocks of terms have nearly the same length, and
// that length is the only thing here that a result depends on.
void cut_loops(MatmulArgs& args, const Tile& tile, std::int64_t item_bytes) {
  const CacheSizes& caches = usual_caches();
  const std::int64_t longest = args.by_columns ? columns_k_block
                               : args.copies_a ? 2 * tile.k_block
                                               : tile.k_block;
  const std::int64_t blocks = std::max(ceil_div(args.k, longest), std::int64_t{1});
  args.k_block = std::max(ceil_div(ceil_div(args.k, blocks), 8) * 8, std::int64_t{8});
  const auto fitting = [&](std::int64_t share, std::int64_t width) {
    return std::max(share / (args.k_block * width * item_bytes), std::int64_t{1});
  };
  // A chunk of A stays in the second level while a group passes by, a group of B in the third while
  // all chunks do. Where A is copied anew for each group, there are as few as can be.
  args.group_panels = fitting(caches.l3 / (args.copies_a ? 2 : 16), tile.panel);
  args.chunk_tiles = fitting(caches.l2 / (args.copies_a ? 2 : 8), tile.rows);
}

py::object matmul(py::handle a_array, py::handle b_array, py::handle bias_array, py::handle out,
                  bool transpose_a, bool transpose_b, const std::string& activation, double alpha) {
  Call call("matmul");
  const Matrix a = call.real_matrix(a_array, "a"), b = call.real_matrix(b_array, "b");
  // The transpose of a transposed view is what it is a view of.
  transpose_a = transpose_a != a.transposed;
  transpose_b = transpose_b != b.transposed;
  MatmulArgs args{};
  args.m = transpose_a ? a.columns : a.rows;
  args.k = transpose_a ? a.rows : a.columns;
  args.n = transpose_b ? b.rows : b.columns;
  call.require((transpose_b ? b.columns : b.rows) == args.k && a.item_bytes == b.item_bytes,
               "shapes or dtypes of a and b do not fit");
  // The kernels of one column read it as a vector.
  call.require(args.n != 1 || transpose_b || b.leading == 1, "a column of b must be contiguous");
  const bool is_row_transposed = args.n == 1 && !transpose_a && !transpose_b;
  transpose_b = transpose_b || is_row_transposed;
  args.activation = to_activation(activation);
  args.alpha = alpha;
  call.require(alpha >= 0, "alpha must be at least 0");
  std::vector<Operand> operands{a.read(), b.read()};
  if (!bias_array.is_none()) {
    const Tensor bias = call.real_input(bias_array, "bias");
    call.require(bias.shape.size() == 1 && bias.size == args.n && bias.item_bytes == a.item_bytes,
                 "bias must be a row like one of the result");
    args.bias = bias.data;
    operands.push_back(bias.read());
  }
  const py::object c_array =
      call.result(out, std::array<py::ssize_t, 2>{args.m, args.n}, a.scalar());
  const Matrix c = call.real_matrix_output(c_array, "out");
  call.require(c.rows == args.m && c.columns == args.n && c.item_bytes == a.item_bytes,
               "the shape or dtype of out does not fit");
  for (const Operand& operand : operands)
    call.require(!operand.overlaps(c.write()), "out must not share memory with an input");
  args.a = a.data;
  args.b = b.data;
  args.c = c.data;
  args.lda = a.leading;
  args.ldb = is_row_transposed ? args.k : b.leading;
  args.ldc = c.leading;
  args.transpose_a = transpose_a;
  args.transpose_b = transpose_b;

  const double flops =
      2.0 * static_cast<double>(args.m) * static_cast<double>(args.n) * static_cast<double>(args.k);
  const Tile& tile = kernels().tile[static_cast<int>(c.scalar())];
  const Path path = path_of(args, tile, c.item_bytes);
  args.copies_a = path == Path::large;
  args.by_columns = path == Path::panels;
  cut_loops(args, tile, c.item_bytes);
  std::vector<Task> tasks;
  Block scratch;
  std::int64_t scratch_bytes = 0;
  const auto add = [&](KernelId id, std::int64_t extent, std::int64_t grain, bool a_by_slice,
                       bool c_by_slice) {
    operands[0] = a.read(a_by_slice);
    operands.push_back(c.write(c_by_slice));
    tasks.push_back(
        make_task("matmul", id, c.scalar(), args, extent, grain, flops, std::move(operands)));
  };
  constexpr std::int64_t strip = 64; // columns: whole cache lines for each member
  switch (path) {
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
  case Path::panels: {
    const std::int64_t item = c.item_bytes, line_columns = 64 / item;
    const bool is_far = !transpose_b && args.k * args.n * item > tile.large_b;
    if (is_far) {
      scratch_bytes = ceil_div(args.n, tile.panel) * tile.panel * args.k_block * item;
      scratch = allocate(scratch_bytes);
      args.packed = scratch.get();
      operands.push_back(
          Operand{scratch.get(), scratch_bytes, Access::write, false, panels_bytes * args.k_block});
    }
    const std::int64_t grain = is_far ? std::max(tile.panel, line_columns) : line_columns;
    add(KernelId::matmul, args.n, grain, false, false);
    break;
  }
  case Path::large:
  case Path::packed: {
    const std::int64_t panels = ceil_div(args.n, tile.panel), cache_line = 64;
    scratch_bytes = panels * tile.panel * args.k * c.item_bytes;
    if (args.copies_a) scratch_bytes += args.m * (args.k_block * c.item_bytes + cache_line);
    scratch = allocate(scratch_bytes);
    args.packed = scratch.get();
    const PackArgs pack{b.data,   scratch.get(), args.k,     args.n,
                        args.ldb, args.k_block,  tile.panel, transpose_b};
    tasks.push_back(make_task("pack", KernelId::pack, c.scalar(), pack,
                              panels * ceil_div(args.k, args.k_block), 1, 0,
                              {b.read(), Operand{scratch.get(), scratch_bytes, Access::write}}));
    operands[1] = {scratch.get(), scratch_bytes, args.copies_a ? Access::update : Access::read};
    [[fallthrough]];
  }
  case Path::tiles:
    add(KernelId::matmul, args.m, 1, !transpose_a, true);
    break;
  }
  call.run(std::move(tasks), std::move(scratch), scratch_bytes);
  return c_array;
}

py::object sum_rows(py::handle x_array, py::handle out) {
  Call call("sum_rows");
  const Tensor x = call.real_input(x_array, "x");
  call.require(x.shape.size() == 2, "x must be a matrix");
  const py::object y_array = call.result(out, x.shape.subspan(1), x.scalar());
  const Tensor y = call.real_output(y_array, "out");
  call.require(y.shape.size() == 1 && y.size == x.shape[1] && x.same_type(y),
               "out must hold one number for each column of x");
  call.require(!x.read().overlaps(y.write()), "out must not share memory with x");
  const SumRowsArgs args{x.data, y.data, x.shape[0], x.shape[1]};
  const std::int64_t cache_line = 64 / y.item_bytes;
  call.run(make_task("sum_rows", KernelId::sum_rows, x.scalar(), args, y.size, cache_line,
                     static_cast<double>(x.size), {x.read(), y.write()}));
  return y_array;
}

} // namespace

void register_gemm(py::module_& module) {
  module.def("matmul", &matmul, py::arg("a"), py::arg("b"), py::arg("bias"), py::arg("out"),
             py::arg("transpose_a"), py::arg("transpose_b"), py::arg("activation"),
             py::arg("alpha"));
  module.def("sum_rows", &sum_rows, py::arg("x"), py::arg("out"));
}

} // namespace gyaku::bindings
