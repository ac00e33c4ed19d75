// When which task of a sequence may run: what shares the team, what runs alone, where to wait.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program/task.h"

namespace gyaku {

// A task as the team meets it.
struct ScheduledTask {
  Kernel kernel;
  const void* args;
  std::int64_t extent;
  std::int64_t grain;
  std::size_t task; // its place in the sequence
  bool shared;      // sliced over the team; otherwise the first member does it whole
  bool wait_before; // for all that came before it
  // How many rows at a time go through this step and the next one, while they are in the cache; 0
  // if the next step is by itself.
  std::int64_t rows_with_next = 0;
};

// The steps of a stretch of kernels, which must outlive them. Their order differs from that of the
// tasks where that saves waiting: each task comes as early as what it depends on allows, and
// members carry their own rows through as many tasks as they can before they wait for each other.
std::vector<ScheduledTask> schedule(std::span<const Task* const> tasks);

// Whether any step is worth a second thread.
bool wants_team(std::span<const ScheduledTask> steps);

// How long the tasks may take on one thread: the right order of magnitude, no more.
double expected_seconds(std::span<const Task> tasks);

// Below this, a team costs more than it gains: a region takes 1.3 us while the threads are awake,
// as they are for some milliseconds after the last one, and 30 us once they sleep.
constexpr double worth_a_team = 12e-6;

} // namespace gyaku
