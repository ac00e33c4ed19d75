#include "program/schedule.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <tuple>

#include "kernels/args/activation.h"
#include "kernels/args/norm.h"
#include "kernels/args/pool.h"
#include "program/access_index.h"
#include "runtime/cpu.h"

namespace gyaku {

namespace {

// Expected seconds of a task on one thread, for a machine of 100 GFLOP/s and 50 GB/s: accurate
// enough to decide whether parallel execution pays.
double cost(const Task& task) { return std::max(task.work.weight / 100e9, task.bytes() / 50e9); }

// Below this a barrier and a second core's cold cache cost more than the second core gains.
constexpr double worth_sharing = 3e-6;

bool can_be_cut(const Task& task) { return task.extent > task.grain; }

bool same_slices(const Task& a, const Task& b) {
  return a.extent == b.extent && a.grain == b.grain;
}

// Whether each member of the team needs only its own slice of the accesses of `earlier` to `a` when
// `later` uses it as `b`.
bool is_own_slice(const Task& earlier, const Operand& a, const Task& later, const Operand& b) {
  return same_slices(earlier, later) && a.by_slice && b.by_slice && a.memory == b.memory &&
         a.bytes == b.bytes;
}

// An earlier task that a task must wait for.
struct Dependence {
  std::size_t earlier;
  bool own_slice; // no barrier: members depend on their own slices only
};
using Dependences = std::vector<std::vector<Dependence>>; // of each task

Dependences dependences_of(std::span<const Task* const> tasks) {
  const AccessIndex index(tasks);
  Dependences dependences(tasks.size());
  for (std::size_t later = 0; later < tasks.size(); ++later)
    for (const Operand& b : tasks[later]->operands)
      index.each_conflict(later, b, [&](std::size_t earlier, const Operand& a) {
        dependences[later].push_back({earlier, is_own_slice(*tasks[earlier], a, *tasks[later], b)});
      });
  return dependences;
}

// Minimal number of barriers before each task, given which tasks are parallel.
std::vector<int> levels_of(const Dependences& dependences, const std::vector<bool>& shared) {
  std::vector<int> levels(dependences.size(), 0);
  for (std::size_t later = 0; later < levels.size(); ++later)
    for (const auto& [earlier, own_slice] : dependences[later]) {
      // Tasks of one member are in order without a barrier, and so are its own slices.
      const bool by_itself = shared[earlier] == shared[later] && (!shared[later] || own_slice);
      levels[later] = std::max(levels[later], levels[earlier] + (by_itself ? 0 : 1));
    }
  return levels;
}

// First assumes that all divisible tasks are parallel; then decides together for the tasks between
// two barriers over the same slices.
std::vector<bool> shared_of(std::span<const Task* const> tasks, const Dependences& dependences) {
  std::vector<bool> shared(tasks.size());
  std::transform(tasks.begin(), tasks.end(), shared.begin(),
                 [](const Task* task) { return can_be_cut(*task); });
  const std::vector<int> levels = levels_of(dependences, shared);
  const auto together = [&](std::size_t i) {
    return std::tuple(levels[i], tasks[i]->extent, tasks[i]->grain);
  };
  std::map<std::tuple<int, std::int64_t, std::int64_t>, double> seconds;
  for (std::size_t i = 0; i < tasks.size(); ++i) seconds[together(i)] += cost(*tasks[i]);
  for (std::size_t i = 0; i < tasks.size(); ++i)
    shared[i] = shared[i] && seconds[together(i)] >= worth_sharing;
  return shared;
}

bool conflict(const Task& one, const Task& other) {
  for (const Operand& a : one.operands)
    for (const Operand& b : other.operands)
      if ((a.writes() || b.writes()) && a.overlaps(b)) return true;
  return false;
}

// Whether the update at `later` reads the rows that the product or sum at `earlier` computes, each
// member its own rows only.
bool follows_rows(const Task& earlier, const Task& later) {
  const bool is_gradient = earlier.is(KernelId::matmul) || earlier.is(KernelId::sum_ranks);
  if (!is_gradient || !later.is_update() || !conflict(earlier, later)) return false;
  for (const Operand& a : earlier.operands)
    for (const Operand& b : later.operands)
      if ((a.writes() || b.writes()) && a.overlaps(b) && !is_own_slice(earlier, a, later, b))
        return false;
  return true;
}

// Whether the rows of the slices do not depend on one another, and cost the same a few at a time:
// no weights are packed for each call.
bool is_by_sample(const Task& task) {
  const bool is_known = task.is_convolution() || task.takes<ElementwiseArgs>() ||
                        task.takes<NormArgs>() || task.takes<PoolArgs>();
  return is_known && task.grain == 1 &&
         std::any_of(task.operands.begin(), task.operands.end(), std::mem_fn(&Operand::by_slice));
}

using Group = std::vector<std::size_t>;

// The order of replay: by level, and within a level as recorded, but tasks that `join` one another
// come together, unless something in between depends on the later one.
template <class F>
std::vector<Group> groups_of(std::span<const Task* const> tasks, const std::vector<int>& levels,
                             F join) {
  std::vector<std::size_t> sequence(tasks.size());
  std::iota(sequence.begin(), sequence.end(), std::size_t{0});
  std::stable_sort(sequence.begin(), sequence.end(),
                   [&](std::size_t a, std::size_t b) { return levels[a] < levels[b]; });
  std::vector<Group> groups;
  for (auto begin = sequence.begin(), end = begin; begin != sequence.end(); begin = end) {
    ++end;
    for (auto later = end; later != sequence.end() && levels[*later] == levels[*begin]; ++later) {
      if (!join(end[-1], *later)) continue;
      // A task depends on recent ones, if on any.
      const auto backward = std::make_reverse_iterator<decltype(later)>;
      const bool is_free = std::none_of(backward(later), backward(end), [&](std::size_t between) {
        return conflict(*tasks[between], *tasks[*later]);
      });
      if (is_free) std::rotate(end++, later, later + 1);
    }
    groups.emplace_back(begin, end);
  }
  return groups;
}

// Products are not cut: their slices would pack the same panels.
std::int64_t pieces_of(const Task& task) {
  constexpr double short_piece = 200e-6;
  if (task.is_product()) return 1;
  const auto wanted = static_cast<std::int64_t>(cost(task) / short_piece);
  return std::max<std::int64_t>(std::min(wanted, task.extent / task.grain), 1);
}

// Rows at a time that keep half of the second-level cache: what the tasks of a group pass on to one
// another stays there. Weights that all rows need are not read for fewer rows than are as large.
std::int64_t rows_in_cache(std::span<const Task* const> tasks, const Group& group) {
  std::map<const void*, double> sliced, whole; // bytes of each operand
  for (const std::size_t i : group)
    for (const Operand& operand : tasks[i]->operands)
      (operand.by_slice ? sliced : whole)[operand.memory] =
          static_cast<double>(std::min(operand.bytes, operand.touched));
  const auto sum = [](const auto& bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), 0.0,
                           [](double total, const auto& each) { return total + each.second; });
  };
  const Task& first = *tasks[group.front()];
  const double row_bytes = std::max(sum(sliced) / static_cast<double>(first.extent), 1.0);
  const auto half = static_cast<double>(usual_caches().l2 / 2);
  constexpr std::int64_t fewest = 32; // of a product, whose kernel packs for each call
  if (!is_by_sample(first)) return std::max(static_cast<std::int64_t>(half / row_bytes), fewest);
  return std::max(static_cast<std::int64_t>(std::max(half, sum(whole)) / row_bytes),
                  std::int64_t{1});
}

} // namespace

std::vector<ScheduledTask> schedule(std::span<const Task* const> tasks) {
  const Dependences dependences = dependences_of(tasks);
  const std::vector<bool> shared = shared_of(tasks, dependences);
  const std::vector<int> levels = levels_of(dependences, shared);
  std::vector<bool> by_sample(tasks.size());
  std::transform(tasks.begin(), tasks.end(), by_sample.begin(),
                 [](const Task* task) { return is_by_sample(*task); });
  // Whether the members may take their own rows through both tasks, a few at a time.
  const auto join = [&](std::size_t a, std::size_t b) {
    return shared[a] && shared[b] &&
           ((by_sample[a] && by_sample[b] && same_slices(*tasks[a], *tasks[b])) ||
            follows_rows(*tasks[a], *tasks[b]));
  };
  std::vector<ScheduledTask> steps;
  steps.reserve(tasks.size());
  int level = 0;
  for (const Group& group : groups_of(tasks, levels, join)) {
    const std::int64_t rows = group.size() > 1 ? rows_in_cache(tasks, group) : 0;
    for (const std::size_t i : group) {
      const bool is_last = i == group.back();
      steps.push_back({tasks[i]->kernel, tasks[i]->args.data(), tasks[i]->extent, tasks[i]->grain,
                       i, shared[i], levels[i] != level, is_last ? 0 : rows});
      steps.back().pieces = pieces_of(*tasks[i]);
      level = levels[i];
    }
  }
  return steps;
}

bool wants_team(std::span<const ScheduledTask> steps) {
  return std::any_of(steps.begin(), steps.end(),
                     [](const ScheduledTask& step) { return step.shared; });
}

double expected_seconds(std::span<const Task> tasks) {
  double seconds = 0;
  for (const Task& task : tasks) seconds += cost(task);
  return seconds;
}

} // namespace gyaku
