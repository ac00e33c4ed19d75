// The memory plan: intermediate results of a program in one arena, where the memory of those no
// longer needed is reused.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program/task.h"
#include "runtime/arena.h"

namespace gyaku {

// Memory private to the tasks of one program.
struct Temporary {
  const void* memory;
  std::int64_t bytes;
};

struct MemoryPlan {
  Block arena;
  std::int64_t arena_bytes = 0;
  std::int64_t moved_bytes = 0;   // what the temporaries took before
  std::vector<const void*> moved; // their former addresses
};

// Moves the temporaries into an arena and redirects the tasks. `levels` is the interval between two
// barriers in which each task runs: memory is reused from one level to a later one, never within
// one. A temporary that its first task does not write as a whole is not moved.
MemoryPlan plan_memory(std::span<Task> tasks, std::span<const int> levels,
                       std::span<const Temporary> temporaries);

} // namespace gyaku
