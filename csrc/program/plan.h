// Where the intermediate results of a program lie: in one arena, where what is no longer needed
// makes room for what is needed next.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program/task.h"
#include "runtime/arena.h"

namespace gyaku {

// Memory that only the tasks of one program know.
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

// Moves the temporaries into an arena and rewrites the tasks to point there. `levels` says between
// which two barriers each task runs: memory is handed on from one level to a later one, never
// within one. A temporary that its first task does not fill as a whole stays where it is.
MemoryPlan plan_memory(std::span<Task> tasks, std::span<const int> levels,
                       std::span<const Temporary> temporaries);

} // namespace gyaku
