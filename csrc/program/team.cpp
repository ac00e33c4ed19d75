#include "program/team.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include <omp.h>
#include <pthread.h>
#include <sched.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gyaku {

namespace {

std::atomic<ThreadLimit> chosen_limit{ThreadLimit{0, false}}; // 0 threads: not chosen

void relax() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Idle threads of the runtime do not survive a fork, and the child would wait for them forever:
// they are released before each fork and created again by the next region, in parent and child.
void dismiss_threads() { omp_pause_resource_all(omp_pause_hard); }

std::atomic_flag team_is_busy = ATOMIC_FLAG_INIT;

// The owner of the team does not exist in the child.
void release_team() { team_is_busy.clear(); }

void prepare_for_fork() noexcept {
  static std::atomic_flag prepared = ATOMIC_FLAG_INIT;
  if (!prepared.test_and_set()) pthread_atfork(dismiss_threads, nullptr, release_team);
}

// The CPUs of this process. With OMP_PROC_BIND the runtime binds the first thread to one of them.
cpu_set_t process_cpus() noexcept {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (omp_get_proc_bind() != omp_proc_bind_false)
    for (int place = 0; place < omp_get_num_places(); ++place) {
      std::vector<int> ids(static_cast<std::size_t>(omp_get_place_num_procs(place)));
      omp_get_place_proc_ids(place, ids.data());
      for (const int id : ids) CPU_SET(static_cast<std::size_t>(id), &cpus);
    }
  if (CPU_COUNT(&cpus) == 0) sched_getaffinity(0, sizeof cpus, &cpus);
  return cpus;
}

// What the machine grants, read again once a second: affinity and quota may change.
class Grant {
public:
  static const Grant& recent() {
    static Grant grant;
    grant.refresh();
    return grant;
  }
  int threads() const { return threads_.load(std::memory_order_relaxed); } // by default
  int most() const { return most_.load(std::memory_order_relaxed); }

private:
  Grant() { read(); }

  void refresh() {
    const std::int64_t now = milliseconds();
    std::int64_t seen = read_at_.load(std::memory_order_relaxed);
    if (now - seen >= 1000 && read_at_.compare_exchange_strong(seen, now) &&
        !is_being_read_.test_and_set(std::memory_order_acquire)) {
      read();
      is_being_read_.clear(std::memory_order_release);
    }
  }
  void read() {
    const cpu_set_t cpus = process_cpus();
    if (physical_ == 0 || !CPU_EQUAL(&cpus, &cpus_)) { // the topology takes two files a CPU
      cpus_ = cpus;
      physical_ = physical_cores(cpus);
    }
    const GrantedCores granted = granted_cores(cpus, physical_);
    most_.store(granted.most, std::memory_order_relaxed);
    threads_.store(granted.threads, std::memory_order_relaxed);
  }
  static std::int64_t milliseconds() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  }

  std::atomic<int> threads_{1}, most_{1};
  std::atomic<std::int64_t> read_at_{milliseconds()};
  std::atomic_flag is_being_read_ = ATOMIC_FLAG_INIT;
  cpu_set_t cpus_{};
  int physical_ = 0;
};

Rounds team_rounds;            // of the active team
std::atomic<int> members_done; // members other than the first that have finished

// Moves to another CPU, if this thread may use one.
void step_aside() noexcept {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return;
  cpu_set_t others = all;
  CPU_CLR(static_cast<std::size_t>(sched_getcpu()), &others);
  if (sched_setaffinity(0, sizeof others, &others) == 0) sched_setaffinity(0, sizeof all, &all);
}

// The system may wake a member on the CPU of the first one, as virtual machines often do. There it
// cannot begin, and the barrier of the runtime would spin for milliseconds.
void leave(const Member& me) noexcept {
  if (me.rank() > 0) {
    members_done.fetch_add(1, std::memory_order_release);
    return;
  }
  constexpr int spins = 1000, yields = 100;
  for (int wait = 0; wait < spins + yields; ++wait) {
    if (members_done.load(std::memory_order_acquire) + 1 >= me.size()) return;
    if (wait < spins)
      relax();
    else if (wait == spins)
      step_aside();
    else
      sched_yield();
  }
}

} // namespace

GrantedCores granted_cores() {
  const cpu_set_t cpus = process_cpus();
  return granted_cores(cpus, physical_cores(cpus));
}

ThreadLimit thread_limit() {
  const ThreadLimit chosen = chosen_limit.load(std::memory_order_relaxed);
  if (chosen.exact) return chosen;
  const Grant& granted = Grant::recent();
  return {chosen.threads == 0 ? granted.threads() : std::min(chosen.threads, granted.most()),
          false};
}

void set_thread_limit(ThreadLimit limit) {
  chosen_limit.store({limit.threads, limit.exact && limit.threads > 0}, std::memory_order_relaxed);
}

void Rounds::reset(int slots) noexcept {
  is_crowded_ = slots > Grant::recent().most();
  for (int slot = 0; slot < slots; ++slot) taken_[slot].rounds.store(0, std::memory_order_relaxed);
  done_.store(0, std::memory_order_relaxed);
  current_.store(0, std::memory_order_relaxed);
}

bool Rounds::take(int slot, std::int64_t number) noexcept {
  std::atomic<std::int64_t>& rounds = taken_[slot].rounds;
  std::int64_t seen = rounds.load(std::memory_order_relaxed);
  while (seen <= number)
    if (rounds.compare_exchange_weak(seen, number + 1, std::memory_order_acq_rel)) return true;
  return false;
}

void Rounds::finish(std::int64_t number, int slots) noexcept {
  if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 < slots) return;
  done_.store(0, std::memory_order_relaxed);
  // In one total order with members that fall asleep, or `notify_all` might miss one.
  current_.store(static_cast<std::uint32_t>(number + 1), std::memory_order_seq_cst);
  current_.notify_all();
}

void Rounds::pause(std::int64_t number, int wait) noexcept {
  // About a fifth of a millisecond: a member woken from sleep is so late that the next one to wait
  // would fall asleep as well, and so on. Where threads share cores, a spinning thread keeps
  // another from working.
  constexpr int spins = 20000, spins_if_crowded = 1000;
  if (wait < (is_crowded_ ? spins_if_crowded : spins)) return relax();
  // Every slot has been taken: sleep until the last one is done.
  current_.wait(static_cast<std::uint32_t>(number), std::memory_order_acquire);
}

#if defined(__x86_64__)
FlushSubnormals::FlushSubnormals() noexcept : saved_(_mm_getcsr()) {
  constexpr unsigned flush_to_zero = 0x8000, denormals_are_zero = 0x0040;
  _mm_setcsr(static_cast<unsigned>(saved_) | flush_to_zero | denormals_are_zero);
}
FlushSubnormals::~FlushSubnormals() noexcept { _mm_setcsr(static_cast<unsigned>(saved_)); }
#elif defined(__aarch64__)
FlushSubnormals::FlushSubnormals() noexcept {
  constexpr std::uint64_t flush_to_zero = std::uint64_t{1} << 24;
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" : : "r"(saved_ | flush_to_zero));
}
FlushSubnormals::~FlushSubnormals() noexcept { asm volatile("msr fpcr, %0" : : "r"(saved_)); }
#else
FlushSubnormals::FlushSubnormals() noexcept : saved_(0) {}
FlushSubnormals::~FlushSubnormals() noexcept {}
#endif

void run_team(int threads, TeamBody body, void* context) noexcept {
  const auto alone = [&] {
    const FlushSubnormals flush;
    Member me(0, 1, nullptr);
    body(me, context);
  };
  // Two Python threads that train at once would compete for the cores: the second works alone, with
  // the same bits.
  if (threads < 2 || team_is_busy.test_and_set(std::memory_order_acquire)) return alone();
  prepare_for_fork();
  team_rounds.reset(threads);
  members_done.store(0, std::memory_order_relaxed);
#pragma omp parallel num_threads(threads) default(none) shared(body, context, team_rounds)
  {
    const FlushSubnormals flush;
    // The team granted may be smaller than requested.
    Member me(omp_get_thread_num(), omp_get_num_threads(), &team_rounds);
    body(me, context);
    leave(me);
  }
  team_is_busy.clear(std::memory_order_release);
}

} // namespace gyaku
