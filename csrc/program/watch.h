// Stopping of long work, by Ctrl-C for instance. The calling thread asks the host language now and
// then; once it says so, all members leave out what is left.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernels/kernel.h"

namespace gyaku {

// Whether to stop, of the host language. Called on a thread for which `may_ask` is true.
struct Asker {
  bool (*may_ask)() noexcept; // whether this thread is the one that is told of signals
  bool (*ask)() noexcept;
};
void set_asker(Asker asker) noexcept;

class Watch {
public:
  // Work that is expected to be shorter than this is not watched.
  static constexpr double least_seconds = 0.1;
  static bool is_worth_it(double seconds) noexcept;

  explicit Watch(double seconds) noexcept : seconds_(seconds), asked_(now()) {}

  bool is_stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }
  // Asks if that is due. On the calling thread.
  void look() noexcept;

  // Calls part(slice) for slices of a slice, some milliseconds each, until stopped. `asks`: whether
  // this is the calling thread.
  template <class F>
  void in_pieces(Slice slice, std::int64_t extent, std::int64_t grain, bool asks, F part) noexcept {
    constexpr double short_piece = 10e-3, long_piece = 40e-3;
    const double share = short_piece / seconds_ * static_cast<double>(extent);
    std::int64_t most = (static_cast<std::int64_t>(share) / grain + 1) * grain;
    for (std::int64_t begin = slice.begin; begin < slice.end && !is_stopped();) {
      const std::int64_t end = slice.end - begin > most ? begin + most : slice.end;
      const double start = now();
      part(Slice{begin, end});
      const double took = now() - start;
      if (took < short_piece)
        most *= 2;
      else if (took > long_piece && most > grain)
        most = (most / grain + 1) / 2 * grain;
      if (asks) look();
      begin = end;
    }
  }

private:
  static double now() noexcept;

  double seconds_, asked_;
  std::atomic<bool> stopped_{false};
};

} // namespace gyaku
