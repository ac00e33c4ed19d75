// What Python is to hear of native work: signals during it, and threads that the system refused.
#pragma once

namespace gyaku::bindings {

// Called once, before any work.
void prepare_signals();

// With the GIL, after work that may have released it: raises what the handler of a signal raised
// meanwhile, and warns if the system refused a thread.
void settle_work();

// During its lifetime this thread stops no work: that of a host function is a part of a step.
class WithoutSignals {
public:
  WithoutSignals() noexcept;
  ~WithoutSignals() noexcept;
  WithoutSignals(const WithoutSignals&) = delete;
  WithoutSignals& operator=(const WithoutSignals&) = delete;
};

// Asks the main thread's present work, or else its next, to raise KeyboardInterrupt as soon as it
// can be undone; or takes that back.
void stop_work(bool stop) noexcept;

} // namespace gyaku::bindings
