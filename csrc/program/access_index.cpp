#include "program/access_index.h"

#include <algorithm>

namespace gyaku {

namespace {

std::uintptr_t begin_of(const Operand& memory) {
  return reinterpret_cast<std::uintptr_t>(memory.memory);
}
std::uintptr_t end_of(const Operand& memory) {
  return begin_of(memory) + static_cast<std::uintptr_t>(memory.bytes);
}

} // namespace

AccessIndex::AccessIndex(std::span<const Task* const> tasks) {
  std::vector<Access> accesses;
  for (std::size_t place = 0; place < tasks.size(); ++place)
    for (const Operand& operand : tasks[place]->operands) accesses.push_back({place, &operand});
  build(accesses);
}

AccessIndex::AccessIndex(std::span<const Task> tasks) {
  std::vector<Access> accesses;
  for (std::size_t place = 0; place < tasks.size(); ++place)
    for (const Operand& operand : tasks[place].operands) accesses.push_back({place, &operand});
  build(accesses);
}

void AccessIndex::build(std::span<const Access> accesses) {
  for (const Access& access : accesses)
    if (access.operand->bytes > 0) {
      cuts_.push_back(begin_of(*access.operand));
      cuts_.push_back(end_of(*access.operand));
    }
  std::sort(cuts_.begin(), cuts_.end());
  cuts_.erase(std::unique(cuts_.begin(), cuts_.end()), cuts_.end());
  std::vector<Access> writers;
  for (const Access& access : accesses)
    if (access.operand->writes()) writers.push_back(access);
  all_ = listed(accesses);
  writers_ = listed(writers);
}

AccessIndex::Lists AccessIndex::listed(std::span<const Access> accesses) const {
  Lists lists;
  lists.begin.assign(std::max<std::size_t>(cuts_.size(), 1), 0);
  const auto each = [&](auto f) {
    for (const Access& access : accesses)
      for (auto [piece, end] = pieces_of(*access.operand); piece < end; ++piece) f(piece, access);
  };
  each([&](std::size_t piece, const Access&) { ++lists.begin[piece + 1]; });
  for (std::size_t piece = 1; piece < lists.begin.size(); ++piece)
    lists.begin[piece] += lists.begin[piece - 1];
  lists.accesses.resize(lists.begin.back());
  std::vector<std::size_t> next = lists.begin;
  each([&](std::size_t piece, const Access& access) { lists.accesses[next[piece]++] = access; });
  return lists;
}

AccessIndex::Pieces AccessIndex::pieces_of(const Operand& memory) const {
  if (memory.bytes <= 0 || cuts_.empty()) return {0, 0};
  const auto place = [&](auto cut) { return static_cast<std::size_t>(cut - cuts_.begin()); };
  // The piece with the first byte, or the first piece.
  const std::size_t after = place(std::upper_bound(cuts_.begin(), cuts_.end(), begin_of(memory)));
  const std::size_t end = place(std::lower_bound(cuts_.begin(), cuts_.end(), end_of(memory)));
  return {after - std::min<std::size_t>(after, 1), std::min(end, cuts_.size() - 1)};
}

std::vector<std::size_t> AccessIndex::tasks_at(const Operand& memory) const {
  std::vector<std::size_t> tasks;
  for (auto [piece, end] = pieces_of(memory); piece < end; ++piece)
    for (std::size_t at = all_.begin[piece]; at < all_.begin[piece + 1]; ++at)
      tasks.push_back(all_.accesses[at].task);
  std::sort(tasks.begin(), tasks.end());
  tasks.erase(std::unique(tasks.begin(), tasks.end()), tasks.end());
  return tasks;
}

} // namespace gyaku
