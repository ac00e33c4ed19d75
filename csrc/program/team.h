// The team of threads.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/kernel.h"
#include "program/watch.h"
#include "runtime/cpu.h"

namespace gyaku {

// The number of threads: an upper bound, or an order to all work that is worth a team.
struct ThreadLimit {
  int threads;
  bool exact;
};
ThreadLimit thread_limit();
// 1 or more threads, at most those that the machine grants unless exactly; 0: the default.
// An order is limited too: hundreds of threads on a few CPUs wait for each other most of the time.
constexpr int most_by_order(int granted) { return granted < 4 ? 16 : 4 * granted; }
void set_thread_limit(ThreadLimit limit);
GrantedCores granted_cores(); // at present

// The `slot`-th of `slots` slices of [0, extent), cut at multiples of grain.
constexpr Slice slice_of(std::int64_t extent, std::int64_t grain, int slot, int slots) {
  const std::int64_t chunks = (extent + grain - 1) / grain;
  const std::int64_t begin = chunks * slot / slots * grain;
  const std::int64_t end = chunks * (slot + 1) / slots * grain;
  return {begin < extent ? begin : extent, end < extent ? end : extent};
}

// The work of a team is a sequence of rounds, a round a number of slots. Each member takes the slot
// of its own rank, whose data are in its cache; but any member takes a slot that has not begun for
// a while. So a descheduled member delays the others only if it sleeps in the middle of a slot:
// when it wakes, it finds the missed rounds done, and catches up.
class Rounds {
public:
  static constexpr int max_slots = 1024;

  void reset(int slots) noexcept;
  bool is_crowded() const noexcept { return is_crowded_; }
  // Does slots of round `number` until all of them are done, by this member or others.
  template <class F>
  void work(std::int64_t number, int rank, int slots, F& slot, Watch* watch) noexcept {
    if (is_over(number)) return;
    if (rank < slots && take(rank, number)) {
      slot(rank);
      finish(number, slots);
    }
    for (int wait = 0; !is_over(number); ++wait) {
      if (wait >= patience)
        for (int other = 0; other < slots; ++other)
          if (take(other, number)) {
            slot(other);
            finish(number, slots);
          }
      pause(number, wait, watch);
    }
  }

private:
  // Long enough for a member that is late by the latency of a cache line.
  static constexpr int patience = 32;

  bool is_over(std::int64_t number) const noexcept {
    const std::uint32_t ahead =
        current_.load(std::memory_order_acquire) - static_cast<std::uint32_t>(number);
    return static_cast<std::int32_t>(ahead) > 0;
  }
  bool take(int slot, std::int64_t number) noexcept;
  void finish(std::int64_t number, int slots) noexcept;
  void pause(std::int64_t number, int wait, Watch* watch) noexcept;

  struct alignas(64) Taken {
    std::atomic<std::int64_t> rounds; // before this one, the slot has been taken
  };
  Taken taken_[max_slots];
  bool is_crowded_ = false;
  alignas(64) std::atomic<int> done_;
  alignas(64) std::atomic<std::uint32_t> current_;
};

// One thread in a team.
class Member {
public:
  Member(int rank, int size, Rounds* rounds) : rank_(rank), size_(size), rounds_(rounds) {}
  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }

  // Joins the others in the next round: slot(i) for all i < slots, each once. Returns when all are
  // done. Every member calls this equally often with the same number of slots, at most `size`. The
  // first member looks at the watch, if there is one, while it waits.
  template <class F> void round(int slots, F slot, Watch* watch = nullptr) noexcept {
    if (size_ == 1) {
      for (int i = 0; i < slots; ++i) slot(i);
      return;
    }
    rounds_->work(number_++, rank_, slots, slot, rank_ == 0 ? watch : nullptr);
  }

private:
  int rank_, size_;
  Rounds* rounds_;
  std::int64_t number_ = 0;
};

// During its lifetime, subnormal numbers are flushed to zero on this thread.
class FlushSubnormals {
public:
  FlushSubnormals() noexcept;
  ~FlushSubnormals() noexcept;
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

private:
  std::uint64_t saved_;
};

// Runs body(member, context) on at most `threads` threads: on the calling thread alone if fewer
// than two are wanted or granted, or if another thread of this process has the team.
using TeamBody = void (*)(Member&, void* context) noexcept;
void run_team(int threads, TeamBody body, void* context) noexcept;

template <class F> void run_team(int threads, F& body) noexcept {
  run_team(
      threads, [](Member& member, void* context) noexcept { (*static_cast<F*>(context))(member); },
      &body);
}

} // namespace gyaku
