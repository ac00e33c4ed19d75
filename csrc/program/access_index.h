// Index of memory accesses by tasks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "program/task.h"

namespace gyaku {

// The memory of a sequence of tasks, cut wherever an operand begins or ends; each piece lists the
// operands that cover it. The time to find the tasks that overlap an operand is proportional to
// their number, whatever the length of the sequence. The tasks must outlive the index, unchanged.
class AccessIndex {
public:
  explicit AccessIndex(std::span<const Task* const> tasks);
  explicit AccessIndex(std::span<const Task> tasks);

  // The indices of the tasks that touch any of the memory, in ascending order.
  std::vector<std::size_t> tasks_at(const Operand& memory) const;
  bool is_touched(const Operand& memory) const { return !tasks_at(memory).empty(); }

  // f(index, operand) for each operand of a task before `end` that conflicts with `later`: they
  // overlap, and one of them writes. An overlap in several pieces is visited in each of them.
  template <class F> void each_conflict(std::size_t end, const Operand& later, F f) const {
    const Lists& lists = later.writes() ? all_ : writers_;
    for (auto [piece, last] = pieces_of(later); piece < last; ++piece)
      for (std::size_t at = lists.begin[piece]; at < lists.begin[piece + 1]; ++at) {
        if (lists.accesses[at].task >= end) break;
        f(lists.accesses[at].task, *lists.accesses[at].operand);
      }
  }

private:
  struct Access {
    std::size_t task;
    const Operand* operand;
  };
  // Those of piece p are accesses[begin[p]] to accesses[begin[p + 1] - 1], in ascending order.
  struct Lists {
    std::vector<std::size_t> begin;
    std::vector<Access> accesses;
  };
  struct Pieces {
    std::size_t begin, end;
  };

  Pieces pieces_of(const Operand& memory) const;
  Lists listed(std::span<const Access> accesses) const;
  void build(std::span<const Access> accesses);

  std::vector<std::uintptr_t> cuts_;
  Lists all_, writers_;
};

} // namespace gyaku
