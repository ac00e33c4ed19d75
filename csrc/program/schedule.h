// The schedule of tasks: which are parallel, which serial, and where barriers are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "program/task.h"

namespace gyaku {

// A task as executed by the team.
struct ScheduledTask {
  Kernel kernel;
  const void* args;
  std::int64_t extent;
  std::int64_t grain;
  std::size_t task; // index in the sequence
  bool shared;      // sliced over the team; otherwise done by the first member
  bool wait_before; // barrier before it
  // Rows at a time of this step and the next one, while they are in the cache; 0 if the next step
  // runs separately.
  std::int64_t rows_with_next = 0;
  std::int64_t pieces = 1; // of a long step, between which sums over ranks go on
};

// The steps of a stretch of kernels, which must outlive them. Their order differs from that of the
// tasks where that saves barriers: each task comes as early as its dependences allow, and members
// take their own rows through as many tasks as possible between barriers.
std::vector<ScheduledTask> schedule(std::span<const Task* const> tasks);

// Whether a second thread pays for any step.
bool wants_team(std::span<const ScheduledTask> steps);

// Estimated seconds of the tasks on one thread, to an order of magnitude.
double expected_seconds(std::span<const Task> tasks);

// Below this, a team costs more than it gains: a region takes 1.3 us while the threads are awake,
// as they are for some milliseconds after the last one, and 30 us once they sleep.
constexpr double worth_a_team = 12e-6;

} // namespace gyaku
