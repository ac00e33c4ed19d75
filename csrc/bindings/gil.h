// The GIL and the exit of the interpreter. A daemon thread that asks for the GIL after that is
// ended by Python before 3.14 by unwinding its stack, and a destructor on the way aborts the
// process: its exit code is lost. From 3.14 on Python lets such a thread wait; so do we.
#pragma once

#include <cxxabi.h>
#include <unistd.h>

#include <pybind11/pybind11.h>

namespace gyaku::bindings {

// Calls f, which may ask for the GIL.
template <class F> void until_exit(F f) {
#ifdef __GLIBCXX__
  try {
    f();
  } catch (const abi::__forced_unwind&) {
    for (;;) pause();
  }
#else
  f();
#endif
}

// Lives while other Python threads may run.
class ReleasedGil {
public:
  explicit ReleasedGil(bool release = true) : state_(release ? PyEval_SaveThread() : nullptr) {}
  ~ReleasedGil() {
    if (state_ != nullptr) until_exit([this] { PyEval_RestoreThread(state_); });
  }
  ReleasedGil(const ReleasedGil&) = delete;
  ReleasedGil& operator=(const ReleasedGil&) = delete;

private:
  PyThreadState* state_;
};

} // namespace gyaku::bindings
