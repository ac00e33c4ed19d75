// The ranks of one machine, whose gradients are in common memory, as tasks.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "program/task.h"

namespace gyaku {

// A rank's counter of meetings, in the common memory; 0 at first.
struct alignas(64) Meetings {
  std::atomic<std::uint64_t> count;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

// All of them must run the same tasks in the same order, as replays of a program that each of them
// has recorded do.
class LocalRanks {
public:
  LocalRanks(Meetings* meetings, int rank, int size)
      : meetings_(meetings), rank_(rank), size_(size) {}
  LocalRanks(const LocalRanks&) = delete;
  LocalRanks& operator=(const LocalRanks&) = delete;

  // Waits for all ranks. They see what this one did before to `memory`, and it sees what they did.
  Task meet(std::vector<Operand> memory);
  // Writes the sum of the ranks' elements, in the order of the ranks, over those of this one.
  Task sum(void* own, std::vector<const void*> all, std::int64_t count, Scalar scalar);

private:
  static void run_meeting(const void* args, Slice) noexcept;

  Meetings* meetings_;
  int rank_, size_;
  std::deque<std::vector<const void*>> sources_; // at addresses that stay
};

// Whether a task waits for other ranks of this machine.
bool is_meeting(const Task& task);

} // namespace gyaku
