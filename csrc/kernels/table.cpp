#include "kernels/table.h"

#include <algorithm>
#include <cstdlib>

#include "runtime/cpu.h"

namespace gyaku {

// isas.inc, written by the build, has ISA(name, feature of the CPU, listed) for each instruction
// set, lowest first.
#define ISA(name, feature, listed)                                                                 \
  namespace name {                                                                                 \
  void fill(KernelTable&) noexcept;                                                                \
  }
#include "isas.inc"
#undef ISA

namespace {

KernelTable active;
std::string active_name;

struct Isa {
  std::string name;
  bool available; // on this CPU
  bool listed;    // else chosen only by name
  void (*fill)(KernelTable&) noexcept;

  bool is_choice() const { return available && listed; }
};

// The namespace's identifier as people write it: x86_64_v2 is x86-64-v2.
std::string public_name(std::string identifier) {
  std::replace(identifier.begin(), identifier.end(), '_', '-');
  return identifier;
}

std::vector<Isa> compiled_isas() {
  const CpuFeatures cpu = cpu_features();
  std::vector<Isa> isas;
#define ISA(name, feature, listed)                                                                 \
  isas.push_back({public_name(#name), cpu.feature, listed, name::fill});
#include "isas.inc"
#undef ISA
  return isas;
}

std::string join(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

void choose(const Isa& isa) {
  isa.fill(active);
  active_name = isa.name;
}

std::string choose_forced(const std::vector<Isa>& isas, const std::string& name) {
  const auto found =
      std::find_if(isas.begin(), isas.end(), [&](const Isa& isa) { return isa.name == name; });
  const std::string choices = "; choose one of " + join(available_isas());
  if (found == isas.end())
    return "GYAKU_ISA: '" + name + "' is no instruction set of this build" + choices;
  if (!found->available) return "GYAKU_ISA: this CPU lacks " + found->name + choices;
  choose(*found);
  return "";
}

} // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : compiled_isas())
    if (isa.is_choice()) names.push_back(isa.name);
  return names;
}

std::string choose_isa() {
  const std::vector<Isa> isas = compiled_isas();
  const char* forced = std::getenv("GYAKU_ISA");
  if (forced != nullptr && *forced != '\0') return choose_forced(isas, forced);
  const auto best =
      std::find_if(isas.rbegin(), isas.rend(), [](const Isa& isa) { return isa.is_choice(); });
  if (best == isas.rend())
    return "gyaku: this CPU (" + cpu_name() + ") lacks " + isas.front().name +
           ", which this build needs; build gyaku for it: "
           "pip install --no-binary gyaku -C cmake.define.GYAKU_ISAS=scalar gyaku";
  choose(*best);
  return "";
}

const KernelTable& kernels() { return active; }

const std::string& active_isa() { return active_name; }

} // namespace gyaku
