// Results that two tasks compute alike, computed once.
#include "program/rewrite.h"

#include <cstring>

#include "kernels/args/gather.h"
#include "kernels/args/precision.h"

namespace gyaku {

namespace {

// A task with the arguments of the one at `first`, but for the memory of its result `y`, is left
// out, and its result is that of the first.
template <class Args>
bool share(std::vector<Task>& tasks, std::size_t first, std::span<const Temporary> temporaries,
           void* Args::* y) {
  const auto& args = tasks[first].as<Args>();
  const auto second = find_after(tasks, first, [&](const Task& task) {
    if (!task.is(tasks[first].id) || task.scalar != tasks[first].scalar) return false;
    Args other = task.as<Args>();
    other.*y = args.*y;
    return std::memcmp(&other, &args, sizeof other) == 0;
  });
  if (!second) return false;
  const Task& later = tasks[*second];
  const void* const copy = later.as<Args>().*y;
  const std::optional<Operand> kept = written_by(tasks[first]);
  const std::optional<Operand> gone = written_by(tasks[*second]);
  if (!kept || !gone || !is_temporary(*kept, temporaries) || !is_temporary(*gone, temporaries) ||
      kept->overlaps(*gone))
    return false;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (i == first || i == *second) continue;
    // Neither is modified afterwards, and every use of the second begins at its first byte.
    if (tasks[i].is_host() || writes_to(tasks[i], *kept) || writes_to(tasks[i], *gone))
      return false;
    for (const Operand& operand : tasks[i].operands)
      if (operand.overlaps(*gone) && (operand.memory != copy || i < *second)) return false;
    for (const Operand& read : tasks[*second].operands)
      if (i > first && i < *second && !read.writes() && writes_to(tasks[i], read)) return false;
  }
  for (Task& task : tasks)
    if (touches(task, *gone) && &task != &tasks[*second]) task.redirect(copy, args.*y);
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(*second));
  return true;
}

} // namespace

// The same rows gathered twice, as inputs and as targets of an autoencoder  ->  once
bool share_gathered(std::vector<Task>& tasks, std::size_t first,
                    std::span<const Temporary> temporaries) {
  return share(tasks, first, temporaries, &GatherArgs::out);
}

// The same operand rounded for several products, of the forward and the backward pass  ->  once
bool share_rounded(std::vector<Task>& tasks, std::size_t first,
                   std::span<const Temporary> temporaries) {
  bool is_shared = false;
  while (share(tasks, first, temporaries, &RoundArgs::y)) is_shared = true;
  return is_shared;
}

// The same operand packed for several products, of two weights of a recurrent layer  ->  once
bool share_packed(std::vector<Task>& tasks, std::size_t first,
                  std::span<const Temporary> temporaries) {
  bool is_shared = false;
  while (share(tasks, first, temporaries, &PairArgs::packed)) is_shared = true;
  return is_shared;
}

} // namespace gyaku
