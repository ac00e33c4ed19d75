#include "program/local_ranks.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include <sched.h>

#include "runtime/workers.h"

namespace gyaku {

namespace {

struct MeetingArgs {
  LocalRanks* ranks;
};

struct SumOfRanksArgs {
  void* own;
  const std::vector<const void*>* all;
};

constexpr std::int64_t chunk = 1024; // elements that stay in the first-level cache

template <class T> void sum_ranks(const void* given, Slice slice) noexcept {
  const auto& args = *static_cast<const SumOfRanksArgs*>(given);
  std::array<T, chunk> total;
  for (std::int64_t begin = slice.begin; begin < slice.end; begin += chunk) {
    const std::int64_t count = std::min(chunk, slice.end - begin);
    const auto* first = static_cast<const T*>(args.all->front()) + begin;
    std::copy_n(first, count, total.begin());
    for (std::size_t rank = 1; rank < args.all->size(); ++rank) {
      const auto* const other = static_cast<const T*>((*args.all)[rank]) + begin;
      for (std::int64_t i = 0; i < count; ++i) total[static_cast<std::size_t>(i)] += other[i];
    }
    std::copy_n(total.begin(), count, static_cast<T*>(args.own) + begin);
  }
}

template <class Args> Task task_of(const char* name, Kernel run, const Args& args) {
  Task task;
  task.name = name;
  task.id = KernelId::count; // of no instruction set
  task.kernel = run;
  task.type = &args_type<Args>;
  task.as<Args>() = args;
  return task;
}

} // namespace

Task LocalRanks::meet(std::vector<Operand> memory) {
  Task task = task_of("meet_ranks", &run_meeting, MeetingArgs{this});
  task.operands = std::move(memory);
  for (Operand& operand : task.operands) operand.touched = 0;
  task.operands.push_back({this, 1, Access::update});
  return task;
}

Task LocalRanks::sum(void* own, std::vector<const void*> all, std::int64_t count, Scalar scalar) {
  const bool is_single = scalar == Scalar::float32;
  const std::int64_t bytes = count * (is_single ? 4 : 8);
  const auto ranks = static_cast<double>(all.size());
  sources_.push_back(std::move(all));
  Task task = task_of("sum_ranks", is_single ? &sum_ranks<float> : &sum_ranks<double>,
                      SumOfRanksArgs{own, &sources_.back()});
  task.scalar = scalar;
  task.extent = count;
  task.grain = chunk;
  task.work = Work{ranks - 1, ranks} * static_cast<double>(count);
  task.operands = {{own, bytes, Access::update, true}, {this, 1, Access::read}};
  return task;
}

void LocalRanks::run_meeting(const void* args, Slice) noexcept {
  const LocalRanks& ranks = *static_cast<const MeetingArgs*>(args)->ranks;
  constexpr int spins = 2000;
  const std::uint64_t now =
      ranks.meetings_[ranks.rank_].count.fetch_add(1, std::memory_order_acq_rel) + 1;
  for (int other = 0; other < ranks.size_; ++other)
    for (int left = spins; ranks.meetings_[other].count.load(std::memory_order_acquire) < now;)
      if (left > 0) {
        relax();
        --left;
      } else {
        sched_yield(); // to a rank on the same core
      }
}

bool is_meeting(const Task& task) { return task.takes<MeetingArgs>(); }

} // namespace gyaku
