#include "program/split.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <type_traits>

#include "kernels/args/gemm.h"
#include "kernels/args/optimizer.h"
#include "program/rewrite.h"

namespace gyaku {

namespace {

// Below this the overhead of a task exceeds the gain from the cache.
constexpr std::int64_t worth_a_task = 4096; // elements

std::int64_t item_bytes(const Task& task) { return task.scalar == Scalar::float32 ? 4 : 8; }

template <class T> T* moved(T* pointer, std::int64_t bytes) {
  using Byte = std::conditional_t<std::is_const_v<T>, const std::byte, std::byte>;
  return pointer == nullptr ? nullptr : static_cast<T*>(static_cast<Byte*>(pointer) + bytes);
}

// Elements [begin, end) of the update, `unit` of them a row.
Task part(const Task& update, std::int64_t begin, std::int64_t end, std::int64_t unit) {
  Task task = update;
  auto& args = task.as<UpdateArgs>();
  const std::int64_t offset = begin * item_bytes(update),
                     of_state = begin * args.state_bytes(item_bytes(update));
  for (Operand& operand : task.operands)
    if (operand.by_slice) {
      const std::int64_t item = operand.bytes / args.size;
      operand.memory = moved(operand.memory, begin * item);
      operand.bytes = (end - begin) * item;
    }
  args.parameters = moved(args.parameters, offset);
  args.gradients = moved(args.gradients, offset);
  args.first = moved(args.first, of_state);
  args.second = moved(args.second, of_state);
  args.third = moved(args.third, of_state);
  task.work = task.work * (static_cast<double>(end - begin) / static_cast<double>(args.size));
  args.begin += begin;
  args.size = end - begin;
  args.unit = unit;
  task.extent = args.size / unit;
  if (unit > 1) task.grain = 1;
  return task;
}

// First element of the update in the rows that this product writes, if any.
std::optional<std::int64_t> gradient_of(const Task& update, const Task& product) {
  if (!product.is(KernelId::matmul) || product.scalar != update.scalar) return std::nullopt;
  const auto& args = product.as<MatmulArgs>();
  const auto& target = update.as<UpdateArgs>();
  const std::int64_t offset =
      static_cast<const std::byte*>(args.c) - static_cast<const std::byte*>(target.gradients);
  const std::int64_t begin = offset / item_bytes(update);
  const bool inside = offset >= 0 && begin + args.m * args.n <= target.size;
  const bool by_rows = !args.by_columns && args.ldc == args.n && product.grain == 1;
  return inside && by_rows && args.m * args.n >= worth_a_task ? std::optional(begin) : std::nullopt;
}

struct Piece {
  std::int64_t begin, end, unit;
};

void split(std::vector<Task>& tasks, std::size_t at) {
  const Task update = tasks[at];
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < at; ++i)
    if (const auto begin = gradient_of(update, tasks[i])) {
      const auto& args = tasks[i].as<MatmulArgs>();
      const Operand gradient = operand_of(tasks[i], args.c);
      const auto changes = [&](const Task& task) { return writes_to(task, gradient); };
      if (std::any_of(tasks.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                      tasks.begin() + static_cast<std::ptrdiff_t>(at), changes))
        continue; // it cannot follow its gradient
      pieces.push_back({*begin, *begin + args.m * args.n, args.n});
    }
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.begin < b.begin; });
  const auto overlap = std::adjacent_find(
      pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.end > b.begin; });
  if (pieces.empty() || overlap != pieces.end()) return; // two products write the same gradient

  std::vector<Task> parts;
  std::int64_t done = 0;
  for (const Piece& piece : pieces) {
    if (piece.begin > done) parts.push_back(part(update, done, piece.begin, 1));
    parts.push_back(part(update, piece.begin, piece.end, piece.unit));
    done = piece.end;
  }
  const std::int64_t size = update.as<UpdateArgs>().size;
  if (size > done) parts.push_back(part(update, done, size, 1));
  const auto place = tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(at));
  tasks.insert(place, std::make_move_iterator(parts.begin()), std::make_move_iterator(parts.end()));
}

// The task at `at`, an update, together with the product before it that is its gradient, if that is
// an outer product which nobody else reads.
bool merge_outer(std::vector<Task>& tasks, std::size_t at, const bool* keeps) {
  const auto& update = tasks[at].as<UpdateArgs>();
  const auto is_gradient = [&](const Task& task) {
    if (!task.is(KernelId::matmul) || task.scalar != tasks[at].scalar) return false;
    const auto& args = task.as<MatmulArgs>();
    return args.k == 1 && args.transpose_a && !args.transpose_b && args.packed == nullptr &&
           !args.by_columns && args.bias == nullptr && args.c == update.gradients &&
           args.activation == Activation::identity && args.derivative == Activation::identity &&
           args.n == update.unit && args.m * args.n == update.size && args.n <= most_outer_columns;
  };
  const auto first = find_from(tasks, 0, at, is_gradient);
  if (!first) return false;
  const Task product = tasks[*first];
  const auto& args = product.as<MatmulArgs>();
  if (!is_private(tasks, *first, at, operand_of(tasks[*first], args.c))) return false;
  // It moves down to the update.
  for (std::size_t i = *first + 1; i < at; ++i)
    for (const Operand& operand : product.operands)
      if (writes_to(tasks[i], operand) || (operand.writes() && touches(tasks[i], operand)))
        return false;
  std::vector<Operand> operands = product.operands;
  for (const Operand& operand : tasks[at].operands)
    if (operand.memory != args.c) operands.push_back(operand);
  const OuterUpdateArgs merged{args.a, args.b, args.column_sums, keeps, update};
  tasks[at] = make_task(product.name + " + " + tasks[at].name, KernelId::update_outer,
                        product.scalar, merged, args.m, 1, tasks[at].work, std::move(operands));
  tasks[at].work += product.work;
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(*first));
  return true;
}

} // namespace

namespace {

std::int64_t blocks_of(const MatmulArgs& args) {
  return (args.k + args.k_block - 1) / args.k_block;
}

// Whether a product is worth it: the weights outnumber the products of the blocks by far.
bool has_many_weights(const Task& task, int members) {
  if (!task.is(KernelId::matmul)) return false;
  const auto& args = task.as<MatmulArgs>();
  constexpr std::int64_t least_rows = 8; // of a part
  const std::int64_t blocks = blocks_of(args);
  const bool is_even =
      blocks % members == 0 || (members % blocks == 0 && args.m >= least_rows * (members / blocks));
  return members > 1 && blocks > 1 && is_even && args.k >= 4 * args.m &&
         args.m * args.n >= worth_a_task && args.packed == nullptr && !args.by_columns &&
         !args.transpose_a && !args.transpose_b && args.ldb == args.n &&
         args.derivative == Activation::identity && args.column_sums == nullptr;
}

} // namespace

std::vector<std::pair<Block, std::int64_t>> split_products(std::vector<Task>& tasks, int members) {
  std::vector<std::pair<Block, std::int64_t>> memory;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (!has_many_weights(tasks[i], members)) continue;
    const auto args = tasks[i].as<MatmulArgs>();
    const auto update = find_after(tasks, i, [&](const Task& task) {
      return task.is_update() && task.as<UpdateArgs>().unit == args.n &&
             task.as<UpdateArgs>().parameters == args.b;
    });
    if (!update || !is_private(tasks, i, *update, operand_of(tasks[i], args.b))) continue;
    const std::int64_t blocks = blocks_of(args),
                       parts = std::max<std::int64_t>(members / blocks, 1),
                       bytes = blocks * args.m * args.n * item_bytes(tasks[i]);
    Block room = allocate(bytes);
    const Operand products{room.get(), bytes, Access::write};
    Task sum = tasks[i];
    sum.name = "sum of k-blocks";
    sum.work = {};
    sum.as<MatmulArgs>().by_block = tasks[i].as<MatmulArgs>().by_block = room.get();
    sum.as<MatmulArgs>().part = ProductPart::sum;
    sum.operands = {{room.get(), bytes, Access::read}, operand_of(tasks[i], args.c)};
    Task& product = tasks[i];
    product.as<MatmulArgs>().part = ProductPart::blocks;
    product.as<MatmulArgs>().row_parts = parts;
    product.extent = blocks * parts;
    product.grain = 1;
    std::erase_if(product.operands,
                  [&](const Operand& operand) { return operand.memory == args.c; });
    for (Operand& operand : product.operands) operand.by_slice = false;
    product.operands.push_back(products);
    tasks.insert(tasks.begin() + static_cast<std::ptrdiff_t>(i) + 1, std::move(sum));
    memory.emplace_back(std::move(room), bytes);
    ++i;
  }
  return memory;
}

bool merge_outer_products(std::vector<Task>& tasks, const bool* keeps) {
  bool any = false;
  for (std::size_t i = tasks.size(); i-- > 0;)
    if (tasks[i].is_update() && tasks[i].as<UpdateArgs>().unit > 1 &&
        merge_outer(tasks, i, keeps)) {
      any = true;
      --i;
    }
  return any;
}

void split_updates(std::vector<Task>& tasks) {
  for (std::size_t i = tasks.size(); i-- > 0;)
    if (tasks[i].is_update() && tasks[i].as<UpdateArgs>().unit == 1) split(tasks, i);
}

} // namespace gyaku
