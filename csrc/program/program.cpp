#include "program/program.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "program/fuse.h"
#include "program/team.h"

namespace gyaku {

namespace {

thread_local Program* recording_here = nullptr;

void run_steps(const Member& me, std::span<const Step> steps) noexcept {
  for (const Step& step : steps) {
    if (step.wait_before) me.wait();
    if (step.shared) {
      const Slice slice = me.share(step.extent, step.grain);
      if (slice.begin < slice.end) step.kernel(step.args, slice);
    } else if (me.rank == 0) {
      step.kernel(step.args, {0, step.extent});
    }
  }
}

int threads_for(bool shared) { return shared ? num_threads() : 1; }

} // namespace

Program* Program::recording() { return recording_here; }
RecordingPause::RecordingPause() noexcept : paused_(recording_here) { recording_here = nullptr; }
RecordingPause::~RecordingPause() noexcept { recording_here = paused_; }
bool Program::is_recording() const { return recording_here == this; }

void Program::begin() {
  tasks_.clear();
  blocks_.clear();
  stretches_.clear();
  recording_here = this;
}

void Program::abort() {
  if (is_recording()) recording_here = nullptr;
  tasks_.clear();
  blocks_.clear();
}

void Program::append(Task task) { tasks_.push_back(std::move(task)); }

void Program::end() {
  recording_here = nullptr;
  const char* wish = std::getenv("GYAKU_FUSE");
  if (wish == nullptr || std::string_view(wish) != "0") fuse(tasks_);
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

bool replay(std::span<const Repeat> schedule) {
  const bool native = std::all_of(schedule.begin(), schedule.end(), [](const Repeat& repeat) {
    return std::all_of(repeat.program->stretches_.begin(), repeat.program->stretches_.end(),
                       [](const Program::Stretch& stretch) { return stretch.host.call == nullptr; });
  });
  if (native) { // one region for everything
    const bool shared = std::any_of(schedule.begin(), schedule.end(), [](const Repeat& repeat) {
      return repeat.times > 0 && std::any_of(repeat.program->stretches_.begin(),
                                             repeat.program->stretches_.end(),
                                             [](const Program::Stretch& s) { return s.shared; });
    });
    auto body = [&](const Member& me) noexcept {
      for (const Repeat& repeat : schedule)
        for (std::int64_t time = 0; time < repeat.times; ++time)
          for (const Program::Stretch& stretch : repeat.program->stretches_) {
            run_steps(me, stretch.steps);
            me.wait();
          }
    };
    run_team(threads_for(shared), body);
    return true;
  }
  for (const Repeat& repeat : schedule)
    for (std::int64_t time = 0; time < repeat.times; ++time)
      for (const Program::Stretch& stretch : repeat.program->stretches_) {
        if (stretch.host.call != nullptr) {
          if (!stretch.host.call(stretch.host.context)) return false;
          continue;
        }
        auto body = [&](const Member& me) noexcept { run_steps(me, stretch.steps); };
        run_team(threads_for(stretch.shared), body);
      }
  return true;
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
    for (const Step& step : stretch.steps)
      placed.push_back({first + step.task, step.shared, level += step.wait_before ? 1 : 0});
    first += stretch.steps.size();
  }
  return placed;
}

std::vector<double> Program::profile(int repeats) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds(tasks_.size(), 0.0);
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  for (int repeat = 0; repeat < repeats; ++repeat) {
    std::size_t first = 0;
    for (const Stretch& stretch : stretches_) {
      if (stretch.host.call != nullptr) {
        const auto start = Clock::now();
        if (!stretch.host.call(stretch.host.context)) return {};
        seconds[first++] += since(start);
        continue;
      }
      auto body = [&](const Member& me) noexcept {
        for (const Step& step : stretch.steps) {
          me.wait();
          const auto start = Clock::now();
          Step alone = step;
          alone.wait_before = false;
          run_steps(me, {&alone, 1});
          me.wait();
          if (me.rank == 0) seconds[first + step.task] += since(start);
        }
      };
      run_team(threads_for(stretch.shared), body);
      first += stretch.steps.size();
    }
  }
  for (double& second : seconds) second /= repeats;
  return seconds;
}

void submit(std::span<Task> tasks, Block scratch) {
  std::vector<const Task*> pointers;
  for (const Task& task : tasks) pointers.push_back(&task);
  const std::vector<Step> steps = schedule(pointers);
  auto body = [&](const Member& me) noexcept { run_steps(me, steps); };
  run_team(threads_for(wants_team(steps)), body);
  if (Program* program = Program::recording(); program != nullptr) {
    for (Task& task : tasks) program->append(std::move(task));
    if (scratch) program->keep(std::move(scratch));
  }
}

} // namespace gyaku
