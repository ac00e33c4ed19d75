#include "program/plan.h"

#include <algorithm>
#include <optional>

#include "program/access_index.h"

namespace gyaku {

namespace {

struct Lifetime {
  const Temporary* temporary;
  int first, last; // levels
  std::int64_t size, offset = 0;

  bool meets(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

Operand whole(const Temporary& temporary) {
  return {temporary.memory, temporary.bytes, Access::read};
}

// The lifetime from the first task to the last; none if it cannot be moved. `users` are the tasks
// that touch it.
std::optional<Lifetime> lifetime_of(std::span<const Task> tasks, std::span<const std::size_t> users,
                                    std::span<const int> levels, const Temporary& temporary) {
  constexpr std::int64_t line = static_cast<std::int64_t>(alignment);
  std::optional<Lifetime> lifetime;
  for (const std::size_t i : users) {
    bool filled = false, read = false;
    for (const Operand& operand : tasks[i].operands) {
      if (!operand.overlaps(whole(temporary))) continue;
      // Views into the middle, or over the edge, would need their offset in the arguments.
      if (operand.memory != temporary.memory || operand.bytes > temporary.bytes)
        return std::nullopt;
      filled = filled || (operand.access == Access::write && operand.bytes == temporary.bytes);
      read = read || operand.access != Access::write;
    }
    if (tasks[i].is_host() || (!lifetime && (!filled || read))) return std::nullopt;
    if (!lifetime)
      lifetime =
          Lifetime{&temporary, levels[i], levels[i], (temporary.bytes + line - 1) / line * line};
    lifetime->first = std::min(lifetime->first, levels[i]);
    lifetime->last = std::max(lifetime->last, levels[i]);
  }
  return lifetime;
}

// Assigns to each the lowest offset that is free during its lifetime, the largest first.
std::int64_t place(std::vector<Lifetime>& lifetimes) {
  std::sort(lifetimes.begin(), lifetimes.end(), [](const Lifetime& a, const Lifetime& b) {
    return a.size != b.size ? a.size > b.size : a.first < b.first;
  });
  std::int64_t total = 0;
  std::vector<const Lifetime*> placed; // by ascending offset
  placed.reserve(lifetimes.size());
  for (Lifetime& lifetime : lifetimes) {
    for (const Lifetime* other : placed)
      if (lifetime.meets(*other) && lifetime.offset + lifetime.size > other->offset)
        lifetime.offset = std::max(lifetime.offset, other->offset + other->size);
    total = std::max(total, lifetime.offset + lifetime.size);
    const auto behind = std::upper_bound(
        placed.begin(), placed.end(), lifetime.offset,
        [](std::int64_t offset, const Lifetime* other) { return offset < other->offset; });
    placed.insert(behind, &lifetime);
  }
  return total;
}

} // namespace

MemoryPlan plan_memory(std::span<Task> tasks, std::span<const int> levels,
                       std::span<const Temporary> temporaries) {
  MemoryPlan plan;
  std::vector<Lifetime> lifetimes;
  const AccessIndex index(tasks);
  for (const Temporary& temporary : temporaries)
    if (temporary.bytes > 0) {
      const std::vector<std::size_t> users = index.tasks_at(whole(temporary));
      if (const auto lifetime = lifetime_of(tasks, users, levels, temporary))
        lifetimes.push_back(*lifetime);
    }
  if (lifetimes.empty()) return plan;
  plan.arena_bytes = place(lifetimes);
  plan.arena = allocate(plan.arena_bytes);
  for (const Lifetime& lifetime : lifetimes) {
    plan.moved_bytes += lifetime.size;
    plan.moved.push_back(lifetime.temporary->memory);
    for (const std::size_t user : index.tasks_at(whole(*lifetime.temporary)))
      tasks[user].redirect(lifetime.temporary->memory, plan.arena.get() + lifetime.offset);
  }
  return plan;
}

} // namespace gyaku
