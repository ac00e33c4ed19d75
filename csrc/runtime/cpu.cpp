#include "runtime/cpu.h"

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include <sched.h>
#include <unistd.h>

namespace gyaku {

namespace {

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::optional<long long> to_number(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int> quota_to_cores(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return std::nullopt;
  const long long cores = (quota - 1) / period + 1;
  return static_cast<int>(std::min<long long>(cores, INT_MAX));
}

struct RequestedThreads {
  const char* variable = "";
  std::optional<int> threads;
};
RequestedThreads requested_by_environment() {
  for (const char* variable : {"GYAKU_NUM_THREADS", "OMP_NUM_THREADS"}) {
    const char* text = std::getenv(variable);
    if (text == nullptr) continue;
    // OMP_NUM_THREADS may list a number for each nesting level: the first one counts.
    const std::string_view all(text);
    const auto value = to_number(all.substr(0, all.find(',')));
    if (value && *value >= 1)
      return {variable, static_cast<int>(std::min<long long>(*value, max_threads))};
  }
  return {};
}
// Read once: what a library sets later is meant for its child processes, as Dask's clusters do.
const RequestedThreads requested_at_load = requested_by_environment();

} // namespace

std::optional<int> cgroup_quota(const std::string& root) {
  std::optional<int> least;
  const auto take = [&least](std::optional<int> cores) {
    if (cores && (!least || *cores < *least)) least = cores;
  };
  std::istringstream lines(read_file(root + "/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool v2 = controllers.empty();
    if (!v2 && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    for (std::string path = line.substr(second + 1);; path = path.substr(0, path.rfind('/'))) {
      if (v2) {
        if (const auto text = read_file(root + "/sys/fs/cgroup" + path + "/cpu.max"))
          take(parse_cpu_max(*text));
      } else {
        const std::string folder = root + "/sys/fs/cgroup/cpu" + path;
        const auto quota = read_file(folder + "/cpu.cfs_quota_us");
        const auto period = read_file(folder + "/cpu.cfs_period_us");
        if (quota && period)
          take(quota_to_cores(to_number(*quota).value_or(-1), to_number(*period).value_or(-1)));
      }
      if (path.empty() || path.rfind('/') == std::string::npos) break;
    }
  }
  return least;
}

CpuFeatures cpu_features() {
  CpuFeatures features;
#if defined(__x86_64__)
  // The compiler's run-time support asks XGETBV whether the system saves the wide registers.
  __builtin_cpu_init();
  features.x86_64_v2 = __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt") &&
                       __builtin_cpu_supports("ssse3");
  features.avx2 = features.x86_64_v2 && __builtin_cpu_supports("avx2") &&
                  __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2");
  features.avx512 = features.avx2 && __builtin_cpu_supports("avx512f") &&
                    __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
                    __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  features.avx512_bf16 = features.avx512 && __builtin_cpu_supports("avx512bf16");
#elif defined(__aarch64__)
  features.neon = true;
#endif
  return features;
}

CacheSizes cache_sizes() {
  const auto ask = [](int name) { return std::max<std::int64_t>(0, sysconf(name)); };
  return {ask(_SC_LEVEL1_DCACHE_SIZE), ask(_SC_LEVEL2_CACHE_SIZE), ask(_SC_LEVEL3_CACHE_SIZE)};
}

const CacheSizes& usual_caches() {
  static const CacheSizes sizes = [] { // a slow query on virtual machines
    constexpr std::int64_t l2 = 512 * 1024, l3 = 4 * 1024 * 1024;
    CacheSizes found = cache_sizes();
    if (found.l2 == 0) found.l2 = l2;
    if (found.l3 == 0) found.l3 = std::max(l3, 2 * found.l2);
    return found;
  }();
  return sizes;
}

std::string cpu_name() {
  std::istringstream lines(read_file("/proc/cpuinfo").value_or(""));
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("model name")) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  return "unknown";
}

std::optional<int> parse_cpu_max(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto quota = to_number(text.substr(0, space));
  const auto period = to_number(text.substr(space + 1));
  if (!quota || !period) return std::nullopt;
  return quota_to_cores(*quota, *period);
}

int runnable_threads() {
  // Three averages, then "runnable/all".
  std::istringstream fields(read_file("/proc/loadavg").value_or(""));
  double average = 0;
  int runnable = 0;
  fields >> average >> average >> average >> runnable;
  return fields ? runnable : 0;
}

int idle_cpus() {
  const int runnable = std::max(1, runnable_threads()); // this thread, at least
  return static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)) - runnable;
}

int physical_cores(const cpu_set_t& cpus) {
  std::set<std::pair<std::string, std::string>> cores;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &cpus)) continue;
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    cores.emplace(read_file(topology + "physical_package_id").value_or(""),
                  read_file(topology + "core_id").value_or(std::to_string(cpu)));
  }
  return std::max(1, static_cast<int>(cores.size()));
}

GrantedCores granted_cores(const cpu_set_t& cpus, int physical) {
  const int affinity = std::max(1, CPU_COUNT(&cpus));
  GrantedCores granted{affinity, physical, cgroup_quota(), std::nullopt, "", affinity, physical};
  granted.source = physical < affinity ? "physical cores" : "CPU affinity";
  if (granted.quota) granted.most = std::min(affinity, *granted.quota);
  if (granted.most < granted.threads) {
    granted.threads = granted.most;
    granted.source = "cgroup quota";
  }
  if (const auto wanted = requested_at_load.threads) {
    granted.requested = wanted;
    granted.threads = std::min(*wanted, granted.most);
    granted.source = requested_at_load.variable;
  }
  return granted;
}

std::string fault_of_requested_threads() {
  const char* text = std::getenv("GYAKU_NUM_THREADS");
  if (text == nullptr || *text == '\0') return "";
  const auto value = to_number(text);
  if (value && *value >= 1 && *value <= max_threads) return "";
  return "GYAKU_NUM_THREADS must be a whole number between 1 and " + std::to_string(max_threads) +
         ", got '" + text + "'";
}

} // namespace gyaku
