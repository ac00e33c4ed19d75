#include "program/watch.h"

#include <chrono>

namespace gyaku {

namespace {

Asker asker{}; // set once, before any work
constexpr double between_looks = 50e-3;

} // namespace

void set_asker(Asker given) noexcept { asker = given; }

bool Watch::is_worth_it(double seconds) noexcept {
  return seconds >= least_seconds && asker.may_ask != nullptr && asker.may_ask();
}

void Watch::look() noexcept {
  if (is_stopped() || now() - asked_ < between_looks) return;
  if (asker.ask()) stopped_.store(true, std::memory_order_relaxed);
  asked_ = now();
}

double Watch::now() noexcept {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

} // namespace gyaku
