#include "program/program.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <numeric>
#include <string_view>
#include <utility>

#include "kernels/args/conv.h"
#include "program/communicator.h"
#include "program/fuse.h"
#include "program/local_ranks.h"
#include "program/split.h"
#include "program/team.h"
#include "program/watch.h"

namespace gyaku {

namespace {

thread_local Program* recording_here = nullptr;

// Bytes of the state before a recorded step, which are copied lest it be stopped. Only a long task
// is, and steps that have some begin with them: an update of many parameters behind none ends what
// can be stopped, rather than copy them in vain at the beginning of each training.
constexpr std::int64_t most_remembered = std::int64_t{64} << 20;
constexpr std::int64_t most_in_vain = std::int64_t{64} << 10;

// Runs a slice of a task, in pieces if it is watched.
template <class T>
void run_slice(const T& task, const void* args, Slice slice, Watch* watch, bool asks) noexcept {
  if (slice.begin >= slice.end) return;
  if (watch == nullptr) return task.kernel(args, slice);
  watch->in_pieces(slice, task.extent, task.grain, asks,
                   [&](Slice piece) noexcept { task.kernel(args, piece); });
}

// The steps from `begin` on that go a few rows at a time together, or one step.
std::span<const ScheduledTask> group_at(std::span<const ScheduledTask> steps, std::size_t begin) {
  std::size_t last = begin;
  while (last + 1 < steps.size() && steps[last].rows_with_next > 0) ++last;
  return steps.subspan(begin, last + 1 - begin);
}

using Clock = std::chrono::steady_clock;
double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The same while sums over `ranks` are under way, which go on between pieces of a long task.
void run_slice(const ScheduledTask& step, Slice slice, Watch* watch, bool asks,
               Communicator* ranks) noexcept {
  if (ranks == nullptr || step.pieces == 1 || !ranks->is_busy())
    return run_slice(step, step.args, slice, watch, asks);
  const std::int64_t begin = slice.begin / step.grain;
  const std::int64_t grains = (slice.end - slice.begin + step.grain - 1) / step.grain;
  const std::int64_t pieces =
      std::max<std::int64_t>(step.pieces * grains * step.grain / step.extent, 1);
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    const std::int64_t from = (begin + grains * piece / pieces) * step.grain;
    const std::int64_t to = (begin + grains * (piece + 1) / pieces) * step.grain;
    run_slice(step, step.args, {from, std::min(to, slice.end)}, watch, asks);
    ranks->poll();
  }
}

// A group of steps over their rows; adds the seconds of each, if they are asked for.
void run_together(std::span<const ScheduledTask> steps, Slice slice, Watch* watch, bool asks,
                  Communicator* ranks, double* seconds) noexcept {
  const ScheduledTask& first = steps.front();
  if (steps.size() == 1) return run_slice(first, slice, watch, asks, ranks);
  const std::int64_t rows = slice.end - slice.begin;
  if (rows <= 0) return;
  const std::int64_t most = first.rows_with_next;
  const std::int64_t pieces = (rows + most - 1) / most;
  for (std::int64_t piece = 0; piece < pieces; ++piece) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const auto start = seconds != nullptr ? Clock::now() : Clock::time_point();
      steps[i].kernel(steps[i].args, {slice.begin + rows * piece / pieces,
                                      slice.begin + rows * (piece + 1) / pieces});
      if (seconds != nullptr) seconds[i] += since(start);
    }
    if (watch == nullptr) continue;
    if (asks) watch->look();
    if (watch->is_stopped()) return;
  }
}

// All steps on this thread: no rounds, no slots. A step of a few kilobytes takes as long as what is
// done between its tasks, so that a task by itself is a call and nothing else.
void run_alone(std::span<const ScheduledTask> steps) noexcept {
  for (const ScheduledTask *step = steps.data(), *const end = step + steps.size(); step != end;) {
    if (step->rows_with_next == 0) {
      step->kernel(step->args, {0, step->extent});
      ++step;
      continue;
    }
    const auto group = group_at({step, end}, 0);
    run_together(group, {0, step->extent}, nullptr, true, nullptr, nullptr);
    step += group.size();
  }
}

// The same with something to look at between the steps.
void run_alone(std::span<const ScheduledTask> steps, Watch* watch, Communicator* ranks,
               double* seconds) noexcept {
  if (watch == nullptr && ranks == nullptr && seconds == nullptr) return run_alone(steps);
  for (std::size_t i = 0; i < steps.size();) {
    const auto group = group_at(steps, i);
    run_together(group, {0, group.front().extent}, watch, true, ranks, seconds);
    i += group.size();
    if (ranks != nullptr) ranks->poll();
  }
}

// The steps between two barriers are one round. Parallel steps are cut into as many slots as the
// team has members; serial steps are in the first slot. Sums over `ranks` go on behind each.
void run_steps(Member& me, std::span<const ScheduledTask> steps, Watch* watch = nullptr,
               Communicator* ranks = nullptr, double* seconds = nullptr) noexcept {
  if (me.size() == 1) return run_alone(steps, watch, ranks, seconds);
  for (std::size_t begin = 0, end; begin < steps.size(); begin = end) {
    bool shared = steps[begin].shared;
    for (end = begin + 1; end < steps.size() && !steps[end].wait_before; ++end)
      shared = shared || steps[end].shared;
    const int slots = shared ? me.size() : 1;
    const auto work = [&](int slot) noexcept {
      for (std::size_t i = begin; i < end;) {
        const auto group = group_at(steps, i);
        const ScheduledTask& step = group.front();
        const Slice slice = step.shared ? slice_of(step.extent, step.grain, slot, slots)
                                        : Slice{0, slot == 0 ? step.extent : 0};
        const bool asks = me.rank() == 0;
        run_together(group, slice, watch, asks, asks ? ranks : nullptr, seconds);
        i += group.size();
      }
    };
    me.round(slots, work, watch);
    if (ranks != nullptr && me.rank() == 0) ranks->poll();
  }
}

// Lets a convolution prefetch the slices of another task, those of one size.
void set_ahead(ConvArgs& args, const Task& other) {
  std::size_t count = 0;
  for (const Operand& operand : other.operands) {
    const std::int64_t bytes = operand.bytes / other.extent;
    if (!operand.by_slice || (count > 0 && bytes != args.ahead_bytes)) continue;
    args.ahead[count++] = operand.memory;
    args.ahead_bytes = bytes;
    if (count == std::size(args.ahead)) return;
  }
}

// Equal for the same operations on the same sizes (FNV-1a).
std::uint64_t key_of(std::span<const Task> tasks) {
  std::uint64_t key = 0xcbf29ce484222325;
  for (const Task& task : tasks)
    for (const std::uint64_t value :
         {static_cast<std::uint64_t>(task.id), static_cast<std::uint64_t>(task.scalar),
          static_cast<std::uint64_t>(task.extent), std::bit_cast<std::uint64_t>(task.work.weight)})
      key = (key ^ value) * 0x100000001b3;
  return key ^ key >> 32;
}

// Work that takes longer begins on all threads: it may be the only one of its kind, as most eager
// calls are, or some runs on one thread may cost much.
constexpr double short_call = 0.2e-3, short_step = 1e-3;

} // namespace

// Programs that are run one after the other, and timed together.
class Unit {
public:
  // `is_alone`: whether it is all that was asked for, so that it may be undone.
  explicit Unit(std::span<const Repeat> schedule, bool is_alone = false)
      : schedule_(schedule), is_alone_(is_alone) {
    double most = 0; // the pace is that of the largest part
    for (const Repeat& repeat : schedule) {
      const auto times = static_cast<double>(repeat.times);
      load_.seconds += times * repeat.program->load_.seconds;
      if (const Load& load = repeat.program->load_; times * load.seconds > most) {
        most = times * load.seconds;
        load_.key = load.key;
        load_.begins_alone = load.begins_alone;
      }
      is_shared_ = is_shared_ || (repeat.times > 0 && repeat.program->is_shared_);
      calls_host_ = calls_host_ || (repeat.times > 0 && repeat.program->calls_host_);
    }
  }
  double seconds() const { return load_.seconds; }
  bool run(std::int64_t runs) const {
    const auto on = [this](int threads, std::int64_t count) { return run_on(threads, count); };
    const bool is_worth_it = static_cast<double>(runs) * load_.seconds >= worth_a_team;
    return is_shared_ && is_worth_it ? run_on_fastest(load_, runs, on) : on(1, runs);
  }

private:
  template <class F> bool each_stretch(std::int64_t runs, F body) const {
    for (std::int64_t run = 0; run < runs; ++run)
      for (const Repeat& repeat : schedule_)
        for (std::int64_t time = 0; time < repeat.times; ++time)
          for (const Program::Stretch& stretch : repeat.program->stretches_)
            if (!body(stretch, repeat.program->ranks_)) return false;
    return true;
  }

  // A single long run, which is undone if it is stopped.
  bool run_watched(int threads, Program& program) const {
    Watch watch(load_.seconds);
    program.keep_state();
    auto body = [&](Member& me) noexcept {
      for (const Program::Stretch& stretch : program.stretches_)
        run_steps(me, stretch.steps, &watch);
    };
    run_team(threads, body);
    if (watch.is_stopped()) program.restore_state();
    return !watch.is_stopped();
  }

  bool run_on(int threads, std::int64_t runs) const {
    if (is_alone_)
      if (Program& program = *schedule_.front().program; program.can_be_undone())
        return run_watched(threads, program);
    if (!calls_host_) { // one parallel region for all
      auto body = [&](Member& me) noexcept {
        each_stretch(runs, [&](const Program::Stretch& stretch, Communicator* ranks) {
          run_steps(me, stretch.steps, nullptr, ranks);
          return true;
        });
      };
      run_team(threads, body);
      return true;
    }
    return each_stretch(runs, [&](const Program::Stretch& stretch, Communicator* ranks) {
      if (stretch.host.call != nullptr) return stretch.host.call(stretch.host.context);
      auto body = [&](Member& me) noexcept { run_steps(me, stretch.steps, nullptr, ranks); };
      run_team(stretch.shared ? threads : 1, body);
      return true;
    });
  }

  std::span<const Repeat> schedule_;
  Load load_;
  bool is_alone_, is_shared_ = false, calls_host_ = false;
};

Program* Program::recording() { return recording_here; }
RecordingPause::RecordingPause() noexcept : paused_(recording_here) { recording_here = nullptr; }
RecordingPause::~RecordingPause() noexcept { recording_here = paused_; }
bool Program::is_recording() const { return recording_here == this; }

void Program::begin() {
  clear();
  recording_here = this;
  behind_ = {};
  remembers_ = Watch::is_worth_it(Watch::least_seconds);
  is_long_ = false;
  kept_bytes_ = 0;
}

void Program::abort() {
  if (is_recording()) recording_here = nullptr;
  clear();
}

void Program::clear() {
  forget();
  tasks_.clear();
  blocks_.clear();
  temporaries_.clear();
  stretches_.clear();
  state_.clear();
  plan_ = {};
  load_ = {};
  ranks_ = nullptr;
  is_shared_ = calls_host_ = meets_ranks_ = forgets_gradients_ = false;
}

// Memory that outlasts a run, and is written by it.
void Program::find_state() {
  std::map<void*, std::int64_t> found;
  for (const Task& task : tasks_)
    for (const Operand& operand : task.operands) {
      const bool is_passing =
          std::any_of(temporaries_.begin(), temporaries_.end(), [&](const Temporary& temporary) {
            return operand.overlaps({temporary.memory, temporary.bytes, Access::read});
          });
      std::int64_t& bytes = found[const_cast<void*>(operand.memory)];
      if (operand.writes() && !is_passing) bytes = std::max(bytes, operand.bytes);
    }
  for (const auto& [memory, bytes] : found)
    if (bytes > 0)
      state_.emplace_back(static_cast<std::byte*>(memory), static_cast<std::size_t>(bytes));
}

bool Program::can_be_undone() const {
  constexpr double bytes_per_second = 1e8; // a hundredth of the time, or less
  double bytes = 0;
  for (const auto& part : state_) bytes += static_cast<double>(part.size());
  // Other ranks wait for the sums of this one.
  return !calls_host_ && ranks_ == nullptr && !meets_ranks_ &&
         bytes < bytes_per_second * load_.seconds && Watch::is_worth_it(load_.seconds);
}

void Program::keep_state() {
  kept_.clear();
  for (const auto& part : state_) kept_.insert(kept_.end(), part.begin(), part.end());
}

void Program::restore_state() {
  const std::byte* from = kept_.data();
  for (const auto& part : state_) {
    std::copy_n(from, part.size(), part.data());
    from += part.size();
  }
}

void Program::remember(std::span<const Task> tasks, const Operand& scratch, double seconds) {
  if (!remembers_) return;
  is_long_ = is_long_ || seconds >= Watch::least_seconds;
  for (const Task& task : tasks)
    for (const Operand& operand : task.operands) {
      const void* memory = operand.memory;
      if (!operand.writes() || operand.overlaps(scratch) || !known_.insert(memory).second) continue;
      kept_bytes_ += operand.bytes;
      if (kept_bytes_ > (is_long_ ? most_remembered : most_in_vain)) return forget();
      auto* first = static_cast<std::byte*>(const_cast<void*>(memory));
      before_.push_back({first, {first, first + operand.bytes}});
    }
}

void Program::undo() {
  for (auto kept = before_.rbegin(); kept != before_.rend(); ++kept)
    std::copy(kept->second.begin(), kept->second.end(), kept->first);
}

void Program::forget() {
  remembers_ = false;
  known_.clear();
  before_ = {};
}

void Program::append(Task task) {
  if (behind_.memory != nullptr)
    task.operands.push_back({behind_.memory, behind_.bytes, Access::read, false, 0});
  tasks_.push_back(std::move(task));
}

void Program::keep(Block block, std::int64_t bytes) {
  add_temporary(block.get(), bytes);
  blocks_.push_back(std::move(block));
}

void Program::add_temporary(const void* memory, std::int64_t bytes) {
  temporaries_.push_back({memory, bytes});
  if (remembers_) known_.insert(memory);
}

void Program::end(std::span<const Operand> outputs) {
  recording_here = nullptr;
  forget();
  // GYAKU_OPTIMIZE=0 replays what was recorded, task by task.
  const char* wish = std::getenv("GYAKU_OPTIMIZE");
  const bool optimize = wish == nullptr || std::string_view(wish) != "0";
  std::erase_if(temporaries_, [&](const Temporary& temporary) {
    const Operand memory{temporary.memory, temporary.bytes, Access::read};
    return std::any_of(outputs.begin(), outputs.end(),
                       [&](const Operand& output) { return output.overlaps(memory); });
  });
  if (optimize) {
    fuse(tasks_, temporaries_);
    split_updates(tasks_);
    for (auto& [room, bytes] : split_products(tasks_, thread_limit().threads))
      keep(std::move(room), bytes);
  }
  for (const Task& task : tasks_)
    if (Communicator* const ranks = communicator_of(task); ranks != nullptr) ranks_ = ranks;
  meets_ranks_ = std::any_of(tasks_.begin(), tasks_.end(), is_meeting);
  // Host tasks between the others may read any array.
  calls_host_ = std::any_of(tasks_.begin(), tasks_.end(), std::mem_fn(&Task::is_host));
  forgets_gradients_ = optimize && !calls_host_ && merge_outer_products(tasks_, &keeps_gradients_);
  if (expected_seconds(tasks_) >= Watch::least_seconds) find_state();
  cut_into_stretches();
  if (optimize && !calls_host_) share_memory();
  if (optimize) prefetch_ahead();
  const double seconds = expected_seconds(tasks_);
  load_ = {key_of(tasks_), seconds, seconds < short_step};
  is_shared_ = std::any_of(stretches_.begin(), stretches_.end(), std::mem_fn(&Stretch::shared));
}

void Program::cut_into_stretches() {
  std::vector<const Task*> kernels;
  const auto close = [&] {
    if (kernels.empty()) return;
    Stretch stretch;
    stretch.steps = schedule(kernels);
    stretch.shared = wants_team(stretch.steps);
    stretches_.push_back(std::move(stretch));
    kernels.clear();
  };
  for (const Task& task : tasks_) {
    if (!task.is_host()) {
      kernels.push_back(&task);
      continue;
    }
    close();
    stretches_.emplace_back();
    stretches_.back().host = task.host;
  }
  close();
}

void Program::share_memory() {
  std::vector<int> levels(tasks_.size(), 0);
  for (const Placed& placed : order()) levels[placed.task] = placed.level;
  plan_ = plan_memory(tasks_, levels, temporaries_);
  std::erase_if(blocks_, [&](const Block& block) {
    return std::find(plan_.moved.begin(), plan_.moved.end(), block.get()) != plan_.moved.end();
  });
}

// In a group, convolutions leave the memory idle: meanwhile they prefetch what the first task will
// touch for the next images.
void Program::prefetch_ahead() {
  std::size_t first = 0; // task of the stretch
  for (const Stretch& stretch : stretches_) {
    for (std::size_t i = 0; i < stretch.steps.size();) {
      const auto group = group_at(stretch.steps, i);
      i += group.size();
      const Task& head = tasks_[first + group.front().task];
      for (const ScheduledTask& step : group.subspan(1))
        if (Task& task = tasks_[first + step.task]; task.is_convolution())
          set_ahead(task.as<ConvArgs>(), head);
    }
    first += std::max<std::size_t>(stretch.steps.size(), 1);
  }
}

bool replay(std::span<const Repeat> schedule, std::int64_t times) {
  const Unit whole(schedule);
  // Epochs of a few small steps are timed together, larger ones program by program.
  constexpr double small = 1e-3;
  if (schedule.size() != 1 && whole.seconds() < small) return whole.run(times);
  for (std::int64_t time = 0; time < times; ++time)
    for (const Repeat& repeat : schedule) {
      const bool is_alone = schedule.size() == 1 && repeat.times == 1 && times == 1;
      if (!repeat.program->run(repeat.times, is_alone)) return false;
    }
  return true;
}

bool Program::run(std::int64_t times, bool is_alone) {
  const Repeat once{this, 1};
  const Unit unit({&once, 1}, is_alone);
  if (!forgets_gradients_ || times < 2) return unit.run(times);
  keeps_gradients_ = false;
  const bool done = unit.run(times - 1);
  keeps_gradients_ = true;
  return done && unit.run(1);
}

Program::Team Program::team() const {
  Team team;
  team.is_shared = is_shared_;
  if (!is_shared_) return team;
  const ThreadLimit limit = thread_limit();
  const Choice choice = remembered_choice(load_, limit.threads);
  team.threads = limit.exact ? limit.threads : choice.threads();
  for (const auto& [threads, pace] : choice.paces())
    team.seconds.emplace_back(threads, pace * load_.seconds);
  return team;
}

std::vector<Program::Placed> Program::order() const {
  std::vector<Placed> placed;
  std::size_t first = 0;
  int level = 0;
  for (const Stretch& stretch : stretches_) {
    if (stretch.host.call != nullptr) {
      placed.push_back({first++, false, ++level});
      ++level;
      continue;
    }
    for (const ScheduledTask& step : stretch.steps)
      placed.push_back({first + step.task, step.shared, level += step.wait_before ? 1 : 0});
    first += stretch.steps.size();
  }
  return placed;
}

std::vector<double> Program::profile(int repeats) {
  const int fastest = team().threads;
  std::vector<double> seconds(tasks_.size(), 0.0);
  for (int repeat = 0; repeat < repeats; ++repeat) {
    keeps_gradients_ = repeat + 1 == repeats;
    std::size_t first = 0;
    for (const Stretch& stretch : stretches_) {
      if (stretch.host.call != nullptr) {
        const auto start = Clock::now();
        if (!stretch.host.call(stretch.host.context)) return {};
        seconds[first++] += since(start);
        continue;
      }
      const std::size_t steps = stretch.steps.size();
      const int threads = stretch.shared ? fastest : 1;
      std::vector<double> times(steps * static_cast<std::size_t>(threads), 0.0);
      auto body = [&](Member& me) noexcept {
        double* mine = times.data() + static_cast<std::size_t>(me.rank()) * steps;
        for (std::size_t i = 0; i < steps;) {
          const auto group = group_at(stretch.steps, i);
          const auto start = Clock::now();
          run_steps(me, group, nullptr, nullptr, mine + i);
          // Waits included, in proportion.
          const std::span<double> each(mine + i, group.size());
          const double work = std::accumulate(each.begin(), each.end(), 0.0);
          const double factor = work > 0 ? since(start) / work : 0;
          for (double& time : each) time *= factor;
          if (group.size() == 1) each.front() = since(start);
          i += group.size();
        }
      };
      run_team(threads, body);
      // A member that missed a round found it done: the longest time is the true one.
      for (std::size_t at = 0; at < times.size(); ++at) {
        double& longest = times[at % steps];
        longest = std::max(longest, times[at]);
      }
      for (std::size_t i = 0; i < steps; ++i) seconds[first + stretch.steps[i].task] += times[i];
      first += steps;
    }
  }
  for (double& second : seconds) second /= repeats;
  return seconds;
}

namespace {

// What is stopped is thrown away with its results. State that is updated in place cannot be, unless
// a program remembers what it was.
bool can_be_stopped(std::span<const Task> tasks, const Operand& scratch, double seconds) {
  if (!Watch::is_worth_it(seconds)) return false;
  if (const Program* program = Program::recording(); program != nullptr)
    return program->remembers();
  for (const Task& task : tasks)
    for (const Operand& operand : task.operands)
      if (operand.access == Access::update && !operand.overlaps(scratch)) return false;
  return true;
}

} // namespace

void submit(std::span<Task> tasks, Block scratch, std::int64_t scratch_bytes) {
  // A replay that ends before a team would be awake runs on this thread, task after task.
  Program* const program = Program::recording();
  const Operand work_space{scratch.get(), scratch_bytes, Access::update};
  const double seconds = expected_seconds(tasks);
  if (program != nullptr) program->remember(tasks, work_space, seconds);
  std::optional<Watch> watched;
  if (can_be_stopped(tasks, work_space, seconds)) watched.emplace(seconds);
  Watch* const watch = watched ? &*watched : nullptr;
  auto alone = [&](Member&) noexcept {
    for (const Task& task : tasks) run_slice(task, task.args.data(), {0, task.extent}, watch, true);
  };
  if (seconds < worth_a_team || thread_limit().threads == 1) {
    run_team(1, alone);
  } else {
    std::vector<const Task*> pointers;
    for (const Task& task : tasks) pointers.push_back(&task);
    const std::vector<ScheduledTask> steps = schedule(pointers);
    const auto on = [&](int threads, std::int64_t) {
      auto together = [&](Member& me) noexcept { run_steps(me, steps, watch); };
      run_team(threads, together);
      return true;
    };
    if (wants_team(steps))
      run_on_fastest({key_of(tasks), seconds, seconds < short_call}, 1, on);
    else
      on(1, 1);
  }
  if (program != nullptr) {
    if (watch != nullptr && watch->is_stopped()) program->undo();
    for (Task& task : tasks) program->append(std::move(task));
    if (scratch) program->keep(std::move(scratch), scratch_bytes);
  }
}

} // namespace gyaku
