// Products, convolutions and normalisations that apply elementwise tasks to their results before
// storing them.
#include "program/rewrite.h"

#include "kernels/args/activation.h"
#include "kernels/args/conv.h"
#include "kernels/args/gemm.h"
#include "kernels/args/norm.h"
#include "kernels/args/precision.h"

namespace gyaku {

namespace {

// The destination of a task, and its epilogue; null where there is none.
struct Ending {
  void** result;
  Activation* activation;
  const void** addend = nullptr; // before the activation
  Activation* derivative = nullptr;
  const void** saved = nullptr; // for the derivative
  double* alpha = nullptr;      // without it the activation is ReLU
  bool is_dense = true;         // else the result has a row stride

  bool is_free() const {
    return is_dense && *activation == Activation::identity &&
           (derivative == nullptr || *derivative == Activation::identity);
  }
};
Ending ending_of(Task& task) {
  if (task.is(KernelId::batch_norm)) {
    auto& args = task.as<NormArgs>();
    return {&args.y, &args.activation, &args.addend};
  }
  if (task.is_convolution()) {
    auto& args = task.as<ConvArgs>();
    const bool is_direct = task.is(KernelId::conv) || task.is(KernelId::conv_pairs);
    const bool can_add = task.is(KernelId::conv_winograd) || (is_direct && args.argmax == nullptr);
    const void** const addend = can_add ? &args.addend : nullptr;
    return {&args.y, &args.activation, addend, &args.derivative, &args.saved, &args.alpha};
  }
  auto& args = task.as<MatmulArgs>();
  return {&args.c,     &args.activation, nullptr,           &args.derivative,
          &args.saved, &args.alpha,      args.ldc == args.n};
}

// The elementwise task after the one at `first` that reads the whole of its result.
std::optional<std::size_t> find_elementwise(std::vector<Task>& tasks, std::size_t first,
                                            KernelId id) {
  const void* const result = *ending_of(tasks[first]).result;
  const std::int64_t bytes = operand_of(tasks[first], result).bytes;
  return find_after(tasks, first, [&](const Task& task) {
    return task.is(id) && task.scalar == tasks[first].scalar &&
           (task.as<ElementwiseArgs>().x == result ||
            (id == KernelId::add && task.as<ElementwiseArgs>().saved == result)) &&
           written_by(task)->bytes == bytes;
  });
}

// Redirects the result.
void redirect(Task& task, void* to) {
  void*& result = *ending_of(task).result;
  operand_of(task, result).memory = to;
  result = to;
}

} // namespace

// y = conv(x); z = y + b  ->  z = conv(x) + b, and so for a normalisation
bool fuse_sum(std::vector<Task>& tasks, std::size_t first, std::span<const Temporary> temporaries) {
  const Ending ending = ending_of(tasks[first]);
  if (ending.addend == nullptr || *ending.addend != nullptr || !ending.is_free()) return false;
  const auto second = find_elementwise(tasks, first, KernelId::add);
  if (!second) return false;
  const Operand& result = operand_of(tasks[first], *ending.result);
  if (!can_finish(tasks, first, *second, result, temporaries)) return false;
  const auto& sum = tasks[*second].as<ElementwiseArgs>();
  const void* const other = sum.x == *ending.result ? sum.saved : sum.x;
  const Operand addend{other, result.bytes, Access::read, result.by_slice};
  if (addend.overlaps(result) || addend.overlaps(*written_by(tasks[*second]))) return false;
  *ending.addend = other;
  redirect(tasks[first], sum.y);
  tasks[first].operands.push_back(addend);
  join(tasks, first, *second);
  return true;
}

// z = a b + bias; y = f(z)  ->  y = f(a b + bias), and so for a convolution or a normalisation
bool fuse_activation(std::vector<Task>& tasks, std::size_t first,
                     std::span<const Temporary> temporaries) {
  const Ending ending = ending_of(tasks[first]);
  if (!ending.is_free()) return false;
  const auto second = find_elementwise(tasks, first, KernelId::activation);
  if (!second ||
      !can_finish(tasks, first, *second, operand_of(tasks[first], *ending.result), temporaries))
    return false;
  const auto& activation = tasks[*second].as<ElementwiseArgs>();
  if (ending.alpha != nullptr)
    *ending.alpha = activation.alpha;
  else if (activation.activation != Activation::relu)
    return false;
  *ending.activation = activation.activation;
  redirect(tasks[first], activation.y);
  join(tasks, first, *second);
  return true;
}

// dy = a b; dx = dy * f'(saved)  ->  dx = (a b) * f'(saved), and so for a convolution
bool fuse_derivative(std::vector<Task>& tasks, std::size_t first,
                     std::span<const Temporary> temporaries) {
  const Ending ending = ending_of(tasks[first]);
  if (ending.derivative == nullptr || !ending.is_free()) return false;
  const auto second = find_elementwise(tasks, first, KernelId::activation_backward);
  if (!second) return false;
  const Operand& result = operand_of(tasks[first], *ending.result);
  if (!can_finish(tasks, first, *second, result, temporaries)) return false;
  const auto& derivative = tasks[*second].as<ElementwiseArgs>();
  const Operand saved{derivative.saved, result.bytes, Access::read, result.by_slice};
  // The sums are in the target until they are multiplied.
  if (saved.overlaps(result) || saved.overlaps(*written_by(tasks[*second]))) return false;
  *ending.derivative = derivative.activation;
  *ending.saved = derivative.saved;
  *ending.alpha = derivative.alpha;
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

// dy in pairs of bfloat16; db = sum of dy's rows, rounded  ->  both in one pass over dy
bool fuse_packed_sums(std::vector<Task>& tasks, std::size_t first,
                      std::span<const Temporary> temporaries) {
  Task& packing = tasks[first];
  auto& args = packing.as<PairArgs>();
  const std::int64_t panel = kernels().tile[static_cast<int>(packing.scalar)].panel;
  if (args.sums != nullptr || args.width != panel || args.stride != 1 || args.step != args.n)
    return false;
  const auto rounded = find_after(tasks, first, [&](const Task& task) {
    return task.is(KernelId::round_rows) && task.as<RoundArgs>().x == args.x &&
           task.as<RoundArgs>().size == args.k * args.n &&
           task.as<RoundArgs>().stride == task.as<RoundArgs>().columns;
  });
  if (!rounded) return false;
  const Operand copy = *written_by(tasks[*rounded]);
  const auto second = find_after(tasks, *rounded, [&](const Task& task) {
    return task.is(KernelId::sum_rows) && task.as<SumRowsArgs>().x == copy.memory &&
           task.as<SumRowsArgs>().rows == args.k && task.as<SumRowsArgs>().columns == args.n;
  });
  if (!second || !is_temporary(copy, temporaries) || !is_private(tasks, *rounded, *second, copy))
    return false;
  const Operand& source = operand_of(packing, args.x);
  std::vector<Operand> results;
  for (Operand operand : tasks[*second].operands)
    if (operand.writes()) {
      operand.by_slice = false;
      results.push_back(operand);
    }
  for (std::size_t i = first; i < *second; ++i) {
    if (i < *rounded && writes_to(tasks[i], source)) return false;
    for (const Operand& result : results)
      if (touches(tasks[i], result)) return false;
  }
  const auto& sums = tasks[*second].as<SumRowsArgs>();
  args.sums = sums.y;
  args.totals = sums.totals;
  packing.operands.insert(packing.operands.end(), results.begin(), results.end());
  join(tasks, first, *second);
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(*rounded));
  return true;
}

} // namespace gyaku
