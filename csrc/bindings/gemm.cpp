// Matrix products: the choice of kernels.
#include "kernels/args/gemm.h"
#include "bindings/activations.h"
#include "bindings/arrays.h"
#include "bindings/precision.h"
#include "bindings/register.h"
#include "kernels/args/precision.h"
#include "runtime/cpu.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

namespace gyaku::bindings {

namespace {

// A product: checked arguments, and the properties that determine its path.
struct Product {
  Matrix a, b, c;
  std::vector<Operand> operands; // inputs: a, b and the bias, if any
  Work work;
  MatmulArgs args{};

  std::int64_t item_bytes() const { return c.item_bytes; }
  const Tile& tile() const { return kernels().tile[static_cast<int>(c.scalar())]; }
  std::int64_t row_tiles() const { return ceil_div(args.m, tile().rows); }
  std::int64_t panels() const { return ceil_div(args.n, tile().panel); }
  std::int64_t b_bytes() const { return args.k * args.n * item_bytes(); }

  bool is_tiny() const { return args.m * args.n * args.k <= 128; }
  // Inner products: contiguous, or each in a row of its own.
  bool is_column() const { return args.n == 1 && !args.transpose_a && args.ldc == 1; }
  bool is_inner() const {
    return !args.transpose_a && (args.n == 1 || (args.m <= 8 && args.transpose_b));
  }
  bool has_few_rows() const { return args.m <= 4 && !args.transpose_b; }
  // A copy pays for a large B that is used by many rows: its own rows are in as many pages. So it
  // does for A then, except for rows of moderate length read along k.
  bool is_large() const {
    return b_bytes() > tile().large_b && row_tiles() > (is_low() ? few_tiles : 20);
  }
  bool is_huge() const { return is_large() && b_bytes() > huge; }
  bool copies_both() const {
    return is_huge() || (args.transpose_a && (is_large() || evicts_itself(args.lda)));
  }
  bool copies_b() const { return is_large() || args.transpose_b || evicts_itself(args.ldb); }
  bool is_low() const { return tile().rows <= 6; }
  // Whether the rows of a matrix evict one another from the first-level cache before the next tile
  // reads them: a stride of a power of two leaves them few of the cache's 64 sets, half of which
  // the other matrix takes. Low tiles read them so often that a copy pays.
  bool evicts_itself(std::int64_t leading) const {
    constexpr std::int64_t line = 64, sets = 64, ways = 8 / 2;
    const std::int64_t stride = leading * item_bytes();
    return is_low() && stride % line == 0 && args.k > ways * sets / std::gcd(stride / line, sets) &&
           row_tiles() > few_tiles && panels() > 3;
  }
  // A transposed B is packed in any case: on the fly if a block of A stays in the second-level
  // cache meanwhile and B is not huge. Short products with low tiles have no time to read B in
  // place.
  bool is_short() const {
    if (args.m <= 56 && b_bytes() > huge) return true;
    if (args.transpose_a && evicts_itself(args.lda)) return false;
    if (args.transpose_b)
      return args.m * columns_k_block * item_bytes() <= 512 * 1024 && !is_huge();
    if (is_low() && row_tiles() <= few_tiles && b_bytes() > 2 * tile().large_b) return true;
    return row_tiles() <= (tile().rows <= 6 && args.k <= 64 ? 20 : 4);
  }
  // There must be columns for a team, unless those of one cache line are done before a larger team
  // would pay.
  bool is_wide() const {
    if (panels() > row_tiles()) return true;
    const bool is_quick = args.m * args.k * 64 / item_bytes() <= 640 * 1024;
    return args.transpose_b && (args.n * item_bytes() >= 1024 || is_quick);
  }
  bool goes_by_columns() const { return is_short() && is_wide(); }
  // In bfloat16, by instructions for it where there are some, if they fill tiles; the number of
  // rows does not matter where bits may not depend on it.
  bool goes_in_pairs(bool independent_rows) const {
    constexpr std::int64_t least_k = 16;
    return precision() == Precision::bfloat16 && (independent_rows || args.m >= tile().rows) &&
           args.m > 0 && args.n >= tile().panel / 2 && args.k >= least_k &&
           kernel(KernelId::matmul_pairs, c.scalar()) != nullptr;
  }
  bool always() const { return true; }

private:
  static constexpr std::int64_t huge = 2 * 1024 * 1024;
  static constexpr std::int64_t few_tiles = 13; // low ones: too few rows for a copy of B beforehand
};

constexpr std::int64_t least_chunk = 8; // tiles, for which a panel of B is loaded

// The partition of the loops around the micro-kernel. k-blocks have nearly equal length, the only
// choice here that a result depends on.
void cut_loops(Product& product) {
  MatmulArgs& args = product.args;
  const Tile& tile = product.tile();
  const CacheSizes& caches = usual_caches();
  const std::int64_t longest = args.by_columns ? columns_k_block
                               : args.copies_a ? 2 * tile.k_block
                                               : tile.k_block;
  const std::int64_t blocks = std::max(ceil_div(args.k, longest), std::int64_t{1});
  args.k_block = std::max(ceil_div(ceil_div(args.k, blocks), 8) * 8, std::int64_t{8});
  const auto fitting = [&](std::int64_t bytes, std::int64_t width) {
    return std::max(bytes / (args.k_block * width * product.item_bytes()), std::int64_t{1});
  };
  // A chunk of A stays in the second-level cache for a group of panels of B, the group in the third
  // level for all chunks. If A is copied again for each group, there are as few groups as possible.
  args.group_panels = fitting(caches.l3 / (args.copies_a ? 2 : 16), tile.panel);
  args.chunk_tiles = fitting(caches.l2 / (args.copies_a ? 2 : 8), tile.rows);
  // So do its rows of C, which panels of few steps write piece by piece.
  const std::int64_t columns = std::min(args.n, args.group_panels * tile.panel),
                     row = args.k_block + (args.saved == nullptr ? 1 : 2) * columns,
                     tiles = caches.l2 / 4 / (row * tile.rows * product.item_bytes());
  args.chunk_tiles = std::min(args.chunk_tiles, std::max(tiles, least_chunk));
}

// The tasks of a product, and their scratch memory.
class Tasks {
public:
  explicit Tasks(Product& product) : product_(product), args_(product.args) {}

  void small() { add(KernelId::matmul_small, args_.m, 1, !args_.transpose_a, true); }
  void column() { add(KernelId::matvec, args_.m, 1, true, true); }
  void rows() { add(KernelId::matmul_rows, args_.n, strip, false, args_.m == 1); }
  void inner() { add(KernelId::matmul_dot, args_.n, strip, false, args_.m == 1); }
  void tiles() { add(KernelId::matmul, args_.m, 1, !args_.transpose_a, true); }
  // A B larger than the cache is packed, a k-block at a time, before the product.
  void columns() {
    const std::int64_t item = product_.item_bytes(), line = 64 / item;
    const Tile& tile = product_.tile();
    const bool is_packed = !args_.transpose_b && product_.b_bytes() > tile.large_b;
    if (is_packed) {
      reserve(product_.panels() * tile.panel * args_.k_block * item);
      product_.operands.push_back(scratch(Access::write, panels_bytes * args_.k_block));
    }
    add(KernelId::matmul, args_.n, is_packed ? std::max(tile.panel, line) : line, false, false);
  }
  void packed() {
    constexpr std::int64_t cache_line = 64;
    const std::int64_t panels = product_.panels(), panel = product_.tile().panel,
                       item = product_.item_bytes();
    const std::int64_t a_bytes = args_.copies_a ? args_.m * (args_.k_block * item + cache_line) : 0;
    reserve(panels * panel * args_.k * item + a_bytes);
    const PackArgs pack{product_.b.data, scratch_.get(), args_.k, args_.n,
                        args_.ldb,       args_.k_block,  panel,   args_.transpose_b};
    tasks_[count_++] = make_task("pack", KernelId::pack, product_.c.scalar(), pack,
                                 panels * ceil_div(args_.k, args_.k_block), 1, {},
                                 {product_.b.read(), scratch(Access::write)});
    product_.operands[1] = scratch(args_.copies_a ? Access::update : Access::read);
    tiles();
  }

  void run(Call& call) { call.run({tasks_.data(), count_}, std::move(scratch_), scratch_bytes_); }

private:
  static constexpr std::int64_t strip = 64; // columns: whole cache lines for each member

  void reserve(std::int64_t bytes) {
    scratch_ = allocate(bytes);
    scratch_bytes_ = bytes;
    args_.packed = scratch_.get();
  }
  Operand scratch(Access access, std::int64_t touched = INT64_MAX) const {
    return {scratch_.get(), scratch_bytes_, access, false, touched};
  }
  void add(KernelId id, std::int64_t extent, std::int64_t grain, bool a_by_slice, bool c_by_slice) {
    std::vector<Operand> operands = std::move(product_.operands);
    operands[0] = product_.a.read(a_by_slice);
    operands.push_back(product_.c.write(c_by_slice));
    tasks_[count_++] = make_task("matmul", id, product_.c.scalar(), args_, extent, grain,
                                 product_.work, std::move(operands));
  }

  Product& product_;
  MatmulArgs& args_;
  std::array<Task, 2> tasks_; // a copy of B, the product
  std::size_t count_ = 0;
  Block scratch_;
  std::int64_t scratch_bytes_ = 0;
};

// Paths through the kernels: the first one that applies is taken. Those for `independent_rows` do
// not depend on the number of rows, and neither do the bits of a row then.
struct Path {
  bool (Product::*applies)() const;
  void (Tasks::*build)();
  bool by_columns = false, copies_a = false, independent_rows = false;
};
constexpr std::array paths{
    Path{&Product::is_tiny, &Tasks::small}, // too small for the overhead of tiles
    Path{&Product::is_column, &Tasks::column, false, false, true},
    Path{&Product::has_few_rows, &Tasks::rows}, // B read once in long strips
    Path{&Product::is_inner, &Tasks::inner},    //
    Path{&Product::goes_by_columns, &Tasks::columns, true},
    Path{&Product::copies_both, &Tasks::packed, false, true},
    Path{&Product::copies_b, &Tasks::packed},
    Path{&Product::always, &Tasks::tiles, false, false, true}, // B in place
};

void build(Product& product, Tasks& tasks, bool independent_rows) {
  const auto& path = *std::ranges::find_if(paths, [&](const Path& each) {
    return (each.independent_rows || !independent_rows) && (product.*each.applies)();
  });
  product.args.by_columns = path.by_columns;
  product.args.copies_a = path.copies_a;
  cut_loops(product);
  (tasks.*path.build)();
}

// The arguments of a product of these matrices, except c.
Product product_of(const Call& call, const Matrix& a, const Matrix& b, bool transpose_a,
                   bool transpose_b) {
  // The transpose of a transposed view is the underlying matrix.
  transpose_a = transpose_a != a.transposed;
  transpose_b = transpose_b != b.transposed;
  Product product{a, b, {}, {}, {}, {}};
  product.operands.reserve(5);
  product.operands.assign({a.read(), b.read()});
  MatmulArgs& args = product.args;
  args.m = transpose_a ? a.columns : a.rows;
  args.k = transpose_a ? a.rows : a.columns;
  args.n = transpose_b ? b.rows : b.columns;
  call.require((transpose_b ? b.columns : b.rows) == args.k && a.item_bytes == b.item_bytes,
               "shapes or dtypes of a and b do not fit");
  // Kernels of one column read it as a vector.
  call.require(args.n != 1 || transpose_b || b.leading == 1, "a column of b must be contiguous");
  const bool is_row_transposed = args.n == 1 && !transpose_a && !transpose_b;
  args.a = a.data;
  args.b = b.data;
  args.lda = a.leading;
  args.ldb = is_row_transposed ? args.k : b.leading;
  args.transpose_a = transpose_a;
  args.transpose_b = transpose_b || is_row_transposed;
  return product;
}

void set_bias(Call& call, Product& product, py::handle array) {
  if (array.is_none()) return;
  const Tensor bias = call.real_input(array, "bias");
  call.require(bias.shape.size() == 1 && bias.size == product.args.n &&
                   bias.item_bytes == product.a.item_bytes,
               "bias must be a row like one of the result");
  product.args.bias = bias.data;
  product.operands.push_back(bias.read());
}

void set_result(const Call& call, Product& product, const Matrix& c) {
  MatmulArgs& args = product.args;
  call.require(c.rows == args.m && c.columns == args.n && c.item_bytes == product.a.item_bytes,
               "the shape or dtype of out does not fit");
  for (const Operand& operand : product.operands)
    call.require(!operand.overlaps(c.write()), "out must not share memory with an input");
  product.c = c;
  args.c = c.data;
  args.ldc = c.leading;
}

// Products in bfloat16 read rounded copies, whose rows are contiguous.
void set_operands(Call& call, Product& product) {
  if (precision() == Precision::float32) return;
  MatmulArgs& args = product.args;
  product.a = call.operand(product.a);
  product.b = call.operand(product.b);
  product.operands[0] = product.a.read();
  product.operands[1] = product.b.read();
  args.a = product.a.data;
  args.b = product.b.data;
  args.lda = product.a.leading;
  if (args.n > 1) args.ldb = product.b.leading; // else a vector
}

// Copies of both operands in pairs of bfloat16, and their product.
void multiply_in_pairs(Call& call, Product& product) {
  constexpr std::int64_t line = 64;
  MatmulArgs& args = product.args;
  const std::int64_t panel = product.tile().panel;
  const PairsOfA of_a(args.m, product.tile().rows);
  const auto bytes_of = [&](std::int64_t columns, std::int64_t marks) {
    return ceil_div(columns * ceil_div(args.k, 2) * 4 + marks * 2, line) * line;
  };
  const std::int64_t a_bytes = bytes_of(of_a.tiles * of_a.height,
                                        2 * of_a.tiles * list_length(ceil_div(args.k, 2))),
                     b_bytes = bytes_of(product.panels() * panel, product.panels());
  Block scratch = allocate(a_bytes + b_bytes);
  const Operand a{scratch.get(), a_bytes, Access::write},
      b{scratch.get() + a_bytes, b_bytes, Access::write};
  std::vector<Task> tasks;
  const auto pack = [&](const Matrix& x, std::int64_t columns, bool is_along_k, const Operand& to,
                        std::int64_t panels, std::int64_t width) {
    const PairArgs packing{x.data,
                           const_cast<void*>(to.memory),
                           nullptr,
                           nullptr,
                           args.k,
                           columns,
                           is_along_k ? 1 : x.leading,
                           is_along_k ? x.leading : 1,
                           width};
    tasks.push_back(make_task("pack in bfloat16", KernelId::pack_pairs, Scalar::float32, packing,
                              panels, 1, Work{0, 1} * static_cast<double>(args.k * columns),
                              {x.read(), to}));
  };
  pack(product.a, args.m, !args.transpose_a, a, of_a.tiles, of_a.height);
  pack(product.b, args.n, args.transpose_b, b, product.panels(), panel);
  args.a = a.memory;
  args.b = b.memory;
  std::vector<Operand> operands = std::move(product.operands);
  operands[0] = {a.memory, a_bytes, Access::read};
  operands[1] = {b.memory, b_bytes, Access::read};
  operands.push_back(product.c.write());
  tasks.push_back(make_task("matmul in bfloat16", KernelId::matmul_pairs, Scalar::float32, args,
                            of_a.tiles * product.panels(), 1, product.work, std::move(operands)));
  call.run(tasks, std::move(scratch), a_bytes + b_bytes);
}

Work work_of(const Product& product, const NamedActivation& activation) {
  const MatmulArgs& args = product.args;
  const double elements = static_cast<double>(args.m) * static_cast<double>(args.n),
               products = 2.0 * elements * static_cast<double>(args.k);
  const double ending = (args.bias == nullptr ? 0 : 1) + activation.flops; // per element
  return {products + ending * elements, products};
}

py::object matmul(py::handle a, py::handle b, bool transpose_a, bool transpose_b, py::handle bias,
                  py::handle activation, py::handle alpha, bool independent_rows, py::handle out) {
  Call call("matmul");
  Product product = product_of(call, call.real_matrix(a, "a"), call.real_matrix(b, "b"),
                               transpose_a, transpose_b);
  const ChosenActivation chosen = choose_activation(activation, alpha);
  product.args.activation = chosen.row.function;
  product.args.alpha = chosen.alpha;
  set_bias(call, product, bias);
  const std::array<py::ssize_t, 2> shape{product.args.m, product.args.n};
  const py::object c = call.result(out, shape, product.a.scalar());
  set_result(call, product, call.real_matrix_output(c, "out"));
  product.work = work_of(product, chosen.row);
  if (product.goes_in_pairs(independent_rows)) {
    multiply_in_pairs(call, product);
    return c;
  }
  set_operands(call, product);
  Tasks tasks(product);
  build(product, tasks, independent_rows);
  tasks.run(call);
  return c;
}

py::object sum_rows(py::handle x_array, py::handle out) {
  Call call("sum_rows");
  Tensor x = call.real_input(x_array, "x");
  call.require(x.shape.size() == 2, "x must be a matrix");
  const py::object y_array = call.result(out, x.shape.subspan(1), x.scalar());
  const Tensor y = call.real_output(y_array, "out");
  call.require(y.shape.size() == 1 && y.size == x.shape[1] && x.same_type(y),
               "out must hold one number for each column of x");
  call.require(!x.read().overlaps(y.write()), "out must not share memory with x");
  x = call.operand(x);
  SumRowsArgs args{x.data, y.data, nullptr, x.shape[0], x.shape[1]};
  std::vector<Operand> operands{x.read(), y.write()};
  Block scratch;
  std::int64_t bytes = 0;
  if (args.rows > short_sum) {
    bytes = y.size * static_cast<std::int64_t>(sizeof(double));
    scratch = allocate(bytes);
    args.totals = reinterpret_cast<double*>(scratch.get());
    operands.push_back({args.totals, bytes, Access::write, true});
  }
  const std::int64_t cache_line = 64 / y.item_bytes;
  Task task = make_task("sum_rows", KernelId::sum_rows, x.scalar(), args, y.size, cache_line,
                        Work{1, 1} * static_cast<double>(x.size), std::move(operands));
  call.run({&task, 1}, std::move(scratch), bytes);
  return y_array;
}

} // namespace

void register_gemm(py::module_& module) {
  module.def("matmul", &matmul, py::arg("a"), py::arg("b"), py::arg("transpose_a"),
             py::arg("transpose_b"), py::arg("bias"), py::arg("activation"), py::arg("alpha"),
             py::arg("independent_rows"), py::arg("out"));
  module.def("sum_rows", &sum_rows, py::arg("x"), py::arg("out"));
}

} // namespace gyaku::bindings
