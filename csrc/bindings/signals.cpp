#include "bindings/signals.h"

#include <atomic>
#include <string>

#include <sys/syscall.h>
#include <unistd.h>

#include "bindings/gil.h"
#include "program/watch.h"
#include "runtime/workers.h"

namespace gyaku::bindings {

namespace py = pybind11;

namespace {

thread_local int without_signals = 0;
std::atomic<bool> stop_asked{false};

// Python calls handlers in its main thread alone.
bool may_ask() noexcept { return without_signals == 0 && syscall(SYS_gettid) == getpid(); }

bool ask() noexcept {
  bool stop = false;
  until_exit([&] {
    const py::gil_scoped_acquire acquire;
    until_exit([&] {
      if (PyErr_CheckSignals() == 0 && stop_asked.exchange(false))
        PyErr_SetNone(PyExc_KeyboardInterrupt);
      stop = PyErr_Occurred() != nullptr; // the error stays set
    });
  });
  return stop;
}

} // namespace

void prepare_signals() { set_asker({may_ask, ask}); }

void settle_work() {
  if (PyErr_Occurred() != nullptr) throw py::error_already_set();
  if (const int threads = threads_when_refused(); threads > 0) {
    const std::string text = "the system refuses to create a thread, a limit on processes or memory"
                             " may be reached; gyaku works on " +
                             std::to_string(threads) + (threads == 1 ? " thread" : " threads");
    if (PyErr_WarnEx(PyExc_RuntimeWarning, text.c_str(), 1) != 0) throw py::error_already_set();
  }
}

WithoutSignals::WithoutSignals() noexcept { ++without_signals; }
WithoutSignals::~WithoutSignals() noexcept { --without_signals; }

void stop_work(bool stop) noexcept { stop_asked.store(stop); }

} // namespace gyaku::bindings
