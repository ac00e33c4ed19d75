// The machine, and the part of it available to this process.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sched.h>

namespace gyaku {

struct CpuFeatures {
  bool scalar = true; // every CPU
  bool x86_64_v2 = false;
  bool avx2 = false;   // x86-64-v3: AVX2, FMA, BMI, F16C, and the system saves the registers
  bool avx512 = false; // x86-64-v4: F, BW, CD, DQ, VL
  bool avx512_bf16 = false;
  bool neon = false;
};
CpuFeatures cpu_features();

struct CacheSizes { // bytes; 0 if unknown
  std::int64_t l1d = 0, l2 = 0, l3 = 0;
};
CacheSizes cache_sizes();
const CacheSizes& usual_caches(); // queried once, with defaults for unknown sizes

std::string cpu_name();

// The number of CPUs that the text of a cgroup's cpu.max ("quota period", v2) grants, rounded up;
// nothing where it sets no limit or makes no sense.
std::optional<int> parse_cpu_max(std::string_view text);

// The least such number among the control groups of this process, v1 or v2, up to their root. The
// files are looked for below `root`.
std::optional<int> cgroup_quota(const std::string& root = "");

int physical_cores(const cpu_set_t& cpus); // distinct ones, to which the CPUs belong

// Threads of all processes that run or wait for a CPU, this one included; 0 if unknown.
int runnable_threads();
int idle_cpus(); // all others than this thread's, if unknown; negative if threads wait

constexpr int max_threads = 1024;

struct GrantedCores {
  int affinity;                 // CPUs this process may run on
  int physical;                 // distinct cores among them
  std::optional<int> quota;     // from the cgroup
  std::optional<int> requested; // GYAKU_NUM_THREADS, else OMP_NUM_THREADS
  const char* source;           // the one that determined `threads`
  int most;                     // threads that can run at once
  int threads;                  // by default
};
GrantedCores granted_cores(const cpu_set_t& cpus, int physical);

// The error in GYAKU_NUM_THREADS, in one sentence; empty if it is unset or a count.
std::string fault_of_requested_threads();

} // namespace gyaku
