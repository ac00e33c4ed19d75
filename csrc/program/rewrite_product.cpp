// Products and convolutions that apply elementwise tasks to their results before storing them.
#include "program/rewrite.h"

#include "kernels/args/activation.h"
#include "kernels/args/conv.h"
#include "kernels/args/gemm.h"

namespace gyaku {

namespace {

// The destination of a product or a convolution, and its epilogue.
struct Ending {
  void*& result;
  const void*& saved;
  Activation& activation;
  Activation& derivative;
  double& alpha;
  bool is_dense; // else the result has a row stride

  bool is_free() const {
    return is_dense && activation == Activation::identity && derivative == Activation::identity;
  }
};
template <class Args> Ending ending(Args& args, void*& result, bool is_dense) {
  return {result, args.saved, args.activation, args.derivative, args.alpha, is_dense};
}
Ending ending_of(Task& task) {
  if (task.is_convolution()) return ending(task.as<ConvArgs>(), task.as<ConvArgs>().y, true);
  auto& args = task.as<MatmulArgs>();
  return ending(args, args.c, args.ldc == args.n);
}

// The elementwise task after the one at `first` that reads the whole of its result.
std::optional<std::size_t> find_elementwise(std::vector<Task>& tasks, std::size_t first,
                                            KernelId id) {
  const void* const result = ending_of(tasks[first]).result;
  const std::int64_t bytes = operand_of(tasks[first], result).bytes;
  return find_after(tasks, first, [&](const Task& task) {
    return task.is(id) && task.scalar == tasks[first].scalar &&
           task.as<ElementwiseArgs>().x == result && written_by(task)->bytes == bytes;
  });
}

// Redirects the result.
void redirect(Task& task, void* to) {
  operand_of(task, ending_of(task).result).memory = to;
  ending_of(task).result = to;
}

} // namespace

// z = a b + bias; y = f(z)  ->  y = f(a b + bias), and so for a convolution
bool fuse_activation(std::vector<Task>& tasks, std::size_t first,
                     std::span<const Temporary> temporaries) {
  const Ending ending = ending_of(tasks[first]);
  if (!ending.is_free()) return false;
  const auto second = find_elementwise(tasks, first, KernelId::activation);
  if (!second ||
      !can_finish(tasks, first, *second, operand_of(tasks[first], ending.result), temporaries))
    return false;
  const auto& activation = tasks[*second].as<ElementwiseArgs>();
  ending.activation = activation.activation;
  ending.alpha = activation.alpha;
  redirect(tasks[first], activation.y);
  join(tasks, first, *second);
  return true;
}

// dy = a b; dx = dy * f'(saved)  ->  dx = (a b) * f'(saved), and so for a convolution
bool fuse_derivative(std::vector<Task>& tasks, std::size_t first,
                     std::span<const Temporary> temporaries) {
  const Ending ending = ending_of(tasks[first]);
  if (!ending.is_free()) return false;
  const auto second = find_elementwise(tasks, first, KernelId::activation_backward);
  if (!second) return false;
  const Operand& result = operand_of(tasks[first], ending.result);
  if (!can_finish(tasks, first, *second, result, temporaries)) return false;
  const auto& derivative = tasks[*second].as<ElementwiseArgs>();
  const Operand saved{derivative.saved, result.bytes, Access::read, result.by_slice};
  // The sums are in the target until they are multiplied.
  if (saved.overlaps(result) || saved.overlaps(*written_by(tasks[*second]))) return false;
  ending.derivative = derivative.activation;
  ending.saved = derivative.saved;
  ending.alpha = derivative.alpha;
  tasks[first].operands.push_back(saved);
  redirect(tasks[first], derivative.y);
  join(tasks, first, *second);
  return true;
}

// dw = x^T dy; db = sum of dy's rows  ->  both in one pass over dy
bool fuse_column_sums(std::vector<Task>& tasks, std::size_t first, std::span<const Temporary>) {
  Task& product = tasks[first];
  auto& args = product.as<MatmulArgs>();
  if (product.is(KernelId::matvec) || args.column_sums != nullptr || args.transpose_b) return false;
  const auto second = find_after(tasks, first, [&](const Task& task) {
    return task.is(KernelId::sum_rows) && task.scalar == product.scalar &&
           task.as<SumRowsArgs>().x == args.b && task.as<SumRowsArgs>().rows == args.k &&
           task.as<SumRowsArgs>().columns == args.n && args.ldb == args.n;
  });
  if (!second || args.m == 0 || !may_move_up(tasks, first, *second)) return false;
  const auto& sums = tasks[*second].as<SumRowsArgs>();
  std::vector<Operand> results;
  for (Operand operand : tasks[*second].operands)
    if (operand.writes()) {
      if (touches(product, operand)) return false;
      operand.by_slice = false;
      results.push_back(operand);
    }
  // A packed B may be overwritten by a task that uses the product, and its sums with it.
  if (writes_to(product, operand_of(tasks[*second], args.b))) return false;
  args.column_sums = sums.y;
  args.column_totals = sums.totals;
  product.operands.insert(product.operands.end(), results.begin(), results.end());
  join(tasks, first, *second);
  return true;
}

} // namespace gyaku
