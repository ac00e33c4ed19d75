// Elementwise derivatives merged with the gradients that they multiply.
#include "program/rewrite.h"

#include "kernels/args/activation.h"
#include "kernels/args/loss.h"
#include "kernels/args/random.h"

namespace gyaku {

// y = dropout(relu(x)); dx = dropout(dy) * relu'(x)  ->  dx = y > 0 ? dy * scale : 0
//
// Where y is not positive the element was dropped or ReLU was zero: no mask is drawn again.
bool fuse_dropout_backward(std::vector<Task>& tasks, std::size_t drop,
                           std::span<const Temporary> temporaries) {
  const auto& args = tasks[drop].as<DropoutArgs>();
  const auto second = find_after(tasks, drop, [&](const Task& task) {
    return task.is(KernelId::activation_backward) && task.scalar == tasks[drop].scalar &&
           task.as<ElementwiseArgs>().x == args.y && task.as<ElementwiseArgs>().size == args.size &&
           task.as<ElementwiseArgs>().activation == Activation::relu;
  });
  if (!second) return false;
  const auto forward = find_from(tasks, 0, drop, [&](const Task& task) {
    if (!task.is(KernelId::dropout)) return false;
    const auto& other = task.as<DropoutArgs>();
    return task.scalar == tasks[drop].scalar &&
           other.x == tasks[*second].as<ElementwiseArgs>().saved && other.size == args.size &&
           other.clock == args.clock && other.seed == args.seed && other.stream == args.stream &&
           other.threshold == args.threshold;
  });
  if (!forward) return false;
  const std::optional<Operand> gradient = written_by(tasks[drop]);
  const std::optional<Operand> kept = written_by(tasks[*forward]);
  const Operand clock{args.clock, sizeof(std::int64_t), Access::read};
  if (!gradient || !kept || !is_temporary(*gradient, temporaries) ||
      !is_private(tasks, drop, *second, *gradient))
    return false;
  Task& backward = tasks[*second];
  Operand read = operand_of(tasks[drop], args.x), saved = *kept;
  saved.access = Access::read;
  // The outputs of the two forward tasks are unchanged, and so are their inputs.
  const Operand relu = operand_of(backward, backward.as<ElementwiseArgs>().saved);
  for (std::size_t i = *forward + 1; i < *second; ++i)
    if (writes_to(tasks[i], saved) || writes_to(tasks[i], relu) || writes_to(tasks[i], clock) ||
        (i > drop && writes_to(tasks[i], read)))
      return false;
  const std::optional<Operand> target = written_by(backward);
  if (!target || target->overlaps(saved) ||
      (target->overlaps(read) && target->memory != read.memory))
    return false;
  auto& derivative = backward.as<ElementwiseArgs>();
  derivative.x = args.x;
  derivative.saved = saved.memory;
  derivative.activation = Activation::dropped_relu;
  derivative.alpha = args.scale;
  saved.by_slice = read.by_slice = relu.by_slice;
  backward.operands = {read, saved, *target};
  backward.name = tasks[drop].name + " + " + backward.name;
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(drop));
  return true;
}

// dy = squared_error'(y, t), y = f(z); dz = dy * f'(z)  ->  in one pass
bool fuse_loss_derivative(std::vector<Task>& tasks, std::size_t first,
                          std::span<const Temporary> temporaries) {
  Task& loss = tasks[first];
  auto& args = loss.as<LossArgs>();
  const auto second = find_after(tasks, first, [&](const Task& task) {
    return task.is(KernelId::activation_backward) && task.scalar == loss.scalar &&
           task.as<ElementwiseArgs>().x == args.dy && task.as<ElementwiseArgs>().saved == args.y &&
           task.as<ElementwiseArgs>().size == args.rows * args.columns;
  });
  if (!second || args.derivative != Activation::identity) return false;
  const std::optional<Operand> target = written_by(tasks[*second]);
  Operand& gradient = operand_of(loss, args.dy);
  if (!target || reads_from(loss, *target) || !is_temporary(gradient, temporaries) ||
      !is_private(tasks, first, *second, gradient) || !may_move_up(tasks, first, *second))
    return false;
  const auto& derivative = tasks[*second].as<ElementwiseArgs>();
  args.derivative = derivative.activation;
  args.alpha = derivative.alpha;
  args.dy = derivative.y;
  gradient.memory = derivative.y;
  join(tasks, first, *second);
  return true;
}

} // namespace gyaku
