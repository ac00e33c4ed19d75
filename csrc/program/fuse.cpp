#include "program/fuse.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>

#include "kernels/args/activation.h"
#include "kernels/args/conv.h"
#include "kernels/args/gather.h"
#include "kernels/args/gemm.h"
#include "kernels/args/loss.h"
#include "kernels/args/pool.h"
#include "kernels/args/random.h"

namespace gyaku {

namespace {

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

// Whether the elementwise task at `second` can be done to the result of the one at `first` before
// it is stored.
bool can_finish(const std::vector<Task>& tasks, std::size_t first, std::size_t second,
                const Operand& result, std::span<const Temporary> temporaries) {
  const std::optional<Operand> target = written_by(tasks[second]);
  return target && !reads_from(tasks[first], *target) && is_temporary(result, temporaries) &&
         is_private(tasks, first, second, result) && may_move_up(tasks, first, second);
}

// The operand that begins there.
Operand& operand_of(Task& task, const void* memory) {
  return *std::find_if(task.operands.begin(), task.operands.end(),
                       [&](const Operand& operand) { return operand.memory == memory; });
}

// Where the result of a product or a convolution goes, and what is done to it before it is stored.
struct Ending {
  void*& result;
  const void*& saved;
  Activation& activation;
  Activation& derivative;
  double& alpha;
  bool is_dense; // or rows of the result lie apart

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

// The first task in [begin, end) that `fits`, if any.
template <class F>
std::optional<std::size_t> find_from(const std::vector<Task>& tasks, std::size_t begin,
                                     std::size_t end, F fits) {
  for (std::size_t i = begin; i < end; ++i)
    if (fits(tasks[i])) return i;
  return std::nullopt;
}
template <class F>
std::optional<std::size_t> find_after(const std::vector<Task>& tasks, std::size_t first, F fits) {
  return find_from(tasks, first + 1, tasks.size(), fits);
}

// The task at `first` does the work of the one at `second` as well, which goes.
void join(std::vector<Task>& tasks, std::size_t first, std::size_t second) {
  tasks[first].name += " + " + tasks[second].name;
  tasks[first].flops += tasks[second].flops;
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(second));
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

// Its result goes there instead.
void redirect(Task& task, void* to) {
  operand_of(task, ending_of(task).result).memory = to;
  ending_of(task).result = to;
}

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
  // The sums lie in the target until they are multiplied.
  if (saved.overlaps(result) || saved.overlaps(*written_by(tasks[*second]))) return false;
  ending.derivative = derivative.activation;
  ending.saved = derivative.saved;
  ending.alpha = derivative.alpha;
  tasks[first].operands.push_back(saved);
  redirect(tasks[first], derivative.y);
  join(tasks, first, *second);
  return true;
}

// Windows of two places that lie side by side, as many as fit.
bool is_paired(const WindowAxis& axis, std::int64_t size) {
  return axis.size == size && axis.taps == 2 && axis.stride == 2 && axis.dilation == 1 &&
         axis.before == 0 && axis.windows == size / 2;
}

// y = conv(x); p = max_pool(y) of 2 x 2 pixels  ->  rows of y are pooled while they are in the
// cache
bool fuse_pool(std::vector<Task>& tasks, std::size_t first,
               std::span<const Temporary> temporaries) {
  Task& convolution = tasks[first];
  auto& args = convolution.as<ConvArgs>();
  const std::int64_t rows = args.shape.rows.windows, columns = args.shape.columns.windows;
  const std::int64_t channels = std::int64_t{args.shape.groups} * args.shape.filters;
  if (!convolution.is(KernelId::conv) || args.backward || args.unit != rows) return false;
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

// dw = x^T dy; db = sum of dy's rows  ->  both in one pass over dy
bool fuse_column_sums(std::vector<Task>& tasks, std::size_t first) {
  Task& product = tasks[first];
  auto& args = product.as<MatmulArgs>();
  if (product.is(KernelId::matvec) || args.column_sums != nullptr || args.transpose_b) return false;
  const auto second = find_after(tasks, first, [&](const Task& task) {
    return task.is(KernelId::sum_rows) && task.scalar == product.scalar &&
           task.as<SumRowsArgs>().x == args.b && task.as<SumRowsArgs>().rows == args.k &&
           task.as<SumRowsArgs>().columns == args.n && args.ldb == args.n;
  });
  if (!second || args.m == 0 || !may_move_up(tasks, first, *second)) return false;
  const std::optional<Operand> sums = written_by(tasks[*second]);
  const Operand b = operand_of(tasks[*second], args.b);
  // A packed B may be overwritten by what was made of the product, and its sums with it.
  if (!sums || touches(product, *sums) || writes_to(product, b)) return false;
  args.column_sums = tasks[*second].as<SumRowsArgs>().y;
  product.operands.push_back(*sums);
  product.operands.back().by_slice = false;
  join(tasks, first, *second);
  return true;
}

// y = dropout(relu(x)); dx = dropout(dy) * relu'(x)  ->  dx = y > 0 ? dy * scale : 0
//
// Where y is not above zero the number was dropped or ReLU was off: no mask is drawn again.
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
  // What the two forward tasks left behind is still there, and so is what they were made from.
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

// p = max_pool(y), y = relu(x); dx = max_pool'(dp) * relu'(y)  ->  dx = max_pool'(dp * relu'(p))
//
// What a window hands back goes to the number that was its largest, and that is above zero where p
// is. Done to p's fewer numbers, it may also be joined with what made dp.
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
  // What was the gradient before the mask now holds the masked one of the windows.
  pooled.access = Access::read;
  masked.memory = unmasked.memory;
  Task mask = tasks[*second];
  auto& mask_args = mask.as<ElementwiseArgs>();
  mask_args.size = mask_args.size * gradient.bytes / unmasked.bytes;
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

// The same rows gathered twice, as inputs and as targets of an autoencoder  ->  once
bool share_gathered(std::vector<Task>& tasks, std::size_t first,
                    std::span<const Temporary> temporaries) {
  const auto& args = tasks[first].as<GatherArgs>();
  const auto second = find_after(tasks, first, [&](const Task& task) {
    if (!task.is(KernelId::gather) || task.scalar != tasks[first].scalar) return false;
    GatherArgs other = task.as<GatherArgs>();
    other.out = args.out;
    return std::memcmp(&other, &args, sizeof other) == 0;
  });
  if (!second) return false;
  const void* const copy = tasks[*second].as<GatherArgs>().out;
  const std::optional<Operand> kept = written_by(tasks[first]);
  const std::optional<Operand> gone = written_by(tasks[*second]);
  if (!kept || !gone || !is_temporary(*kept, temporaries) || !is_temporary(*gone, temporaries) ||
      kept->overlaps(*gone))
    return false;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (i == first || i == *second) continue;
    // Neither is ever changed, and the second one is known by its beginning alone.
    if (tasks[i].is_host() || writes_to(tasks[i], *kept) || writes_to(tasks[i], *gone))
      return false;
    for (const Operand& operand : tasks[i].operands)
      if (operand.overlaps(*gone) && (operand.memory != copy || i < *second)) return false;
    for (const Operand& read : tasks[*second].operands)
      if (i > first && i < *second && !read.writes() && writes_to(tasks[i], read)) return false;
  }
  for (Task& task : tasks)
    if (touches(task, *gone) && &task != &tasks[*second]) task.redirect(copy, args.out);
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(*second));
  return true;
}

// What the product multiplies by, which may have been packed by a task before.
std::optional<Operand> right_of(std::vector<Task>& tasks, Task& product) {
  const auto& args = product.as<MatmulArgs>();
  if (args.packed == nullptr) return operand_of(product, args.b);
  for (Task& task : tasks)
    if (task.is(KernelId::pack) && task.as<PackArgs>().packed == args.packed)
      return operand_of(task, task.as<PackArgs>().b);
  return std::nullopt;
}

// Many data are mostly zero: the margins of images, counts of words. Products of a gathered batch
// look for that; those of what layers made of it would seldom find any.
void skip_zeros(std::vector<Task>& tasks, std::size_t gather) {
  constexpr std::int64_t few_terms = 16;
  const std::optional<Operand> batch = written_by(tasks[gather]);
  for (Task& task : tasks) {
    if (!batch || !task.is(KernelId::matmul) || task.scalar != Scalar::float32) continue;
    auto& args = task.as<MatmulArgs>();
    if (args.a != batch->memory || args.by_columns || args.transpose_b || args.k < few_terms)
      continue;
    const std::optional<Operand> right = right_of(tasks, task);
    // What was packed may be written over by the product itself.
    if (!right || writes_to(task, *right)) continue;
    if (args.packed != nullptr) task.operands.push_back(*right);
    args.skips_zeros = true;
    task.name += " (skips zeros)";
  }
}

} // namespace

void fuse(std::vector<Task>& tasks, std::span<const Temporary> temporaries) {
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (tasks[i].is(KernelId::gather)) share_gathered(tasks, i, temporaries);
  for (std::size_t i = 0; i < tasks.size();)
    if (!tasks[i].is(KernelId::dropout) || !fuse_dropout_backward(tasks, i, temporaries)) ++i;
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (tasks[i].is(KernelId::max_pool_backward)) commute_pool_backward(tasks, i, temporaries);
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (tasks[i].is(KernelId::squared_error)) fuse_loss_derivative(tasks, i, temporaries);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (!tasks[i].is_product() && !tasks[i].is_convolution()) continue;
    if (!fuse_activation(tasks, i, temporaries)) fuse_derivative(tasks, i, temporaries);
    if (tasks[i].is_product())
      fuse_column_sums(tasks, i);
    else
      fuse_pool(tasks, i, temporaries);
  }
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (tasks[i].is(KernelId::gather) || tasks[i].is(KernelId::gather_images)) skip_zeros(tasks, i);
}

} // namespace gyaku
