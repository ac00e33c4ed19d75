// The threads. The only part of gyaku that knows OpenMP.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/kernels.h"

namespace gyaku {

int num_threads();
void set_num_threads(int threads); // 1 or more; 0: back to what the machine grants

// A barrier for a team whose members may be fewer than the cores or more: it spins a bounded time,
// then sleeps.
class Barrier {
public:
  void wait(int members) noexcept;

private:
  alignas(64) std::atomic<int> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> phase_{0};
};

// One thread's view of the team it works in.
struct Member {
  int rank;
  int size;
  Barrier* barrier;

  void wait() const noexcept {
    if (size > 1) barrier->wait(size);
  }
  // This member's share of [0, extent), cut at multiples of grain.
  Slice share(std::int64_t extent, std::int64_t grain) const noexcept {
    const std::int64_t chunks = (extent + grain - 1) / grain;
    const std::int64_t begin = chunks * rank / size * grain;
    const std::int64_t end = chunks * (rank + 1) / size * grain;
    return {begin < extent ? begin : extent, end < extent ? end : extent};
  }
};

// While it lives, subnormal numbers count as zero on this thread.
class FlushSubnormals {
public:
  FlushSubnormals() noexcept;
  ~FlushSubnormals() noexcept;
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

private:
  std::uint64_t saved_;
};

// Runs body(member, context) on `threads` threads at most: on the calling thread alone when fewer
// than two are wanted or granted, or when another thread of this process has the team.
using TeamBody = void (*)(const Member&, void* context) noexcept;
void run_team(int threads, TeamBody body, void* context) noexcept;

template <class F> void run_team(int threads, F& body) noexcept {
  run_team(
      threads,
      [](const Member& member, void* context) noexcept { (*static_cast<F*>(context))(member); },
      &body);
}

} // namespace gyaku
