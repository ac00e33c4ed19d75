// The machine: instruction sets, threads, measured limits; memory for results, and what is in it.
#include "kernels/args/machine.h"
#include "bindings/arrays.h"
#include "bindings/gil.h"
#include "bindings/register.h"
#include "bindings/signals.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "program/choice.h"
#include "program/team.h"
#include "runtime/cpu.h"

namespace gyaku::bindings {

namespace {

py::dict cpu_info() {
  const CpuFeatures features = cpu_features();
  const CacheSizes caches = cache_sizes();
  const GrantedCores cores = granted_cores();
  py::dict info;
  info["name"] = cpu_name();
  info["x86_64_v2"] = features.x86_64_v2;
  info["avx2"] = features.avx2;
  info["avx512"] = features.avx512;
  info["avx512_bf16"] = features.avx512_bf16;
  info["neon"] = features.neon;
  info["l1d_bytes"] = caches.l1d;
  info["l2_bytes"] = caches.l2;
  info["l3_bytes"] = caches.l3;
  info["affinity"] = cores.affinity;
  info["physical_cores"] = cores.physical;
  info["cgroup_quota"] = cores.quota;
  info["requested_threads"] = cores.requested;
  info["runnable_threads"] = runnable_threads();
  info["most_threads"] = cores.most;
  info["default_threads"] = cores.threads;
  info["threads_from"] = cores.source;
  return info;
}

void choose_threads(int threads, bool exact) {
  require(threads >= 0 && threads <= max_threads, "set_num_threads",
          "threads must be between 1 and 1024 (0: what the machine grants), got " +
              std::to_string(threads));
  set_thread_limit({threads, exact});
}

// A choice of the team's size whose clock is the caller's.
class ClockedChoice : public Choice {
public:
  using Choice::Choice;
  std::pair<int, std::int64_t> plan(double now, std::int64_t runs, bool may_lose) {
    plan_ = Choice::plan(now, runs, 1, may_lose);
    return {plan_.threads, plan_.runs};
  }
  double took(double now, double seconds) { return Choice::took(plan_, now, seconds); }

private:
  Plan plan_{};
};

// The minimum time of several runs of `body(member)` on `threads` threads, in seconds.
template <class F> double best_seconds(int threads, int runs, F body) {
  using Clock = std::chrono::steady_clock;
  double best = 1e30;
  for (int run = 0; run < runs; ++run) {
    const auto start = Clock::now();
    run_team(threads, body);
    best = std::min(best, std::chrono::duration<double>(Clock::now() - start).count());
  }
  return best;
}

double measure_flops(const std::string& dtype, int threads) {
  require(dtype == "float32" || dtype == "float64", "measure_flops",
          "dtype must be float32 or float64, got '" + dtype + "'");
  require(threads >= 1 && threads <= max_threads, "measure_flops",
          "threads must be between 1 and 1024");
  const Scalar scalar = dtype == "float32" ? Scalar::float32 : Scalar::float64;
  constexpr std::int64_t rounds = 20000;
  const Block sink = allocate(64 * max_threads);
  const Kernel peak = kernel(KernelId::peak_flops, scalar);
  const ReleasedGil released;
  int members = threads; // or as many as were granted
  auto body = [&](Member& me) noexcept {
    me.round(me.size(), [&](int slot) noexcept {
      if (slot == 0) members = me.size();
      const PeakArgs args{sink.get() + 64 * slot, rounds};
      peak(&args, {0, rounds});
    });
  };
  const double seconds = best_seconds(threads, 20, body);
  return kernels().peak_flops_per_round[static_cast<int>(scalar)] * rounds * members / seconds;
}

double measure_bandwidth(std::int64_t bytes, int threads) {
  require(bytes >= 4096 && bytes <= (std::int64_t{1} << 36), "measure_bandwidth",
          "bytes must be between 4096 and 2^36");
  require(threads >= 1 && threads <= max_threads, "measure_bandwidth",
          "threads must be between 1 and 1024");
  const std::int64_t count = bytes / 4;
  const Block a = allocate(bytes), b = allocate(bytes), c = allocate(bytes);
  for (const Block* block : {&a, &b, &c})
    std::memset(block->get(), 0, static_cast<std::size_t>(bytes));
  const TriadArgs args{a.get(), b.get(), c.get(), 2.0};
  const Kernel triad = kernel(KernelId::triad, Scalar::float32);
  // Long enough for the resolution of the clock.
  const std::int64_t repeats = std::max<std::int64_t>(1, (std::int64_t{16} << 20) / bytes);
  const ReleasedGil released;
  auto body = [&](Member& me) noexcept {
    me.round(me.size(), [&](int slot) noexcept {
      const Slice slice = slice_of(count, 64, slot, me.size());
      for (std::int64_t repeat = 0; repeat < repeats; ++repeat) triad(&args, slice);
    });
  };
  const double seconds = best_seconds(threads, 7, body);
  return 3.0 * 4.0 * static_cast<double>(count) * static_cast<double>(repeats) / seconds;
}

template <bool zeroed>
py::array new_array(const std::vector<py::ssize_t>& shape, const py::object& dtype,
                    const std::string& operation) {
  return empty(operation.c_str(), shape, py::dtype::from_args(dtype), zeroed);
}

} // namespace

void register_machine(py::module_& module) {
  prepare_memory();
  prepare_signals();
  module.def("empty", &new_array<false>, py::arg("shape"), py::arg("dtype"),
             py::arg("operation") = "empty");
  module.def("zeros", &new_array<true>, py::arg("shape"), py::arg("dtype"),
             py::arg("operation") = "zeros");
  module.def(
      "is_finite", [](py::handle x) { return is_finite(Call("is_finite").real_input(x, "x")); },
      py::arg("x"));
  module.def(
      "fits_float32",
      [](py::handle x) { return fits_float32(Call("fits_float32").real_input(x, "x")); },
      py::arg("x"));
  module.def("stop_work", &stop_work, py::arg("stop"));
  module.def("isa", [] { return active_isa(); });
  module.def("isas", &available_isas);
  module.def("cpu_info", &cpu_info);
  module.def("parse_cpu_max", &parse_cpu_max, py::arg("text"));
  module.def("cgroup_quota", &cgroup_quota, py::arg("root") = "");
  module.def("num_threads", [] { return thread_limit().threads; });
  module.def("set_num_threads", &choose_threads, py::arg("threads"), py::arg("exact") = true);
  py::class_<ClockedChoice>(module, "TeamChoice")
      .def(py::init<int, int, double>(), py::arg("limit"), py::arg("first"), py::arg("now"))
      .def("plan", &ClockedChoice::plan, py::arg("now"), py::arg("runs"),
           py::arg("may_lose") = true)
      .def("took", &ClockedChoice::took, py::arg("now"), py::arg("seconds"))
      .def_property_readonly("threads", &ClockedChoice::threads)
      .def("paces", &ClockedChoice::paces);
  py::class_<Neighbours>(module, "Neighbours")
      .def(py::init<>())
      .def(
          "look",
          [](Neighbours& self, double now, bool is_new, int idle) {
            bool has_looked = false;
            self.look(now, is_new, [&] {
              has_looked = true;
              return idle;
            });
            return has_looked;
          },
          py::arg("now"), py::arg("is_new"), py::arg("idle"))
      .def("are_busy", &Neighbours::are_busy, py::arg("now"))
      .def(
          "first_threads",
          [](const Neighbours& self, double seconds, bool begins_alone, int limit) {
            return self.first_threads({0, seconds, begins_alone}, limit);
          },
          py::arg("seconds"), py::arg("begins_alone"), py::arg("limit"));
  module.def("measure_flops", &measure_flops, py::arg("dtype"), py::arg("threads"));
  module.def("measure_bandwidth", &measure_bandwidth, py::arg("bytes"), py::arg("threads"));
}

} // namespace gyaku::bindings
