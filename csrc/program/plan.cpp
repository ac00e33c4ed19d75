#include "program/plan.h"

#include <algorithm>
#include <optional>

#include "program/access_index.h"

namespace gyaku {

namespace {

struct Life {
  const Temporary* temporary;
  int first, last; // levels
  std::int64_t size, offset = 0;

  bool meets(const Life& other) const { return first <= other.last && other.first <= last; }
};

Operand whole(const Temporary& temporary) {
  return {temporary.memory, temporary.bytes, Access::read};
}

// From its first task to its last; nothing if it cannot be moved. `users` are the tasks that touch
// it.
std::optional<Life> life_of(std::span<const Task> tasks, std::span<const std::size_t> users,
                            std::span<const int> levels, const Temporary& temporary) {
  constexpr std::int64_t line = static_cast<std::int64_t>(alignment);
  std::optional<Life> life;
  for (const std::size_t i : users) {
    bool filled = false, read = false;
    for (const Operand& operand : tasks[i].operands) {
      if (!operand.overlaps(whole(temporary))) continue;
      // Views into the middle, or over the edge, would need their place in the arguments computed.
      if (operand.memory != temporary.memory || operand.bytes > temporary.bytes)
        return std::nullopt;
      filled = filled || (operand.access == Access::write && operand.bytes == temporary.bytes);
      read = read || operand.access != Access::write;
    }
    if (tasks[i].is_host() || (!life && (!filled || read))) return std::nullopt;
    if (!life)
      life = Life{&temporary, levels[i], levels[i], (temporary.bytes + line - 1) / line * line};
    life->first = std::min(life->first, levels[i]);
    life->last = std::max(life->last, levels[i]);
  }
  return life;
}

// The lowest place that is free as long as it lives, first the largest ones.
std::int64_t place(std::vector<Life>& lives) {
  std::sort(lives.begin(), lives.end(), [](const Life& a, const Life& b) {
    return a.size != b.size ? a.size > b.size : a.first < b.first;
  });
  std::int64_t total = 0;
  std::vector<const Life*> placed; // by rising offset
  placed.reserve(lives.size());
  for (Life& life : lives) {
    for (const Life* other : placed)
      if (life.meets(*other) && life.offset + life.size > other->offset)
        life.offset = std::max(life.offset, other->offset + other->size);
    total = std::max(total, life.offset + life.size);
    const auto behind = std::upper_bound(
        placed.begin(), placed.end(), life.offset,
        [](std::int64_t offset, const Life* other) { return offset < other->offset; });
    placed.insert(behind, &life);
  }
  return total;
}

} // namespace

MemoryPlan plan_memory(std::span<Task> tasks, std::span<const int> levels,
                       std::span<const Temporary> temporaries) {
  MemoryPlan plan;
  std::vector<Life> lives;
  const AccessIndex index(tasks);
  for (const Temporary& temporary : temporaries)
    if (temporary.bytes > 0) {
      const std::vector<std::size_t> users = index.tasks_at(whole(temporary));
      if (const auto life = life_of(tasks, users, levels, temporary)) lives.push_back(*life);
    }
  if (lives.empty()) return plan;
  plan.arena_bytes = place(lives);
  plan.arena = allocate(plan.arena_bytes);
  for (const Life& life : lives) {
    plan.moved_bytes += life.size;
    plan.moved.push_back(life.temporary->memory);
    for (const std::size_t user : index.tasks_at(whole(*life.temporary)))
      tasks[user].redirect(life.temporary->memory, plan.arena.get() + life.offset);
  }
  return plan;
}

} // namespace gyaku
