#include "kernels/table.h"

#include <algorithm>
#include <cstdlib>

#include "runtime/cpu.h"

namespace gyaku {

// isas.inc, written by the build, has ISA(name, feature of the CPU, use) for each instruction set,
// lowest first; one that stands in for its base follows it.
#define ISA(name, feature, use)                                                                    \
  namespace name {                                                                                 \
  void fill(KernelTable&) noexcept;                                                                \
  }
#include "isas.inc"
#undef ISA

namespace {

KernelTable active;
std::string active_name;

enum class Use { listed, unlisted, stands_in }; // unlisted: chosen only by name

struct Isa {
  std::string name;
  bool available; // on this CPU
  Use use;
  void (*fill)(KernelTable&) noexcept;

  bool is_choice() const { return available && use == Use::listed; }
  bool stands_in() const { return use == Use::stands_in; }
};

// The namespace's identifier as people write it: x86_64_v2 is x86-64-v2.
std::string public_name(std::string identifier) {
  std::replace(identifier.begin(), identifier.end(), '_', '-');
  return identifier;
}

std::vector<Isa> compiled_isas() {
  const CpuFeatures cpu = cpu_features();
  std::vector<Isa> isas;
#define ISA(name, feature, use)                                                                    \
  isas.push_back({public_name(#name), cpu.feature, Use::use, name::fill});
#include "isas.inc"
#undef ISA
  return isas;
}

std::string join(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : ", ") + word;
  return all;
}

void choose(const std::vector<Isa>& isas, std::size_t at) {
  active_name = isas[at].name;
  isas[at].fill(active);
  while (++at < isas.size() && isas[at].stands_in())
    if (isas[at].available) isas[at].fill(active);
}

std::string choose_forced(const std::vector<Isa>& isas, const std::string& name) {
  const auto found = std::find_if(isas.begin(), isas.end(), [&](const Isa& isa) {
    return isa.name == name && !isa.stands_in();
  });
  const std::string choices = "; choose one of " + join(available_isas());
  if (found == isas.end())
    return "GYAKU_ISA: '" + name + "' is no instruction set of this build" + choices;
  if (!found->available) return "GYAKU_ISA: this CPU lacks " + found->name + choices;
  choose(isas, static_cast<std::size_t>(found - isas.begin()));
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
  choose(isas, static_cast<std::size_t>(isas.rend() - best) - 1);
  return "";
}

const KernelTable& kernels() { return active; }

const std::string& active_isa() { return active_name; }

} // namespace gyaku
