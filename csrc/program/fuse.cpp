#include "program/fuse.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace gyaku {

namespace {

bool is_product(const Task& task) {
  return task.is(KernelId::matmul) || task.is(KernelId::matmul_small) ||
         task.is(KernelId::matmul_rows) || task.is(KernelId::matmul_dot) ||
         task.is(KernelId::matvec);
}

bool touches(const Task& task, const Operand& memory) {
  return std::any_of(task.operands.begin(), task.operands.end(),
                     [&](const Operand& operand) { return operand.overlaps(memory); });
}

bool writes_to(const Task& task, const Operand& memory) {
  return std::any_of(task.operands.begin(), task.operands.end(), [&](const Operand& operand) {
    return operand.writes() && operand.overlaps(memory);
  });
}

bool reads_from(const Task& task, const Operand& memory) {
  return std::any_of(task.operands.begin(), task.operands.end(), [&](const Operand& operand) {
    return operand.access != Access::write && operand.overlaps(memory);
  });
}

bool is_temporary(const Operand& memory, std::span<const Temporary> temporaries) {
  const auto* begin = static_cast<const std::byte*>(memory.memory);
  return std::any_of(temporaries.begin(), temporaries.end(), [&](const Temporary& temporary) {
    const auto* start = static_cast<const std::byte*>(temporary.memory);
    return start <= begin && begin + memory.bytes <= start + temporary.bytes;
  });
}

// What the task writes, if that is one stretch of memory.
std::optional<Operand> written_by(const Task& task) {
  std::optional<Operand> written;
  for (const Operand& operand : task.operands)
    if (operand.writes()) {
      if (written) return std::nullopt;
      written = operand;
    }
  return written;
}

// Whether nobody but the tasks at `first` and `second` knows this memory.
bool is_private(const std::vector<Task>& tasks, std::size_t first, std::size_t second,
                const Operand& memory) {
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (i != first && i != second && touches(tasks[i], memory)) return false;
  return true;
}

// Whether the work of the task at `second` may be done at `first` already: nobody in between writes
// what it reads or touches what it writes.
bool may_move_up(const std::vector<Task>& tasks, std::size_t first, std::size_t second) {
  for (std::size_t i = first + 1; i < second; ++i)
    for (const Operand& operand : tasks[second].operands)
      if (writes_to(tasks[i], operand) || (operand.writes() && touches(tasks[i], operand)))
        return false;
  return true;
}

// Whether the elementwise task at `second` can be done to the product at `first` before it is
// stored.
bool can_finish(const std::vector<Task>& tasks, std::size_t first, std::size_t second,
                const Operand& result, std::span<const Temporary> temporaries) {
  const std::optional<Operand> target = written_by(tasks[second]);
  return target && !reads_from(tasks[first], *target) && is_temporary(result, temporaries) &&
         is_private(tasks, first, second, result) && may_move_up(tasks, first, second);
}

// The operand of a product that is its result.
Operand& result_of(Task& product) {
  return *std::find_if(
      product.operands.begin(), product.operands.end(),
      [&](const Operand& operand) { return operand.memory == product.as<MatmulArgs>().c; });
}

// The task after `first` that `fits`, if any.
template <class F>
std::optional<std::size_t> find_after(const std::vector<Task>& tasks, std::size_t first, F fits) {
  for (std::size_t i = first + 1; i < tasks.size(); ++i)
    if (fits(tasks[i])) return i;
  return std::nullopt;
}

// The product at `first` does the work of the task at `second` as well, which goes.
void join(std::vector<Task>& tasks, std::size_t first, std::size_t second) {
  tasks[first].name += " + " + tasks[second].name;
  tasks[first].flops += tasks[second].flops;
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(second));
}

// It writes there instead.
void redirect(Task& product, void* to) {
  result_of(product).memory = to;
  product.as<MatmulArgs>().c = to;
}

// z = a b + bias; y = f(z)  ->  y = f(a b + bias)
bool fuse_activation(std::vector<Task>& tasks, std::size_t first,
                     std::span<const Temporary> temporaries) {
  Task& product = tasks[first];
  auto& args = product.as<MatmulArgs>();
  if (args.activation != Activation::identity || args.derivative != Activation::identity)
    return false;
  const auto second = find_after(tasks, first, [&](const Task& task) {
    return task.is(KernelId::activation) && task.scalar == product.scalar &&
           task.as<ElementwiseArgs>().x == args.c &&
           task.as<ElementwiseArgs>().size == args.m * args.n;
  });
  if (!second || !can_finish(tasks, first, *second, result_of(product), temporaries)) return false;
  const auto& activation = tasks[*second].as<ElementwiseArgs>();
  args.activation = activation.activation;
  args.alpha = activation.alpha;
  redirect(product, activation.y);
  join(tasks, first, *second);
  return true;
}

// dy = a b; dx = dy * f'(saved)  ->  dx = (a b) * f'(saved)
bool fuse_derivative(std::vector<Task>& tasks, std::size_t first,
                     std::span<const Temporary> temporaries) {
  Task& product = tasks[first];
  auto& args = product.as<MatmulArgs>();
  if (args.activation != Activation::identity || args.derivative != Activation::identity)
    return false;
  const auto second = find_after(tasks, first, [&](const Task& task) {
    return task.is(KernelId::activation_backward) && task.scalar == product.scalar &&
           task.as<ElementwiseArgs>().x == args.c &&
           task.as<ElementwiseArgs>().size == args.m * args.n;
  });
  if (!second || !can_finish(tasks, first, *second, result_of(product), temporaries)) return false;
  const auto& derivative = tasks[*second].as<ElementwiseArgs>();
  const Operand& result = result_of(product);
  const Operand saved{derivative.saved, result.bytes, Access::read, result.by_slice};
  // The product's sums lie in the target until they are multiplied.
  if (saved.overlaps(result) || saved.overlaps(*written_by(tasks[*second]))) return false;
  args.derivative = derivative.activation;
  args.saved = derivative.saved;
  args.alpha = derivative.alpha;
  product.operands.push_back(saved);
  redirect(product, derivative.y);
  join(tasks, first, *second);
  return true;
}

// dw = x^T dy; db = sum of dy's rows  ->  both in one pass over dy
bool fuse_column_sums(std::vector<Task>& tasks, std::size_t first) {
  Task& product = tasks[first];
  auto& args = product.as<MatmulArgs>();
  if (product.is(KernelId::matvec) || args.column_sums != nullptr || args.transpose_b) return false;
  const auto second = find_after(tasks, first, [&](const Task& task) {
    return task.is(KernelId::sum_rows) && task.scalar == product.scalar &&
           task.as<SumRowsArgs>().x == args.b && task.as<SumRowsArgs>().rows == args.k &&
           task.as<SumRowsArgs>().columns == args.n;
  });
  if (!second || args.m == 0 || !may_move_up(tasks, first, *second)) return false;
  const std::optional<Operand> sums = written_by(tasks[*second]);
  if (!sums || touches(product, *sums)) return false;
  args.column_sums = tasks[*second].as<SumRowsArgs>().y;
  product.operands.push_back(*sums);
  product.operands.back().by_slice = false;
  join(tasks, first, *second);
  return true;
}

} // namespace

void fuse(std::vector<Task>& tasks, std::span<const Temporary> temporaries) {
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (!is_product(tasks[i])) continue;
    if (!fuse_activation(tasks, i, temporaries)) fuse_derivative(tasks, i, temporaries);
    fuse_column_sums(tasks, i);
  }
}

} // namespace gyaku
