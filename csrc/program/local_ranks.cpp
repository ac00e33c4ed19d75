#include "program/local_ranks.h"

#include <utility>

#include <sched.h>

#include "kernels/args/optimizer.h"
#include "runtime/workers.h"

namespace gyaku {

namespace {

struct MeetingArgs {
  LocalRanks* ranks;
};

constexpr std::int64_t grain = 64; // elements, as of an update, which may follow in pieces

} // namespace

Task LocalRanks::meet(std::vector<Operand> memory) {
  Task task;
  task.name = "meet_ranks";
  task.id = KernelId::count; // of no instruction set
  task.kernel = &run_meeting;
  task.type = &args_type<MeetingArgs>;
  task.as<MeetingArgs>() = {this};
  task.operands = std::move(memory);
  for (Operand& operand : task.operands) operand.touched = 0;
  task.operands.push_back({this, 1, Access::update});
  return task;
}

Task LocalRanks::sum(void* own, std::vector<const void*> all, std::int64_t count, Scalar scalar) {
  const auto& sources = sources_.emplace_back(std::move(all));
  const auto ranks = static_cast<std::int64_t>(sources.size());
  const std::int64_t bytes = count * (scalar == Scalar::float32 ? 4 : 8);
  const Work work{static_cast<double>(ranks - 1), static_cast<double>(ranks)};
  return make_task("sum_ranks", KernelId::sum_ranks, scalar,
                   SumRanksArgs{own, sources.data(), ranks}, count, grain,
                   work * static_cast<double>(count),
                   {{own, bytes, Access::update, true}, {this, 1, Access::read}});
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
