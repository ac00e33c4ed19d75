// Sums over the processes of a job, as tasks: the non-blocking all-reduce of an MPI library.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>

#include "program/task.h"

namespace gyaku {

// The functions of an MPI library, by address, and its handles as words: integers in one library,
// pointers in another, which are passed alike.
struct MessageLibrary {
  std::uintptr_t all_reduce, test; // MPI_Iallreduce, MPI_Test
  std::uintptr_t in_place, sum, float32, float64, communicator;
};

// The ranks of a job. All of them must start the same sums in the same order, as replays of a
// program that each of them has recorded do.
class Communicator {
public:
  explicit Communicator(const MessageLibrary& library) : library_(library) {}
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  // Begins the sum of `count` elements in place.
  Task start(void* memory, std::int64_t count, Scalar scalar);
  // Waits for it. All that used what `before` covers ends first, so that sums go on meanwhile.
  Task finish(void* memory, std::int64_t count, Scalar scalar, const Operand& before);

  // Lets the sums under way go on: MPI libraries work only while they are called.
  void poll() noexcept;
  // Whether any is under way.
  bool is_busy() const noexcept { return busy_.load(std::memory_order_relaxed) > 0; }
  // The first error code of the library, 0 without.
  int error() const { return error_.load(); }

  // The sum of one range of memory.
  struct Sum {
    Communicator* owner;
    void* memory;
    int count;
    Scalar scalar;
    bool is_active = false;
    alignas(16) std::array<std::byte, 16> request{};
  };

private:
  static void run_start(const void* args, Slice) noexcept;
  static void run_finish(const void* args, Slice) noexcept;
  Sum& sum_of(void* memory, std::int64_t count, Scalar scalar);
  bool advance(Sum& sum) noexcept; // whether it is complete

  MessageLibrary library_;
  std::deque<Sum> sums_; // at addresses that stay
  std::mutex mutex_;
  std::atomic<int> error_{0}, busy_{0};
};

// The communicator of a task that starts or finishes a sum, otherwise null.
Communicator* communicator_of(const Task& task);

} // namespace gyaku
