#include "program/rewrite.h"

#include <algorithm>

namespace gyaku {

bool touches(const Task& task, const Operand& memory) {
  return std::any_of(task.operands.begin(), task.operands.end(),
                     [&](const Operand& operand) { return operand.overlaps(memory); });
}

bool writes_to(const Task& task, const Operand& memory) {
  return std::any_of(task.operands.begin(), task.operands.end(), [&](const Operand& operand) {
    return operand.writes() && operand.overlaps(memory);
  });
}

bool reads_from(const Task& task, const Operand& memory) {
  return std::any_of(task.operands.begin(), task.operands.end(), [&](const Operand& operand) {
    return operand.access != Access::write && operand.overlaps(memory);
  });
}

bool is_temporary(const Operand& memory, std::span<const Temporary> temporaries) {
  const auto* begin = static_cast<const std::byte*>(memory.memory);
  return std::any_of(temporaries.begin(), temporaries.end(), [&](const Temporary& temporary) {
    const auto* start = static_cast<const std::byte*>(temporary.memory);
    return start <= begin && begin + memory.bytes <= start + temporary.bytes;
  });
}

std::optional<Operand> written_by(const Task& task) {
  std::optional<Operand> written;
  for (const Operand& operand : task.operands)
    if (operand.writes()) {
      if (written) return std::nullopt;
      written = operand;
    }
  return written;
}

bool is_private(const std::vector<Task>& tasks, std::size_t first, std::size_t second,
                const Operand& memory) {
  for (std::size_t i = 0; i < tasks.size(); ++i)
    if (i != first && i != second && touches(tasks[i], memory)) return false;
  return true;
}

bool may_move_up(const std::vector<Task>& tasks, std::size_t first, std::size_t second) {
  for (std::size_t i = first + 1; i < second; ++i)
    for (const Operand& operand : tasks[second].operands)
      if (writes_to(tasks[i], operand) || (operand.writes() && touches(tasks[i], operand)))
        return false;
  return true;
}

bool can_finish(const std::vector<Task>& tasks, std::size_t first, std::size_t second,
                const Operand& result, std::span<const Temporary> temporaries) {
  const std::optional<Operand> target = written_by(tasks[second]);
  return target && !reads_from(tasks[first], *target) && is_temporary(result, temporaries) &&
         is_private(tasks, first, second, result) && may_move_up(tasks, first, second);
}

Operand& operand_of(Task& task, const void* memory) {
  return *std::find_if(task.operands.begin(), task.operands.end(),
                       [&](const Operand& operand) { return operand.memory == memory; });
}

void join(std::vector<Task>& tasks, std::size_t first, std::size_t second) {
  tasks[first].name += " + " + tasks[second].name;
  tasks[first].work += tasks[second].work;
  tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(second));
}

} // namespace gyaku
