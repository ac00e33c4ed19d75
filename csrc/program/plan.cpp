#include "program/plan.h"

#include <algorithm>
#include <optional>

namespace gyaku {

namespace {

struct Life {
  const Temporary* temporary;
  int first, last; // levels
  std::int64_t size, offset = 0;

  bool meets(const Life& other) const { return first <= other.last && other.first <= last; }
};

bool inside(const Operand& operand, const Temporary& temporary) {
  return operand.overlaps({temporary.memory, temporary.bytes, Access::read});
}

// From its first task to its last; nothing if it cannot be moved.
std::optional<Life> life_of(std::span<const Task> tasks, std::span<const int> levels,
                            const Temporary& temporary) {
  constexpr std::int64_t line = static_cast<std::int64_t>(alignment);
  std::optional<Life> life;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    bool touched = false, filled = false, read = false;
    for (const Operand& operand : tasks[i].operands) {
      if (!inside(operand, temporary)) continue;
      // Views into the middle, or over the edge, would need their place in the arguments computed.
      if (operand.memory != temporary.memory || operand.bytes > temporary.bytes)
        return std::nullopt;
      touched = true;
      filled = filled || (operand.access == Access::write && operand.bytes == temporary.bytes);
      read = read || operand.access != Access::write;
    }
    if (!touched) continue;
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
  for (std::size_t i = 0; i < lives.size(); ++i) {
    std::vector<const Life*> neighbours;
    for (std::size_t j = 0; j < i; ++j)
      if (lives[i].meets(lives[j])) neighbours.push_back(&lives[j]);
    std::sort(neighbours.begin(), neighbours.end(),
              [](const Life* a, const Life* b) { return a->offset < b->offset; });
    std::int64_t offset = 0;
    for (const Life* other : neighbours)
      if (offset + lives[i].size > other->offset)
        offset = std::max(offset, other->offset + other->size);
    lives[i].offset = offset;
    total = std::max(total, offset + lives[i].size);
  }
  return total;
}

} // namespace

MemoryPlan plan_memory(std::span<Task> tasks, std::span<const int> levels,
                       std::span<const Temporary> temporaries) {
  MemoryPlan plan;
  std::vector<Life> lives;
  for (const Temporary& temporary : temporaries)
    if (temporary.bytes > 0)
      if (const auto life = life_of(tasks, levels, temporary)) lives.push_back(*life);
  if (lives.empty()) return plan;
  plan.arena_bytes = place(lives);
  plan.arena = allocate(plan.arena_bytes);
  for (const Life& life : lives) {
    plan.moved_bytes += life.size;
    plan.moved.push_back(life.temporary->memory);
    for (Task& task : tasks) {
      const bool knows =
          std::any_of(task.operands.begin(), task.operands.end(),
                      [&](const Operand& o) { return o.memory == life.temporary->memory; });
      if (knows) task.redirect(life.temporary->memory, plan.arena.get() + life.offset);
    }
  }
  return plan;
}

} // namespace gyaku
