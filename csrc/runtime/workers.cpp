#include "runtime/workers.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>

#include <pthread.h>
#include <signal.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "runtime/cpu.h"

namespace gyaku {

void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

namespace {

constexpr std::size_t stack_bytes = std::size_t{1} << 20;

struct alignas(64) Bell {
  std::atomic<std::uint32_t> rings; // so far
};
Bell bells[max_threads]; // of each worker, by rank
int hired = 0;

// The work, and how many workers are at it. While it is closed, nobody may begin.
constexpr int closed = INT_MIN / 2;
alignas(64) std::atomic<int> inside{closed};
WorkerBody work_body = nullptr;
void* work_context = nullptr;
int work_count = 0;
std::atomic<bool> stay_awake{true};

std::atomic<int> told_when_refused{0};
std::int64_t retry_at = 0; // in milliseconds, after a refusal

std::int64_t milliseconds() noexcept {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

bool enter() noexcept {
  int found = inside.load(std::memory_order_relaxed);
  while (found >= 0)
    if (inside.compare_exchange_weak(found, found + 1, std::memory_order_acquire)) return true;
  return false;
}

void leave() noexcept {
  if (inside.fetch_sub(1, std::memory_order_seq_cst) == closed + 1) inside.notify_one();
}

void await(const std::atomic<std::uint32_t>& rings, std::uint32_t heard) noexcept {
  // Some milliseconds, or ten microseconds where threads share CPUs.
  constexpr int spins = 200'000, spins_if_tired = 1000;
  const int most = stay_awake.load(std::memory_order_relaxed) ? spins : spins_if_tired;
  for (int spin = 0; spin < most; ++spin) {
    if (rings.load(std::memory_order_relaxed) != heard) return;
    relax();
  }
  rings.wait(heard, std::memory_order_relaxed);
}

void* serve(void* argument) noexcept {
  const auto rank = static_cast<int>(reinterpret_cast<std::intptr_t>(argument));
  const std::atomic<std::uint32_t>& rings = bells[rank].rings;
  for (std::uint32_t heard = 0;;) {
    await(rings, heard);
    heard = rings.load(std::memory_order_relaxed);
    if (!enter()) continue; // too late
    heard = rings.load(std::memory_order_relaxed);
    if (rank <= work_count) work_body(rank, work_context);
    leave();
  }
}

// Moves to another CPU, if this thread may use one.
void step_aside() noexcept {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return;
  cpu_set_t others = all;
  CPU_CLR(static_cast<std::size_t>(sched_getcpu()), &others);
  if (sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof all, &all);
}

// Workers do not exist in a forked child.
void forget_workers() noexcept {
  hired = 0;
  inside.store(closed, std::memory_order_relaxed);
  for (Bell& bell : bells) bell.rings.store(0, std::memory_order_relaxed);
}

bool hire(int rank, const cpu_set_t* cpus) noexcept {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  if (cpus != nullptr) pthread_attr_setaffinity_np(&attributes, sizeof *cpus, cpus);
  sigset_t signals, before;
  sigfillset(&signals);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigdelset(&signals, fault);
  pthread_sigmask(SIG_SETMASK, &signals, &before);
  pthread_t thread;
  const int error =
      pthread_create(&thread, &attributes, serve, reinterpret_cast<void*>(std::intptr_t{rank}));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  return error == 0;
}

} // namespace

int hire_workers(int wanted, const cpu_set_t* cpus) noexcept {
  static const int prepared = pthread_atfork(nullptr, nullptr, forget_workers);
  static_cast<void>(prepared);
  wanted = std::min(wanted, max_threads - 1);
  if (hired < wanted && milliseconds() >= retry_at) {
    while (hired < wanted && hire(hired + 1, cpus)) ++hired;
    if (hired < wanted) {
      retry_at = milliseconds() + 1000;
      told_when_refused.store(hired + 1, std::memory_order_relaxed);
    }
  }
  return std::min(hired, wanted);
}

void run_with_workers(int count, bool awake, WorkerBody body, void* context) noexcept {
  work_body = body;
  work_context = context;
  work_count = count;
  stay_awake.store(awake, std::memory_order_relaxed);
  inside.store(0, std::memory_order_release);
  for (int rank = 1; rank <= count; ++rank) {
    // In one total order with workers that fall asleep, or `notify_one` might miss one.
    bells[rank].rings.fetch_add(1, std::memory_order_seq_cst);
    bells[rank].rings.notify_one();
  }
  body(0, context);
  // A worker that has not begun is asleep or has no CPU: nobody waits for it. One that has may have
  // been woken on the CPU of this thread, as virtual machines often do, where it cannot end.
  constexpr int spins = 1000, yields = 100;
  int found = inside.fetch_add(closed, std::memory_order_seq_cst) + closed;
  for (int wait = 0; found != closed; ++wait, found = inside.load(std::memory_order_acquire)) {
    if (wait < spins)
      relax();
    else if (wait == spins)
      step_aside();
    else if (wait < spins + yields)
      sched_yield();
    else
      inside.wait(found, std::memory_order_acquire);
  }
}

int threads_when_refused() noexcept {
  return told_when_refused.load(std::memory_order_relaxed) == 0
             ? 0
             : told_when_refused.exchange(0, std::memory_order_relaxed);
}

} // namespace gyaku
