// A task: one kernel with its arguments, which eager execution runs at once and a program keeps.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "kernels/table.h"
#include "program/pointers.h"

namespace gyaku {

enum class Access : std::uint8_t { read, write, update };

// A range of memory that a task touches. `by_slice`: a slice [b, e) of the extent of the task
// touches only the part [bytes * b / extent, bytes * e / extent), so that tasks of the same extent
// need no barrier between them.
struct Operand {
  const void* memory;
  std::int64_t bytes;
  Access access;
  bool by_slice = false;
  // Bytes touched by one run, if fewer than all: any of them.
  std::int64_t touched = INT64_MAX;

  bool writes() const { return access != Access::read; }
  bool overlaps(const Operand& other) const {
    const auto* mine = static_cast<const std::byte*>(memory);
    const auto* theirs = static_cast<const std::byte*>(other.memory);
    return bytes > 0 && other.bytes > 0 && mine < theirs + other.bytes && theirs < mine + bytes;
  }
};

// A callback into the host language; runs on the calling thread, outside any parallel region.
struct HostCall {
  bool (*call)(void* context); // false stops the replay
  void* context;
};

// The work of a task. `flops` are the floating-point operations by the row of the operation in
// gyaku.ops, for reports; `weight` is their time in operations of a product, for the choice of the
// team.
struct Work {
  double flops = 0, weight = 0;

  Work operator*(double factor) const { return {flops * factor, weight * factor}; }
  Work& operator+=(const Work& other) {
    flops += other.flops;
    weight += other.weight;
    return *this;
  }
};

// Properties of the type of the arguments.
struct ArgsType {
  std::size_t pointers; // leading pointers
};
template <class Args> inline constexpr ArgsType args_type{leading_pointers<Args>};

struct Task {
  std::string name;
  KernelId id{};
  Scalar scalar{};
  Kernel kernel = nullptr; // null for a host call
  HostCall host{};
  std::int64_t extent = 1; // of the parallel dimension
  std::int64_t grain = 1;  // slices begin at its multiples
  Work work;
  std::vector<Operand> operands;
  const ArgsType* type = nullptr;
  alignas(std::max_align_t) std::array<std::byte, 208> args{};

  bool is_host() const { return kernel == nullptr; }
  bool is(KernelId other) const { return !is_host() && id == other; }
  template <class Args> bool takes() const { return type == &args_type<Args>; }
  bool is_product() const;
  bool is_convolution() const;
  bool is_update() const;
  // The arguments, as read by the kernel.
  template <class Args> Args& as() { return *reinterpret_cast<Args*>(args.data()); }
  template <class Args> const Args& as() const {
    return *reinterpret_cast<const Args*>(args.data());
  }
  // Replaces every pointer to `from` by `to`.
  void redirect(const void* from, const void* to) {
    for (Operand& operand : operands)
      if (operand.memory == from) operand.memory = to;
    for (std::size_t i = 0; type != nullptr && i < type->pointers; ++i) {
      std::byte* const pointer = args.data() + i * sizeof from;
      if (std::memcmp(pointer, &from, sizeof from) == 0) std::memcpy(pointer, &to, sizeof to);
    }
  }
  double bytes() const {
    double sum = 0;
    for (const Operand& operand : operands)
      sum += static_cast<double>(std::min(operand.bytes, operand.touched)) *
             (operand.access == Access::update ? 2 : 1);
    return sum;
  }
};

template <class Args>
Task make_task(std::string name, KernelId id, Scalar scalar, const Args& args, std::int64_t extent,
               std::int64_t grain, Work work, std::vector<Operand> operands) {
  static_assert(std::is_trivially_copyable_v<Args> && sizeof(Args) <= sizeof(Task::args));
  Task task;
  task.name = std::move(name);
  task.id = id;
  task.scalar = scalar;
  task.kernel = kernel(id, scalar);
  task.extent = extent;
  task.grain = grain;
  task.work = work;
  task.operands = std::move(operands);
  task.type = &args_type<Args>;
  std::memcpy(task.args.data(), &args, sizeof args);
  return task;
}

} // namespace gyaku
