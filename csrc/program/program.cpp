#include "program/program.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string_view>
#include <utility>

#include "program/fuse.h"
#include "program/split.h"
#include "program/team.h"

namespace gyaku {

namespace {

thread_local Program* recording_here = nullptr;

// Several steps over the same rows, a few rows at a time, or one step.
void run_together(std::span<const ScheduledTask> steps, Slice slice) noexcept {
  const std::int64_t rows = slice.end - slice.begin;
  if (rows <= 0) return;
  const std::int64_t most = steps.size() > 1 ? steps.front().rows_with_next : rows;
  const std::int64_t pieces = (rows + most - 1) / most;
  for (std::int64_t piece = 0; piece < pieces; ++piece)
    for (const ScheduledTask& step : steps)
      step.kernel(step.args,
                  {slice.begin + rows * piece / pieces, slice.begin + rows * (piece + 1) / pieces});
}

// All steps on this thread: no rounds, no slots.
void run_alone(std::span<const ScheduledTask> steps) noexcept {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const ScheduledTask& step = steps[i];
    if (step.rows_with_next == 0) {
      if (step.extent > 0) step.kernel(step.args, {0, step.extent});
      continue;
    }
    const std::size_t first = i;
    while (steps[i].rows_with_next > 0) ++i;
    run_together(steps.subspan(first, i - first + 1), {0, step.extent});
  }
}

// The steps between two barriers are one round. Parallel steps are cut into as many slots as the
// team has members; serial steps are in the first slot.
void run_steps(Member& me, std::span<const ScheduledTask> steps) noexcept {
  if (me.size() == 1) return run_alone(steps);
  for (std::size_t begin = 0, end; begin < steps.size(); begin = end) {
    bool shared = steps[begin].shared;
    for (end = begin + 1; end < steps.size() && !steps[end].wait_before; ++end)
      shared = shared || steps[end].shared;
    const int slots = shared ? me.size() : 1;
    me.round(slots, [&](int slot) noexcept {
      for (std::size_t i = begin, next; i < end; i = next) {
        for (next = i + 1; next < end && steps[next - 1].rows_with_next > 0;) ++next;
        const ScheduledTask& step = steps[i];
        const Slice slice = step.shared ? slice_of(step.extent, step.grain, slot, slots)
                                        : Slice{0, slot == 0 ? step.extent : 0};
        run_together(steps.subspan(i, next - i), slice);
      }
    });
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
  explicit Unit(std::span<const Repeat> schedule) : schedule_(schedule) {
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
            if (!body(stretch)) return false;
    return true;
  }

  bool run_on(int threads, std::int64_t runs) const {
    if (!calls_host_) { // one parallel region for all
      auto body = [&](Member& me) noexcept {
        each_stretch(runs, [&](const Program::Stretch& stretch) {
          run_steps(me, stretch.steps);
          return true;
        });
      };
      run_team(threads, body);
      return true;
    }
    return each_stretch(runs, [&](const Program::Stretch& stretch) {
      if (stretch.host.call != nullptr) return stretch.host.call(stretch.host.context);
      auto body = [&](Member& me) noexcept { run_steps(me, stretch.steps); };
      run_team(stretch.shared ? threads : 1, body);
      return true;
    });
  }

  std::span<const Repeat> schedule_;
  Load load_;
  bool is_shared_ = false, calls_host_ = false;
};

Program* Program::recording() { return recording_here; }
RecordingPause::RecordingPause() noexcept : paused_(recording_here) { recording_here = nullptr; }
RecordingPause::~RecordingPause() noexcept { recording_here = paused_; }
bool Program::is_recording() const { return recording_here == this; }

void Program::begin() {
  clear();
  recording_here = this;
}

void Program::abort() {
  if (is_recording()) recording_here = nullptr;
  clear();
}

void Program::clear() {
  tasks_.clear();
  blocks_.clear();
  temporaries_.clear();
  stretches_.clear();
  plan_ = {};
  load_ = {};
  is_shared_ = calls_host_ = forgets_gradients_ = false;
}

void Program::append(Task task) { tasks_.push_back(std::move(task)); }

void Program::keep(Block block, std::int64_t bytes) {
  add_temporary(block.get(), bytes);
  blocks_.push_back(std::move(block));
}

void Program::add_temporary(const void* memory, std::int64_t bytes) {
  temporaries_.push_back({memory, bytes});
}

void Program::end(std::span<const Operand> outputs) {
  recording_here = nullptr;
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
  }
  // Host tasks between the others may read any array.
  calls_host_ = std::any_of(tasks_.begin(), tasks_.end(), std::mem_fn(&Task::is_host));
  forgets_gradients_ = optimize && !calls_host_ && merge_outer_products(tasks_, &keeps_gradients_);
  cut_into_stretches();
  if (optimize && !calls_host_) share_memory();
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

bool replay(std::span<const Repeat> schedule, std::int64_t times) {
  const Unit whole(schedule);
  // Epochs of a few small steps are timed together, larger ones program by program.
  constexpr double small = 1e-3;
  if (schedule.size() != 1 && whole.seconds() < small) return whole.run(times);
  for (std::int64_t time = 0; time < times; ++time)
    for (const Repeat& repeat : schedule)
      if (!repeat.program->run(repeat.times)) return false;
  return true;
}

bool Program::run(std::int64_t times) {
  const Repeat once{this, 1};
  const Unit unit({&once, 1});
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
  using Clock = std::chrono::steady_clock;
  const int fastest = team().threads;
  std::vector<double> seconds(tasks_.size(), 0.0);
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
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
        auto start = Clock::now();
        for (std::size_t i = 0; i < steps; ++i) {
          run_steps(me, {&stretch.steps[i], 1});
          const auto now = Clock::now();
          mine[i] = std::chrono::duration<double>(now - start).count();
          start = now;
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

void submit(std::span<Task> tasks, Block scratch, std::int64_t scratch_bytes) {
  // A replay that ends before a team would be awake runs on this thread, task after task.
  auto alone = [&](Member&) noexcept {
    for (const Task& task : tasks)
      if (task.extent > 0) task.kernel(task.args.data(), {0, task.extent});
  };
  const double seconds = expected_seconds(tasks);
  if (seconds < worth_a_team || thread_limit().threads == 1) {
    run_team(1, alone);
  } else {
    std::vector<const Task*> pointers;
    for (const Task& task : tasks) pointers.push_back(&task);
    const std::vector<ScheduledTask> steps = schedule(pointers);
    const auto on = [&](int threads, std::int64_t) {
      auto together = [&](Member& me) noexcept { run_steps(me, steps); };
      run_team(threads, together);
      return true;
    };
    if (wants_team(steps))
      run_on_fastest({key_of(tasks), seconds, seconds < short_call}, 1, on);
    else
      on(1, 1);
  }
  if (Program* program = Program::recording(); program != nullptr) {
    for (Task& task : tasks) program->append(std::move(task));
    if (scratch) program->keep(std::move(scratch), scratch_bytes);
  }
}

} // namespace gyaku
