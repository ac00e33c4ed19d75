// Programs for Python: they own the arrays of their tasks, and call host functions.
#include "bindings/arrays.h"
#include "bindings/gil.h"
#include "bindings/precision.h"
#include "bindings/register.h"
#include "bindings/signals.h"

#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "program/access_index.h"
#include "program/team.h"

namespace gyaku::bindings {

namespace {

struct HostFunction {
  py::object function;
  Precision precision;                         // of the call that was recorded
  std::optional<py::error_already_set>* error; // a failure, until the replay has ended
};

// Runs on the replaying thread, which has released the GIL.
bool call_host(void* context) {
  bool succeeded = false;
  const WithoutSignals without_signals;
  until_exit([&] {
    const py::gil_scoped_acquire acquire;
    until_exit([&] { // inside, since the GIL that is lost must not be released
      auto* host = static_cast<HostFunction*>(context);
      const WithPrecision with_precision(host->precision);
      try {
        host->function();
        succeeded = true;
      } catch (py::error_already_set& error) {
        host->error->emplace(std::move(error));
      }
    });
  });
  return succeeded;
}

class PyProgram : public Program {
public:
  void keep_alive(const py::array& array) { alive_.push_back(array); }
  // Releases arrays that fusion and the memory plan no longer need.
  void release_unused() {
    const AccessIndex used(tasks());
    std::erase_if(alive_, [&](const py::array& array) {
      return !used.is_touched({array.data(), array.nbytes(), Access::read});
    });
  }
  void add_host(const py::object& function, std::vector<Operand> operands, std::string name,
                double flops) {
    hosts_.push_back({function, precision(), &error});
    Task task;
    task.name = std::move(name);
    task.work = {flops, flops};
    task.host = {call_host, &hosts_.back()};
    task.operands = std::move(operands);
    append(std::move(task));
  }
  void reset() {
    alive_.clear();
    hosts_.clear();
    error.reset();
  }

  std::optional<py::error_already_set> error;
  py::object recorded; // the program itself, kept alive while a thread records it

private:
  std::vector<py::array> alive_;
  std::deque<HostFunction> hosts_;
};

PyProgram* recording() { return static_cast<PyProgram*>(Program::recording()); }

void begin(PyProgram& program) {
  require(Program::recording() == nullptr, "Program",
          "this thread records a program already; end or abort it first");
  require(!program.recorded, "Program", "another thread is recording this program");
  program.reset();
  program.begin();
  program.recorded = py::cast(&program);
}

std::vector<Operand> operands_of(const py::sequence& arrays, Access access) {
  std::vector<Operand> operands;
  for (const py::handle item : arrays) {
    if (!py::isinstance<py::array>(item)) // else each call would pay for the repr of its arrays
      require(false, "Program", "expected an array, got " + py::repr(item).cast<std::string>());
    const auto array = py::reinterpret_borrow<py::array>(item);
    operands.push_back({array.data(), array.nbytes(), access});
  }
  return operands;
}

void end(PyProgram& program, const py::sequence& outputs) {
  require(program.is_recording(), "Program", "end without begin on this thread");
  const std::vector<Operand> kept = operands_of(outputs, Access::read);
  const py::object myself = std::move(program.recorded);
  program.end(kept);
  program.release_unused();
}

void abort(PyProgram& program) {
  require(!program.recorded || program.is_recording(), "Program",
          "another thread is recording this program");
  const py::object myself = std::move(program.recorded);
  program.abort();
  program.reset();
}

// Records a call of `function`, which returns the outputs or None. An interrupt comes during the
// call, if at all, so that this thread never stays at recording.
void record(PyProgram& program, const py::object& function) {
  begin(program);
  try {
    const py::object outputs = function();
    end(program, outputs.is_none() ? py::sequence(py::tuple()) : outputs.cast<py::sequence>());
  } catch (...) {
    abort(program);
    throw;
  }
}

void host(const py::object& function, const py::sequence& reads, const py::sequence& writes,
          const std::string& name, double flops) {
  std::vector<Operand> operands = operands_of(reads, Access::read);
  for (const Operand& operand : operands_of(writes, Access::write)) operands.push_back(operand);
  {
    const RecordingPause pause;
    const WithoutSignals without_signals;
    function();
  }
  PyProgram* program = recording();
  if (program == nullptr) return;
  for (const py::sequence& arrays : {reads, writes})
    for (const py::handle array : arrays)
      program->keep_alive(py::reinterpret_borrow<py::array>(array));
  program->add_host(function, std::move(operands), name, flops);
}

void rethrow(PyProgram& program) {
  if (!program.error) return;
  py::error_already_set error = std::move(*program.error);
  program.error.reset();
  throw error;
}

void replay_all(const py::sequence& schedule, std::int64_t times) {
  std::vector<Repeat> repeats;
  std::vector<PyProgram*> programs;
  std::vector<py::object> alive; // a host function may change the schedule
  repeats.reserve(schedule.size());
  for (const py::handle item : schedule) {
    const auto pair = item.cast<std::pair<PyProgram*, std::int64_t>>();
    require(pair.first != nullptr && pair.second >= 0, "replay",
            "each item must be a program and how often to run it");
    require(!pair.first->recorded, "replay", "the program is still being recorded");
    alive.push_back(py::cast(pair.first));
    repeats.push_back({pair.first, pair.second});
    programs.push_back(pair.first);
  }
  bool succeeded = false;
  {
    const ReleasedGil released;
    succeeded = replay(repeats, times);
  }
  if (!succeeded)
    for (PyProgram* program : programs) rethrow(*program);
  settle_work();
}

// Copies of the outputs behind one run on the given arrays, each of which is copied into its place:
// what a prediction of a few microseconds would spend on the same in Python.
py::list answer(PyProgram& program, const py::list& given, const py::list& inputs,
                const py::list& outputs) {
  const auto& api = py::detail::npy_api::get();
  require(!program.recorded, "Program", "the program is still being recorded");
  require(given.size() == inputs.size(), "Program", "there must be an array for each input");
  for (const py::list* arrays : {&given, &inputs, &outputs})
    for (const py::handle array : *arrays)
      require(py::isinstance<py::array>(array), "Program", "expected arrays");
  for (std::size_t i = 0; i < given.size(); ++i)
    if (api.PyArray_CopyInto_(inputs[i].ptr(), given[i].ptr()) != 0) throw py::error_already_set();
  bool succeeded = false;
  {
    const ReleasedGil released;
    const Repeat once{&program, 1};
    succeeded = replay({&once, 1});
  }
  if (!succeeded) rethrow(program);
  settle_work();
  py::list copies(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    PyObject* const copy = api.PyArray_NewCopy_(outputs[i].ptr(), 0); // in C order
    if (copy == nullptr) throw py::error_already_set();
    PyList_SET_ITEM(copies.ptr(), static_cast<py::ssize_t>(i), copy);
  }
  return copies;
}

py::list tasks_of(const PyProgram& program) {
  py::list tasks;
  for (const auto& [index, shared, level] : program.order()) {
    const Task& task = program.tasks()[index];
    py::list reads, writes;
    for (const Operand& operand : task.operands) {
      const py::tuple entry =
          py::make_tuple(reinterpret_cast<std::uintptr_t>(operand.memory), operand.bytes);
      if (operand.access != Access::write) reads.append(entry);
      if (operand.writes()) writes.append(entry);
    }
    py::dict row;
    row["name"] = task.name;
    row["flops"] = task.work.flops;
    row["bytes"] = task.bytes();
    row["extent"] = task.extent;
    row["host"] = task.is_host();
    row["shared"] = shared;
    row["level"] = level;
    row["reads"] = reads;
    row["writes"] = writes;
    tasks.append(row);
  }
  return tasks;
}

py::dict team_of(const PyProgram& program) {
  const Program::Team team = program.team();
  const ThreadLimit limit = thread_limit();
  py::dict seconds, row;
  for (const auto& [threads, pace] : team.seconds) seconds[py::int_(threads)] = pace;
  row["threads"] = team.threads;
  row["limit"] = limit.threads;
  row["exact"] = limit.exact;
  row["shared"] = team.is_shared;
  row["seconds"] = seconds;
  return row;
}

std::vector<double> profile(PyProgram& program, int steps) {
  require(steps > 0, "profile", "steps must be at least 1, got " + std::to_string(steps));
  std::vector<double> seconds;
  {
    const ReleasedGil released;
    seconds = program.profile(steps);
  }
  rethrow(program);
  std::vector<double> in_order; // as `tasks` lists them
  for (const auto& placed : program.order()) in_order.push_back(seconds[placed.task]);
  return in_order;
}

} // namespace

void keep_alive(const py::array& array) {
  if (PyProgram* program = recording(); program != nullptr) program->keep_alive(array);
}

void register_program(py::module_& module) {
  py::class_<PyProgram>(module, "Program")
      .def(py::init<>())
      .def("begin", &begin)
      .def("end", &end, py::arg("outputs") = py::tuple())
      .def("abort", &abort)
      .def("record", &record, py::arg("function"))
      .def("answer", &answer, py::arg("given"), py::arg("inputs"), py::arg("outputs"))
      .def("tasks", &tasks_of)
      .def("team", &team_of)
      .def("profile", &profile, py::arg("steps"))
      .def_property_readonly("temporary_bytes", &PyProgram::temporary_bytes)
      .def_property_readonly("arena_bytes", &PyProgram::arena_bytes);
  module.def("recording", [] { return Program::recording() != nullptr; });
  module.def(
      "begin_behind",
      [](const std::optional<py::array>& array) {
        if (Program* program = Program::recording(); program != nullptr)
          program->begin_behind(array ? Operand{array->data(), array->nbytes(), Access::read}
                                      : Operand{});
      },
      py::arg("array"));
  module.def("host", &host, py::arg("function"), py::arg("reads"), py::arg("writes"),
             py::arg("name") = "host", py::arg("flops") = 0.0);
  module.def("replay", &replay_all, py::arg("schedule"), py::arg("times") = 1);
}

} // namespace gyaku::bindings
