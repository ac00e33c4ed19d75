// Capture and replay: the tasks of one training step, recorded during its first run.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_set>
#include <utility>
#include <vector>

#include "program/choice.h"
#include "program/plan.h"
#include "program/schedule.h"
#include "program/task.h"
#include "runtime/arena.h"

namespace gyaku {

class Communicator;

class Program {
public:
  Program() = default;
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // Records every task that this thread submits from now on, as well as running it.
  void begin();
  // Prepares the program for replay. `outputs` is memory that is read after it.
  void end(std::span<const Operand> outputs);
  void abort(); // discards the recording
  bool is_recording() const;
  static Program* recording(); // on this thread, or null

  void append(Task task);
  // Tasks that are appended from now on begin behind those that write this memory, so that nothing
  // of theirs is kept until then; no longer, if it is null.
  void begin_behind(const Operand& memory) { behind_ = memory; }
  // Scratch memory that the recorded tasks point to.
  void keep(Block block, std::int64_t bytes);
  // While it records: keeps what tasks of some seconds are about to overwrite, unless that is too
  // much, and puts it back if the recording is stopped.
  void remember(std::span<const Task> tasks, const Operand& scratch, double seconds);
  bool remembers() const { return remembers_; }
  void undo();
  // Memory private to the tasks recorded here, unless it is among the outputs.
  void add_temporary(const void* memory, std::int64_t bytes);

  // During recording as recorded, then as fused.
  const std::vector<Task>& tasks() const { return tasks_; }

  // The tasks in the order of replay: index, whether parallel, number of barriers before it.
  struct Placed {
    std::size_t task;
    bool shared;
    int level;
  };
  std::vector<Placed> order() const;

  // Bytes of the temporaries, and of the arena that they share.
  std::int64_t temporary_bytes() const { return plan_.moved_bytes; }
  std::int64_t arena_bytes() const { return plan_.arena_bytes; }

  // The team of the next run: its size, and the mean seconds of a run on the sizes measured.
  struct Team {
    int threads = 1;
    bool is_shared = false; // whether a second thread may pay
    std::vector<std::pair<int, double>> seconds;
  };
  Team team() const;

  // Runs in a series, as `replay` does. False if a host call failed, or if a single run that was
  // all that is asked for, `is_alone`, was stopped.
  bool run(std::int64_t times, bool is_alone);

  // Mean seconds of each task over `repeats` runs of the whole program; empty if a host call
  // failed.
  std::vector<double> profile(int repeats);

private:
  friend class Unit;

  // A host call, or a stretch of kernels between two host calls.
  struct Stretch {
    std::vector<ScheduledTask> steps;
    HostCall host{};
    bool shared = false;
  };

  void clear();
  void cut_into_stretches();
  void share_memory();
  void prefetch_ahead();

  // A long run that is stopped is undone.
  void find_state();
  bool can_be_undone() const;
  void keep_state();
  void restore_state();
  void forget();

  std::vector<Task> tasks_; // complete before steps point to its elements
  std::vector<Block> blocks_;
  std::vector<Temporary> temporaries_;
  MemoryPlan plan_;
  std::vector<Stretch> stretches_;
  std::vector<std::span<std::byte>> state_;
  std::vector<std::byte> kept_; // the state before a run
  bool remembers_ = false;      // what the recorded step has overwritten so far
  bool is_long_ = false;        // whether a task of that step is
  std::int64_t kept_bytes_ = 0;
  std::unordered_set<const void*> known_; // temporaries, and what is kept
  std::vector<std::pair<std::byte*, std::vector<std::byte>>> before_;
  Load load_;
  Operand behind_{};
  Communicator* ranks_ = nullptr; // whose sums the program has
  bool is_shared_ = false, calls_host_ = false, meets_ranks_ = false, forgets_gradients_ = false;
  // Whether the present run stores gradients that only its own updates read: the last of a series.
  bool keeps_gradients_ = true;
};

// During its lifetime this thread records nothing: tasks submitted by a host call are part of that
// call.
class RecordingPause {
public:
  RecordingPause() noexcept;
  ~RecordingPause() noexcept;
  RecordingPause(const RecordingPause&) = delete;
  RecordingPause& operator=(const RecordingPause&) = delete;

private:
  Program* paused_;
};

struct Repeat {
  Program* program;
  std::int64_t times;
};
// Runs the programs one after the other, each as often as its item states, and the whole list
// `times` times, on as many threads as are fastest. False if a host call failed, or if a single
// long run was stopped and undone.
bool replay(std::span<const Repeat> schedule, std::int64_t times = 1);

// Runs kernels, and records them if this thread records. `scratch` is memory of the given size used
// by the tasks of this call only.
void submit(std::span<Task> tasks, Block scratch = nullptr, std::int64_t scratch_bytes = 0);

} // namespace gyaku
