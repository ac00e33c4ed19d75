// Batches scaled as they are gathered, and products that skip zeros.
#include "program/rewrite.h"

#include "kernels/args/gather.h"
#include "kernels/args/gemm.h"
#include "kernels/args/precision.h"

namespace gyaku {

namespace {

// The factor of the product, possibly packed by a task before.
std::optional<Operand> right_of(std::vector<Task>& tasks, Task& product) {
  const auto& args = product.as<MatmulArgs>();
  if (args.packed == nullptr) return operand_of(product, args.b);
  for (Task& task : tasks)
    if (task.is(KernelId::pack) && task.as<PackArgs>().packed == args.packed)
      return operand_of(task, task.as<PackArgs>().b);
  return std::nullopt;
}

// Whether a matrix of a product is a batch, or the data themselves, of many samples; rounded ones
// have the same zeros.
bool are_data(const std::vector<Task>& tasks, const Operand& matrix, std::int64_t samples,
              std::span<const Temporary> temporaries) {
  constexpr std::int64_t many = 100;
  bool is_written = is_temporary(matrix, temporaries);
  for (const Task& task : tasks) {
    if (!writes_to(task, matrix)) continue;
    const std::optional<Operand> batch = written_by(task);
    if (task.is(KernelId::gather) || task.is(KernelId::gather_images) || task.is(KernelId::rescale))
      return batch && batch->memory == matrix.memory;
    if (task.is(KernelId::round_rows))
      return are_data(tasks, task.operands.front(), samples, temporaries);
    is_written = true;
  }
  return !is_written && samples >= many;
}

} // namespace

// b = gather(x); y = scale b  ->  y = scale gather(x), which the gather does as it converts
bool fuse_rescale(std::vector<Task>& tasks, std::size_t first,
                  std::span<const Temporary> temporaries) {
  Task& gather = tasks[first];
  GatherArgs& args =
      gather.is(KernelId::gather) ? gather.as<GatherArgs>() : gather.as<GatherImagesArgs>().rows;
  const auto second = find_after(tasks, first, [&](const Task& task) {
    return task.is(KernelId::rescale) && task.scalar == gather.scalar &&
           task.as<RescaleArgs>().x == args.out &&
           task.as<RescaleArgs>().size == args.rows * args.columns;
  });
  if (!second || args.scale != 1) return false;
  const RescaleArgs& rescale = tasks[*second].as<RescaleArgs>();
  // Pixels shifted in from outside are +0 whatever the scale.
  if (rescale.offset != 0 || !(rescale.scale > 0)) return false;
  Operand& batch = operand_of(gather, args.out);
  if (!can_finish(tasks, first, *second, batch, temporaries)) return false;
  args.scale = rescale.scale;
  batch.memory = args.out = rescale.y;
  join(tasks, first, *second);
  return true;
}

// Many data are mostly zero: margins of images, word counts. Products of the data look for zeros;
// those of the outputs of layers would seldom find any.
bool skip_zeros(std::vector<Task>& tasks, std::size_t product,
                std::span<const Temporary> temporaries) {
  constexpr std::int64_t least_k = 16;
  Task& task = tasks[product];
  auto& args = task.as<MatmulArgs>();
  if (args.by_columns || args.transpose_b || args.k < least_k) return false;
  const std::int64_t samples = args.transpose_a ? args.k : args.m;
  if (!are_data(tasks, operand_of(task, args.a), samples, temporaries)) return false;
  const std::optional<Operand> right = right_of(tasks, task);
  // The product itself may overwrite its packed operand.
  if (!right || writes_to(task, *right)) return false;
  if (args.packed != nullptr) task.operands.push_back(*right);
  args.skips_zeros = true;
  task.name += " (skips zeros)";
  return true;
}

// The same where products are in pairs of bfloat16: their packing looks for zeros.
bool skip_zeros_in_pairs(std::vector<Task>& tasks, std::size_t product,
                         std::span<const Temporary> temporaries) {
  constexpr std::int64_t most_pairs = UINT16_MAX;
  Task& task = tasks[product];
  auto& args = task.as<MatmulArgs>();
  const auto packing_of = [&](const void* packed) {
    return find_from(tasks, 0, product, [&](const Task& each) {
      return each.is(KernelId::pack_pairs) && each.as<PairArgs>().packed == packed;
    });
  };
  const auto left = packing_of(args.a), right = packing_of(args.b);
  if (!left || !right || args.k > 2 * most_pairs) return false;
  auto& of_a = tasks[*left].as<PairArgs>();
  const std::int64_t samples = of_a.step == 1 ? args.m : args.k;
  if (!are_data(tasks, tasks[*left].operands.front(), samples, temporaries)) return false;
  of_a.marks = PairMarks::steps;
  tasks[*right].as<PairArgs>().marks = PairMarks::finite;
  args.skips_zeros = true;
  task.extent = PairsOfA(args.m, of_a.width).tiles;
  task.name += " (skips zeros)";
  return true;
}

} // namespace gyaku
