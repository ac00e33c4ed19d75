// Arithmetic of indices and counts.
#pragma once

#include <cstdint>

namespace gyaku::GYAKU_ISA_NAME {
namespace {

constexpr std::int64_t least(std::int64_t a, std::int64_t b) { return a < b ? a : b; }
constexpr std::int64_t most(std::int64_t a, std::int64_t b) { return a > b ? a : b; }
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

struct Range {
  std::int64_t begin, end;
  constexpr std::int64_t size() const { return end - begin; }
  constexpr bool is_empty() const { return begin >= end; }
};
constexpr Range both(Range a, Range b) { return {most(a.begin, b.begin), least(a.end, b.end)}; }

} // namespace
} // namespace gyaku::GYAKU_ISA_NAME
