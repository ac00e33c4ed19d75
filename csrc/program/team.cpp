#include "program/team.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <pthread.h>
#include <sched.h>
#include <strings.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "runtime/workers.h"

namespace gyaku {

namespace {

std::atomic<ThreadLimit> chosen_limit{ThreadLimit{0, false}}; // 0 threads: not chosen

std::atomic_flag team_is_busy = ATOMIC_FLAG_INIT;

// The owner of the team does not exist in a forked child.
void prepare_for_fork() noexcept {
  static const int prepared = pthread_atfork(nullptr, nullptr, [] { team_is_busy.clear(); });
  static_cast<void>(prepared);
}

cpu_set_t affinity() noexcept {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  sched_getaffinity(0, sizeof cpus, &cpus);
  return cpus;
}
const cpu_set_t cpus_at_load = affinity();

// With OMP_PROC_BIND, another library's OpenMP may bind the first thread to one CPU of the process.
const bool may_be_bound = [] {
  const char* bind = std::getenv("OMP_PROC_BIND");
  return bind != nullptr && strcasecmp(bind, "false") != 0;
}();
cpu_set_t process_cpus() noexcept { return may_be_bound ? cpus_at_load : affinity(); }

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

Rounds team_rounds; // of the active team

} // namespace

GrantedCores granted_cores() {
  const cpu_set_t cpus = process_cpus();
  return granted_cores(cpus, physical_cores(cpus));
}

ThreadLimit thread_limit() {
  const ThreadLimit chosen = chosen_limit.load(std::memory_order_relaxed);
  const Grant& granted = Grant::recent();
  if (chosen.exact) return {std::min(chosen.threads, most_by_order(granted.most())), true};
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

void Rounds::pause(std::int64_t number, int wait, Watch* watch) noexcept {
  // About a fifth of a millisecond: a member woken from sleep is so late that the next one to wait
  // would fall asleep as well, and so on. Where threads share cores, a spinning thread keeps
  // another from working.
  constexpr int spins = 20000, spins_if_crowded = 1000;
  if (wait < (is_crowded_ ? spins_if_crowded : spins)) return relax();
  if (watch != nullptr) { // a sleep that ends by itself, in work that lasts much longer
    std::this_thread::sleep_for(std::chrono::microseconds(200));
    return watch->look();
  }
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

namespace {

struct Team {
  int size;
  TeamBody body;
  void* context;
};

void work_in_team(int rank, void* given) noexcept {
  const FlushSubnormals flush;
  const Team& team = *static_cast<const Team*>(given);
  Member me(rank, team.size, &team_rounds);
  team.body(me, team.context);
}

} // namespace

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
  Team team{hire_workers(threads - 1, may_be_bound ? &cpus_at_load : nullptr) + 1, body, context};
  if (team.size > 1) {
    team_rounds.reset(team.size);
    run_with_workers(team.size - 1, !team_rounds.is_crowded(), work_in_team, &team);
  } else {
    alone();
  }
  team_is_busy.clear(std::memory_order_release);
}

} // namespace gyaku
