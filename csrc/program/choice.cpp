#include "program/choice.h"

#include <algorithm>
#include <atomic>
#include <optional>

#include <pthread.h>

namespace gyaku {

namespace {

constexpr double slice = 2e-3;     // between two decisions, unless a run takes longer
constexpr double warm_up = 0.5e-3; // after a change of size: threads wake up, caches fill
constexpr double first_look = 1.5e-3;
// Of a trial that ends in a change: several slices of the system's scheduler, since on a busy
// machine some of them are much slower than others.
constexpr double trial = 50e-3;
constexpr double window = 100e-3;      // of a mean
constexpr double enough_runs = 3;      // instead, if they are long
constexpr double most_lost = 3e-3;     // by a trial, unless by a single run
constexpr double worth_a_change = .97; // of the pace
constexpr double jump = 1.5;           // of the pace: time to try a smaller team
constexpr double between_trials = 1;
// A trial waits as many times what the last one lost, for each candidate: half a per cent in all.
constexpr double thrift = 200;
constexpr double between_looks = 1, between_busy_looks = 5e-3;
// A team that shares every CPU is faster than one thread, which has half a CPU.
constexpr double long_run = 20e-3;
constexpr double search = .01;  // of a run: the longest search for an idle CPU before it
constexpr double awake = 20e-3; // at most, members wait for work before they sleep

} // namespace

Choice::Choice(int limit, int first, double now) {
  for (int threads = 1; threads < limit; threads *= 2) candidates_[count_++].threads = threads;
  candidates_[count_++].threads = limit;
  for (Candidate& candidate : candidates_) candidate.tried = now;
  while (current_ + 1 < count_ && candidates_[current_ + 1].threads <= first) ++current_;
}

Choice::Plan Choice::plan(double now, std::int64_t runs, double work, bool may_lose) {
  work_ = work;
  if (trial_ < 0) {
    trial_ = next_trial(now, may_lose);
    if (trial_ >= 0) candidates_[trial_].forget();
  }
  const int size = trial_ < 0 ? current_ : trial_;
  Candidate& candidate = candidates_[size];
  if (stint_.size != size) {
    stint_ = {size};
    if (now - candidate.used > window) candidate.forget();
  }
  // One run, then two, then four ...: how slow they are is not known beforehand.
  std::int64_t most = static_cast<std::int64_t>(stint_.runs) + 1;
  const double pace = stint_.work > 0 ? stint_.seconds / stint_.work : candidate.pace;
  if (pace > 0) most = std::min(most, static_cast<std::int64_t>(slice / (pace * work)));
  most = std::clamp<std::int64_t>(most, 1, runs);
  return {size, candidate.threads, most, static_cast<double>(most) * work};
}

double Choice::took(const Plan& plan, double now, double seconds) {
  if (plan.size != stint_.size) return 0; // another thread's
  Candidate& candidate = candidates_[plan.size];
  candidate.used = now;
  // What begins in the warm-up counts only if it lasts so long that this makes no difference.
  if (stint_.seconds >= warm_up || seconds >= first_look) {
    candidate.add(plan.work, seconds, std::max(window, enough_runs * seconds));
    stint_.counted += seconds;
  }
  stint_.runs += static_cast<double>(plan.runs);
  stint_.work += plan.work;
  stint_.seconds += seconds;
  return plan.size == trial_ ? judge_trial(now) : 0;
}

void Choice::Candidate::add(double more_work, double more_seconds, double span) {
  work += more_work;
  seconds += more_seconds;
  pace = seconds / work;
  const double latest = more_seconds / more_work;
  best = best == 0 ? latest : std::min(best, latest);
  if (seconds > span) {
    work *= span / seconds;
    seconds = span;
    best += (pace - best) / 1024; // forgotten in seconds
  }
}

// A larger team must also be faster while nothing disturbs it, or else it was lucky.
bool Choice::is_promising(const Candidate& candidate) const {
  const Candidate& current = candidates_[current_];
  return candidate.pace < worth_a_change * current.pace &&
         (candidate.threads < current.threads || candidate.best < worth_a_change * current.best);
}

double Choice::judge_trial(double now) {
  Candidate &candidate = candidates_[trial_], &current = candidates_[current_];
  const double lost = stint_.seconds - stint_.work * current.pace;
  const double run = work_ * current.pace;
  const bool costs_much = stint_.seconds > warm_up && lost > std::max(most_lost, run);
  if (!costs_much) {
    if (stint_.counted < first_look) return 0;
    if (is_promising(candidate)) {
      if (stint_.counted < std::max(trial, enough_runs * run)) return 0;
      std::swap(current_, trial_);
    }
  }
  Candidate& loser = candidates_[trial_];
  if (loser.pace == 0) loser.add(stint_.work, stint_.seconds, window);
  loser.tried = now;
  loser.lost = std::max(0.0, &loser == &candidate ? lost : 0.0);
  loser.rival = candidates_[current_].pace;
  trial_ = -1;
  return loser.lost;
}

// If it is unknown: fewer threads take longer in proportion, at worst.
double Choice::predicted_pace(const Candidate& candidate) const {
  if (candidate.pace > 0) return candidate.pace;
  const Candidate& current = candidates_[current_];
  return current.best * std::max(1.0, static_cast<double>(current.threads) / candidate.threads);
}

bool Choice::is_due(const Candidate& candidate, double now, bool may_lose) const {
  const Candidate& current = candidates_[current_];
  const bool is_known = candidate.pace > 0;
  const bool is_smaller = candidate.threads < current.threads;
  if (is_known && is_smaller && current.pace > jump * candidate.rival) return true;
  if (!may_lose) return false;
  const double slower = std::max(0.0, predicted_pace(candidate) / current.pace - 1);
  const double lost =
      is_known ? candidate.lost : slower * std::max(current.pace * work_, first_look);
  return now - candidate.tried >=
         std::max(is_known ? between_trials : 0, thrift * (count_ - 1) * lost);
}

int Choice::next_trial(double now, bool may_lose) const {
  if (candidates_[current_].seconds < first_look) return -1;
  int next = -1;
  for (int i = 0; i < count_; ++i) {
    if (i == current_ || !is_due(candidates_[i], now, may_lose)) continue;
    if (next < 0 || predicted_pace(candidates_[i]) < predicted_pace(candidates_[next])) next = i;
  }
  return next;
}

std::vector<std::pair<int, double>> Choice::paces() const {
  std::vector<std::pair<int, double>> found;
  for (int i = 0; i < count_; ++i)
    if (candidates_[i].pace > 0) found.emplace_back(candidates_[i].threads, candidates_[i].pace);
  return found;
}

bool Neighbours::is_due(double now, bool is_new) const {
  return now - looked_ >= (idle_ > 0 ? between_looks : between_busy_looks) &&
         (is_new || are_busy(now));
}

int Neighbours::first_threads(const Load& load, int limit) const {
  if (load.seconds >= long_run) return limit;
  return load.begins_alone ? 1 : std::clamp(1 + idle_, 1, limit);
}

namespace {

struct Remembered {
  std::uint64_t key = 0;
  int limit = 0;
  bool was_reduced = false;     // to one thread, since no CPU was idle
  std::optional<Choice> choice; // none is zero bytes, which take no room in the module's file
};
constexpr std::size_t places = 256;
Remembered memory[places]; // a place for each remainder of a key
double thrifty_until = 0;  // after a trial that lost time, of any kind of work
double team_ended = 0;     // and how many members other than the first it had
int team_members = 0;
Neighbours neighbours;
std::atomic_flag memory_is_busy = ATOMIC_FLAG_INIT;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Members that wait for work look busy.
int idle_cpus_now() { return idle_cpus() + (now() - team_ended < awake ? team_members : 0); }

// The memory, or null while another thread is at it: then nothing waits.
class Memory {
public:
  Memory() noexcept : is_mine_(!memory_is_busy.test_and_set(std::memory_order_acquire)) {}
  ~Memory() {
    if (is_mine_) memory_is_busy.clear(std::memory_order_release);
  }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  Choice* find(const Load& load, int limit) const {
    Remembered& place = memory[load.key % places];
    const bool is_it = is_mine_ && place.choice && place.key == load.key && place.limit == limit;
    return is_it ? &*place.choice : nullptr;
  }
  // Begins anew what began alone for want of an idle CPU, as soon as there is one.
  Choice* find_or_make(const Load& load, int limit, double now) const {
    if (!is_mine_) return nullptr;
    Choice* found = find(load, limit);
    look(load, now, found == nullptr);
    const int first = neighbours.first_threads(load, limit);
    Remembered& place = memory[load.key % places];
    if (found != nullptr && !(place.was_reduced && first > 1)) return found;
    place = {load.key, limit, first == 1 && !load.begins_alone, Choice(limit, first, now)};
    return &*place.choice;
  }

private:
  static void look(const Load& load, double start, bool is_new) {
    neighbours.look(start, is_new, [&] {
      int idle = idle_cpus_now();
      while (is_new && idle < 1 && now() - start < search * load.seconds) idle = idle_cpus_now();
      return idle;
    });
  }

  bool is_mine_;
};

} // namespace

Choice::Plan plan_runs(const Load& load, int limit, std::int64_t runs) {
  // The thread that was at it does not exist in a forked child.
  static const int prepared = pthread_atfork(nullptr, nullptr, [] { memory_is_busy.clear(); });
  static_cast<void>(prepared);
  const Memory memory;
  const double start = now();
  Choice* choice = memory.find_or_make(load, limit, start);
  const bool may_lose = start >= thrifty_until && !neighbours.are_busy(start);
  return choice == nullptr ? Choice::Plan{-1, 1, 1, 0}
                           : choice->plan(start, runs, load.seconds, may_lose);
}

void runs_took(const Load& load, int limit, const Choice::Plan& plan, double seconds) {
  const Memory memory;
  Choice* choice = memory.find(load, limit);
  if (choice == nullptr) return;
  const double end = now();
  if (plan.threads > 1) {
    team_ended = end;
    team_members = plan.threads - 1;
  }
  const double lost = choice->took(plan, end, seconds);
  thrifty_until = std::max(thrifty_until, end + thrift * lost);
}

Choice remembered_choice(const Load& load, int limit) {
  const Memory memory;
  const Choice* choice = memory.find(load, limit);
  return choice == nullptr ? Choice() : *choice;
}

} // namespace gyaku
