#include "program/schedule.h"

#include <algorithm>
#include <numeric>

#include "runtime/cpu.h"

namespace gyaku {

namespace {

// Seconds that a task is expected to take on one thread, from a machine of 100 GFLOP/s and 50 GB/s:
// near enough to tell a task that is worth sharing from one that is not.
double cost(const Task& task) { return std::max(task.flops / 100e9, task.bytes() / 50e9); }

// Below this a barrier and a second core's cold cache cost more than the second core gains.
constexpr double worth_sharing = 3e-6;

bool can_be_cut(const Task& task) { return task.extent > task.grain; }

bool same_slices(const Task& a, const Task& b) {
  return a.extent == b.extent && a.grain == b.grain;
}

enum class Order { free, own_share, all };

// What `later` must wait for: nothing; each member's own share of `earlier`; or all of it.
Order order(const Task& earlier, const Task& later) {
  Order result = Order::free;
  for (const Operand& a : earlier.operands)
    for (const Operand& b : later.operands) {
      if ((!a.writes() && !b.writes()) || !a.overlaps(b)) continue;
      const bool own_share = same_slices(earlier, later) && a.by_slice && b.by_slice &&
                             a.memory == b.memory && a.bytes == b.bytes;
      if (!own_share) return Order::all;
      result = Order::own_share;
    }
  return result;
}

// Barriers before each task, at the least, if `shared` says which ones the team shares.
std::vector<int> levels_of(std::span<const Task* const> tasks, const std::vector<Order>& orders,
                           const std::vector<bool>& shared) {
  const std::size_t count = tasks.size();
  std::vector<int> levels(count, 0);
  for (std::size_t later = 0; later < count; ++later)
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      const Order needed = orders[earlier * count + later];
      if (needed == Order::free) continue;
      // What one member does alone is in order by itself, and so is a member's own share.
      const bool by_itself =
          shared[earlier] == shared[later] && (!shared[later] || needed == Order::own_share);
      levels[later] = std::max(levels[later], levels[earlier] + (by_itself ? 0 : 1));
    }
  return levels;
}

// Whether the update at `later` reads the rows that the product at `earlier` makes.
bool follows_rows(const Task& earlier, const Task& later) {
  return earlier.is(KernelId::matmul) && later.is_update() &&
         order(earlier, later) == Order::own_share;
}

std::int64_t rows_in_cache(const Task& a, const Task& b) {
  const std::int64_t half = usual_caches().l2 / 2;
  double row_bytes = 0;
  for (const Task* task : {&a, &b})
    for (const Operand& operand : task->operands)
      if (operand.by_slice)
        row_bytes += static_cast<double>(operand.bytes) / static_cast<double>(task->extent);
  constexpr std::int64_t fewest = 32;
  return std::max(static_cast<std::int64_t>(static_cast<double>(half) / row_bytes), fewest);
}

} // namespace

std::vector<Step> schedule(std::span<const Task* const> tasks) {
  const std::size_t count = tasks.size();
  std::vector<Order> orders(count * count, Order::free);
  for (std::size_t later = 0; later < count; ++later)
    for (std::size_t earlier = 0; earlier < later; ++earlier)
      orders[earlier * count + later] = order(*tasks[earlier], *tasks[later]);

  // First as if all were shared; then what runs between the same two barriers over the same slices
  // is weighed together, and shared as a whole or not at all.
  std::vector<bool> shared(count);
  for (std::size_t i = 0; i < count; ++i) shared[i] = can_be_cut(*tasks[i]);
  std::vector<int> levels = levels_of(tasks, orders, shared);
  for (std::size_t i = 0; i < count; ++i) {
    double seconds = 0;
    for (std::size_t j = 0; j < count; ++j)
      if (levels[i] == levels[j] && same_slices(*tasks[i], *tasks[j])) seconds += cost(*tasks[j]);
    shared[i] = shared[i] && seconds >= worth_sharing;
  }
  levels = levels_of(tasks, orders, shared);

  std::vector<std::size_t> sequence(count);
  std::iota(sequence.begin(), sequence.end(), std::size_t{0});
  std::stable_sort(sequence.begin(), sequence.end(),
                   [&](std::size_t a, std::size_t b) { return levels[a] < levels[b]; });
  // Within a level any order is right that keeps the tasks that depend on each other in order: an
  // update may come right after its gradient.
  const auto follow = [&](std::size_t a, std::size_t b) {
    return levels[a] == levels[b] && shared[a] && shared[b] && follows_rows(*tasks[a], *tasks[b]);
  };
  const auto may_follow = [&](std::size_t place, std::size_t later) {
    for (std::size_t between = place + 1; between < later; ++between) {
      const auto [first, second] = std::minmax(sequence[between], sequence[later]);
      if (orders[first * count + second] != Order::free) return false;
    }
    return follow(sequence[place], sequence[later]);
  };
  for (std::size_t place = 0; place < count; ++place)
    for (std::size_t later = place + 1; later < count; ++later)
      if (may_follow(place, later)) {
        const auto begin = sequence.begin() + static_cast<std::ptrdiff_t>(place) + 1;
        const auto end = sequence.begin() + static_cast<std::ptrdiff_t>(later);
        std::rotate(begin, end, end + 1);
        break;
      }
  std::vector<Step> steps;
  steps.reserve(count);
  for (std::size_t place = 0; place < count; ++place) {
    const std::size_t i = sequence[place];
    const bool wait = place > 0 && levels[i] != levels[sequence[place - 1]];
    steps.push_back({tasks[i]->kernel, tasks[i]->args.data(), tasks[i]->extent, tasks[i]->grain, i,
                     shared[i], wait});
    if (place > 0 && follow(sequence[place - 1], i))
      steps[place - 1].rows_with_next = rows_in_cache(*tasks[sequence[place - 1]], *tasks[i]);
  }
  return steps;
}

bool wants_team(std::span<const Step> steps) {
  return std::any_of(steps.begin(), steps.end(), [](const Step& step) { return step.shared; });
}

double expected_seconds(std::span<const Task> tasks) {
  double seconds = 0;
  for (const Task& task : tasks) seconds += cost(task);
  return seconds;
}

} // namespace gyaku
