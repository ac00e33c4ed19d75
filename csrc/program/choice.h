// The choice of the team's size by measurement. No bit of a result depends on the size, so that it
// may change between any two runs of the same work.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include "program/team.h"

namespace gyaku {

// The sizes 1, 2, 4 ... up to a limit for one kind of work, and the recent pace of each: seconds
// for a unit of work. One size does the work. Now and then another one is tried, so rarely that the
// time lost is about one per cent, and takes over if it is faster. Times are in seconds, from any
// origin.
class Choice {
public:
  Choice() = default;
  Choice(int limit, int first, double now); // begins on at most `first` threads

  struct Plan {
    int size; // index of a candidate
    int threads;
    std::int64_t runs;
    double work; // of all of them
  };
  // What to do next: at most `runs` runs of `work` each. Unless `may_lose`, only a smaller team is
  // tried, after a disturbance.
  Plan plan(double now, std::int64_t runs, double work = 1, bool may_lose = true);
  // The time of a plan, which ended at `now`. Returns the time lost if a trial ended.
  double took(const Plan& plan, double now, double seconds);

  int threads() const { return count_ == 0 ? 1 : candidates_[current_].threads; }
  // Threads and pace of the sizes measured.
  std::vector<std::pair<int, double>> paces() const;

private:
  struct Candidate {
    int threads = 1;
    double pace = 0, best = 0;    // mean and least; 0 if unknown
    double work = 0, seconds = 0; // that `pace` is the mean of
    double used = 0;              // the end of its last run
    // Its last trial: the end, the time lost, and the pace of the size in use.
    double tried = 0, lost = 0, rival = 0;

    void add(double more_work, double more_seconds, double span);
    void forget() { work = seconds = best = 0; }
  };
  // Consecutive runs on one size; `counted` seconds are without the warm-up.
  struct Stint {
    int size = -1;
    double runs = 0, work = 0, seconds = 0, counted = 0;
  };

  double predicted_pace(const Candidate& candidate) const;
  bool is_due(const Candidate& candidate, double now, bool may_lose) const;
  int next_trial(double now, bool may_lose) const;
  bool is_promising(const Candidate& candidate) const;
  double judge_trial(double now);

  std::array<Candidate, 11> candidates_{};
  int count_ = 0, current_ = 0;
  int trial_ = -1;  // the candidate on trial
  double work_ = 1; // of a run
  Stint stint_;
};

// A kind of work, and the estimated seconds of a run on one thread: equal keys, equal pace. Small
// work begins alone, since it may well be faster so.
struct Load {
  std::uint64_t key = 0;
  double seconds = 0;
  bool begins_alone = true;
};

// The CPUs that others leave idle. While there are none, new work begins alone and waits for its
// first trial up to a second: a training of a tenth of a second would notice what a team loses
// there.
class Neighbours {
public:
  // Looks, by calling idle_cpus(), if that is due: for new work once a second; while none was idle
  // every few milliseconds, since what was busy may have been a process at its end.
  template <class F> void look(double now, bool is_new, F idle_cpus) {
    if (!is_due(now, is_new)) return;
    looked_ = now;
    idle_ = idle_cpus();
    if (idle_ > 0)
      busy_until_ = now;
    else if (now >= busy_until_)
      busy_until_ = now + longest_wait;
  }
  bool are_busy(double now) const { return now < busy_until_; }
  // Threads for the first run of new work.
  int first_threads(const Load& load, int limit) const;

private:
  static constexpr double longest_wait = 1;
  bool is_due(double now, bool is_new) const;

  double looked_ = -1, busy_until_ = 0;
  int idle_ = 0;
};

// The choices of this process by kind of work, of which the latest few hundred are remembered.
Choice::Plan plan_runs(const Load& load, int limit, std::int64_t runs);
void runs_took(const Load& load, int limit, const Choice::Plan& plan, double seconds);
Choice remembered_choice(const Load& load, int limit);

// Calls run(threads, runs) until `runs` runs are done, on the number of threads that is fastest, or
// false if a call returns false.
template <class F> bool run_on_fastest(const Load& load, std::int64_t runs, F run) {
  const ThreadLimit limit = thread_limit();
  if (limit.exact || limit.threads < 2) return run(limit.threads, runs);
  using Clock = std::chrono::steady_clock;
  while (runs > 0) {
    const Choice::Plan plan = plan_runs(load, limit.threads, runs);
    const auto start = Clock::now();
    if (!run(plan.threads, plan.runs)) return false;
    runs_took(load, limit.threads, plan,
              std::chrono::duration<double>(Clock::now() - start).count());
    runs -= plan.runs;
  }
  return true;
}

} // namespace gyaku
