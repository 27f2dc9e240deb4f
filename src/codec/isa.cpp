#include "isa.h"

#include <cstdlib>

namespace weightfs::codec {
namespace {

bool cpu_has(Isa isa) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
  if (isa == Isa::avx2) return avx2;
  if (isa == Isa::avx512) {
    return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("gfni");
  }
#elif defined(__aarch64__)
  if (isa == Isa::neon) return true;
#endif
  return isa == Isa::scalar;
}

Isa choose_isa() {
  const std::vector<Isa> available = available_isas();
  // The environment is read once, before the first block is coded.
  const char* wish = std::getenv("WEIGHTFS_ISA");  // NOLINT(concurrency-mt-unsafe)
  if (wish != nullptr) {
    for (const Isa isa : available) {
      if (isa_name(isa) == wish) return isa;
    }
  }
  return available.back();
}

}  // namespace

std::vector<Isa> available_isas() {
  std::vector<Isa> available = {Isa::scalar};
  for (const Isa isa : {Isa::neon, Isa::avx2, Isa::avx512}) {
    if (cpu_has(isa)) available.push_back(isa);
  }
  return available;
}

Isa active_isa() {
  static const Isa isa = choose_isa();
  return isa;
}

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::scalar:
      return "scalar";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
    case Isa::neon:
      return "neon";
  }
  return "scalar";
}

}  // namespace weightfs::codec
