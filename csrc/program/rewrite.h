// Conditions of rewrites: memory accesses of tasks, and whether a task may run earlier.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "program/plan.h"
#include "program/task.h"

namespace gyaku {

bool touches(const Task& task, const Operand& memory);
bool writes_to(const Task& task, const Operand& memory);
bool reads_from(const Task& task, const Operand& memory);
bool is_temporary(const Operand& memory, std::span<const Temporary> temporaries);

// The memory that the task writes, if it is contiguous.
std::optional<Operand> written_by(const Task& task);

// The operand that begins there.
Operand& operand_of(Task& task, const void* memory);

// Whether only the tasks at `first` and `second` touch this memory.
bool is_private(const std::vector<Task>& tasks, std::size_t first, std::size_t second,
                const Operand& memory);

// Whether the work of the task at `second` may be done at `first`: no task in between writes its
// inputs or touches its outputs.
bool may_move_up(const std::vector<Task>& tasks, std::size_t first, std::size_t second);

// Whether the elementwise task at `second` can be applied to the result of the one at `first`
// before it is stored.
bool can_finish(const std::vector<Task>& tasks, std::size_t first, std::size_t second,
                const Operand& result, std::span<const Temporary> temporaries);

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

// Lets the task at `first` do the work of the one at `second`, which is removed.
void join(std::vector<Task>& tasks, std::size_t first, std::size_t second);

// The rewrites. Each looks for tasks to merge with the one at `first`, and returns whether it has.
using Rewrite = bool(std::vector<Task>& tasks, std::size_t first,
                     std::span<const Temporary> temporaries);
Rewrite fuse_rescale; // rewrite_gather.cpp
Rewrite skip_zeros, skip_zeros_in_pairs;
Rewrite share_gathered, share_rounded, share_packed; // rewrite_shared.cpp
Rewrite fuse_dropout_backward, fuse_loss_derivative; // rewrite_elementwise.cpp
Rewrite fuse_pool, commute_pool_backward;            // rewrite_pool.cpp
Rewrite fuse_sum, fuse_activation, fuse_derivative;  // rewrite_product.cpp
Rewrite fuse_column_sums, fuse_packed_sums;

} // namespace gyaku
