#include "program/communicator.h"

#include <algorithm>
#include <string>
#include <thread>

namespace gyaku {

namespace {

struct SumArgs {
  Communicator::Sum* sum;
};

using Word = std::uintptr_t;
using AllReduce = int (*)(Word in, void* out, int count, Word type, Word operation, Word ranks,
                          void* request);
using Test = int (*)(void* request, int* flag, void* status);

// A status is smaller in every library.
struct Status {
  alignas(16) std::byte bytes[256];
};

Task task_of(const char* name, Kernel run, Communicator::Sum& sum, std::vector<Operand> operands) {
  Task task;
  task.name = name;
  task.id = KernelId::count; // of no instruction set
  task.scalar = sum.scalar;
  task.kernel = run;
  task.operands = std::move(operands);
  task.type = &args_type<SumArgs>;
  task.as<SumArgs>() = {&sum};
  return task;
}

} // namespace

Communicator::Sum& Communicator::sum_of(void* memory, std::int64_t count, Scalar scalar) {
  const auto is_same = [&](const Sum& sum) {
    return sum.memory == memory && sum.count == count && sum.scalar == scalar;
  };
  const auto found = std::find_if(sums_.begin(), sums_.end(), is_same);
  if (found != sums_.end()) return *found;
  return sums_.emplace_back(this, memory, static_cast<int>(count), scalar);
}

Task Communicator::start(void* memory, std::int64_t count, Scalar scalar) {
  Sum& sum = sum_of(memory, count, scalar);
  const std::int64_t bytes = count * (scalar == Scalar::float32 ? 4 : 8);
  // The communicator is written too, so that sums begin in the order in which they were recorded.
  return task_of("all_reduce", &run_start, sum,
                 {{memory, bytes, Access::update}, {this, 1, Access::update}});
}

Task Communicator::finish(void* memory, std::int64_t count, Scalar scalar, const Operand& before) {
  Sum& sum = sum_of(memory, count, scalar);
  const std::int64_t bytes = count * (scalar == Scalar::float32 ? 4 : 8);
  Operand all = before;
  all.access = Access::update;
  all.touched = 0;
  return task_of("all_reduce_wait", &run_finish, sum,
                 {{memory, bytes, Access::update}, {this, 1, Access::update}, all});
}

void Communicator::run_start(const void* args, Slice) noexcept {
  Sum& sum = *static_cast<const SumArgs*>(args)->sum;
  Communicator& owner = *sum.owner;
  const MessageLibrary& library = owner.library_;
  const std::lock_guard lock(owner.mutex_);
  const int code = reinterpret_cast<AllReduce>(library.all_reduce)(
      library.in_place, sum.memory, sum.count,
      sum.scalar == Scalar::float32 ? library.float32 : library.float64, library.sum,
      library.communicator, sum.request.data());
  sum.is_active = code == 0;
  owner.busy_ += sum.is_active ? 1 : 0;
  if (code != 0) owner.error_ = code;
}

void Communicator::run_finish(const void* args, Slice) noexcept {
  Sum& sum = *static_cast<const SumArgs*>(args)->sum;
  for (;;) {
    {
      const std::lock_guard lock(sum.owner->mutex_);
      if (sum.owner->advance(sum)) return;
    }
    std::this_thread::yield(); // to a rank on the same core
  }
}

bool Communicator::advance(Sum& sum) noexcept {
  if (!sum.is_active) return true;
  int is_done = 0;
  Status status;
  const int code = reinterpret_cast<Test>(library_.test)(sum.request.data(), &is_done, &status);
  if (code != 0) error_ = code;
  sum.is_active = code == 0 && is_done == 0;
  busy_ -= sum.is_active ? 0 : 1;
  return !sum.is_active;
}

void Communicator::poll() noexcept {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  const auto active =
      std::find_if(sums_.begin(), sums_.end(), [](const Sum& sum) { return sum.is_active; });
  if (active != sums_.end()) advance(*active);
}

Communicator* communicator_of(const Task& task) {
  return task.takes<SumArgs>() ? task.as<SumArgs>().sum->owner : nullptr;
}

} // namespace gyaku
