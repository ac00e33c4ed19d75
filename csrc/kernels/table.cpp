#include "kernels/table.h"

#include <algorithm>
#include <cstdlib>

#include "runtime/cpu.h"

namespace gyaku {

// isas.inc, which the build writes, says X(name) for each instruction set, lowest first.
#define X(name)                                                                                    \
  namespace name {                                                                                 \
  void fill(KernelTable&) noexcept;                                                                \
  }
#include "isas.inc"
#undef X

namespace {

KernelTable active;
std::string active_name;

struct Isa {
  std::string name;
  bool available;
  void (*fill)(KernelTable&) noexcept;
};

bool runs_on(const CpuFeatures& cpu, const std::string& name) {
  if (name == "scalar") return true;
  if (name == "x86-64-v2") return cpu.x86_64_v2;
  if (name == "avx2") return cpu.avx2;
  if (name == "avx512") return cpu.avx512;
  return name == "neon" && cpu.neon;
}

// The namespace's identifier as people write it: x86_64_v2 is x86-64-v2.
std::string public_name(std::string identifier) {
  std::replace(identifier.begin(), identifier.end(), '_', '-');
  return identifier;
}

std::vector<Isa> compiled_isas() {
  const CpuFeatures cpu = cpu_features();
  std::vector<Isa> isas;
#define X(name) isas.push_back({public_name(#name), runs_on(cpu, public_name(#name)), name::fill});
#include "isas.inc"
#undef X
  return isas;
}

} // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Isa& isa : compiled_isas())
    if (isa.available) names.push_back(isa.name);
  return names;
}

std::string choose_isa() {
  const std::vector<Isa> isas = compiled_isas();
  std::string choices;
  for (const Isa& isa : isas)
    if (isa.available) choices += (choices.empty() ? "" : ", ") + isa.name;
  const char* forced = std::getenv("GYAKU_ISA");
  if (forced != nullptr && *forced != '\0') {
    const auto found =
        std::find_if(isas.begin(), isas.end(), [&](const Isa& isa) { return isa.name == forced; });
    if (found == isas.end())
      return std::string("GYAKU_ISA: '") + forced +
             "' is no instruction set of this build; choose " + "one of " + choices;
    if (!found->available)
      return "GYAKU_ISA: this CPU lacks " + found->name + "; choose one of " + choices;
    found->fill(active);
    active_name = found->name;
    return "";
  }
  for (const Isa& isa : isas)
    if (isa.available) {
      isa.fill(active);
      active_name = isa.name;
    }
  return "";
}

const KernelTable& kernels() { return active; }

const std::string& active_isa() { return active_name; }

} // namespace gyaku
