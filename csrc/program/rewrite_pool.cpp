// Poolings moved forward: into the convolution before, or before the mask of ReLU.
#include "program/rewrite.h"

#include "kernels/args/activation.h"
#include "kernels/args/conv.h"
#include "kernels/args/pool.h"

namespace gyaku {

namespace {

// Windows of length and stride two, as many as fit.
bool is_paired(const WindowAxis& axis, std::int64_t size) {
  return axis.size == size && axis.taps == 2 && axis.stride == 2 && axis.dilation == 1 &&
         axis.before == 0 && axis.windows == size / 2;
}

} // namespace

// y = conv(x); p = max_pool(y) of 2 x 2 pixels  ->  rows of y are pooled while they are in the
// cache
bool fuse_pool(std::vector<Task>& tasks, std::size_t first,
               std::span<const Temporary> temporaries) {
  Task& convolution = tasks[first];
  auto& args = convolution.as<ConvArgs>();
  const std::int64_t rows = args.shape.rows.windows, columns = args.shape.columns.windows;
  const std::int64_t channels = std::int64_t{args.shape.groups} * args.shape.filters;
  const bool is_direct = convolution.is(KernelId::conv) || convolution.is(KernelId::conv_pairs);
  if (!is_direct || args.backward || args.unit != rows || args.addend != nullptr) return false;
  const Operand result = operand_of(convolution, args.y);
  if (result.bytes > args.images * (rows / 2) * max_unpooled_bytes) return false;
  const auto second = find_after(tasks, first, [&](const Task& task) {
    if (!task.is(KernelId::max_pool) || task.scalar != convolution.scalar) return false;
    const auto& pool = task.as<PoolArgs>();
    return pool.x == args.y && !pool.wide && is_paired(pool.rows, rows) &&
           is_paired(pool.columns, columns) && pool.channels == channels;
  });
  if (!second || !is_temporary(result, temporaries) || !is_private(tasks, first, *second, result) ||
      !may_move_up(tasks, first, *second))
    return false;
  std::vector<Operand> operands;
  for (const Operand& operand : convolution.operands)
    if (operand.memory != result.memory) operands.push_back(operand);
  for (const Operand& operand : tasks[*second].operands)
    if (operand.writes()) {
      if (touches(convolution, operand)) return false;
      operands.push_back(operand);
    }
  convolution.operands = std::move(operands);
  args.y = tasks[*second].as<PoolArgs>().y;
  args.argmax = tasks[*second].as<PoolArgs>().argmax;
  join(tasks, first, *second);
  return true;
}

// p = max_pool(y), y = relu(x); dx = max_pool'(dp) * relu'(y)  ->  dx = max_pool'(dp * relu'(p))
//
// The gradient of a window goes to its largest element, which is positive where p is. On the fewer
// elements of p, the mask can also be fused with the task that computed dp.
bool commute_pool_backward(std::vector<Task>& tasks, std::size_t pool,
                           std::span<const Temporary> temporaries) {
  auto& args = tasks[pool].as<PoolArgs>();
  const auto second = find_after(tasks, pool, [&](const Task& task) {
    return task.is(KernelId::activation_backward) && task.scalar == tasks[pool].scalar &&
           task.as<ElementwiseArgs>().x == args.y &&
           task.as<ElementwiseArgs>().activation == Activation::relu;
  });
  if (!second) return false;
  const auto forward = find_from(tasks, 0, pool, [&](const Task& task) {
    return task.is(KernelId::max_pool) && task.scalar == tasks[pool].scalar &&
           task.as<PoolArgs>().argmax == args.argmax &&
           task.as<PoolArgs>().x == tasks[*second].as<ElementwiseArgs>().saved;
  });
  if (!forward) return false;
  const Operand unmasked = operand_of(tasks[pool], args.y);
  Operand pooled = operand_of(tasks[*forward], tasks[*forward].as<PoolArgs>().y);
  Operand gradient = operand_of(tasks[pool], args.x), masked = gradient;
  const std::optional<Operand> target = written_by(tasks[*second]);
  if (!target || target->bytes != unmasked.bytes || target->overlaps(unmasked) ||
      !is_temporary(unmasked, temporaries) || !is_private(tasks, pool, *second, unmasked) ||
      masked.bytes > unmasked.bytes || target->overlaps(gradient) || target->overlaps(pooled))
    return false;
  for (std::size_t i = *forward + 1; i < *second; ++i)
    for (const Operand& kept : tasks[*forward].operands)
      if (writes_to(tasks[i], kept)) return false;
  if (!may_move_up(tasks, pool, *second)) return false;
  // The gradient before the mask is now that of the windows, masked.
  pooled.access = Access::read;
  masked.memory = unmasked.memory;
  Task mask = tasks[*second];
  auto& mask_args = mask.as<ElementwiseArgs>();
  mask_args.size = mask_args.size * gradient.bytes / unmasked.bytes;
  mask.work.flops *= static_cast<double>(gradient.bytes) / static_cast<double>(unmasked.bytes);
  if (mask_args.size % mask.extent == 0)
    mask_args.unit = mask_args.size / mask.extent;
  else
    mask.extent = (mask_args.size + mask_args.unit - 1) / mask_args.unit;
  gradient.by_slice = pooled.by_slice = mask_args.unit * mask.extent == mask_args.size;
  mask_args.x = args.x;
  mask_args.saved = pooled.memory;
  mask_args.y = const_cast<void*>(masked.memory);
  mask.operands = {
      gradient, pooled, {masked.memory, masked.bytes, Access::write, gradient.by_slice}};
  args.x = masked.memory;
  args.y = const_cast<void*>(target->memory);
  tasks[pool].operands[0] = masked;
  tasks[pool].operands[1].memory = target->memory;
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(*second));
  tasks.insert(tasks.begin() + static_cast<std::ptrdiff_t>(pool), std::move(mask));
  return true;
}

} // namespace gyaku
