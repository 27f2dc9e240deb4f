// Which vector instructions the codecs use on this machine.
//
// Every kernel exists in a scalar form, and every form gives the same bytes. The choice is made
// once a process, from what the CPU has and from WEIGHTFS_ISA=scalar|avx2|avx512|neon, which can
// only restrict it: an unknown or unavailable name is ignored.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace weightfs::codec {

enum class Isa : std::uint8_t { scalar, avx2, avx512, neon };

// The one that the codecs use.
Isa active_isa();
// All that this machine can run, for tests that compare them; scalar is always among them.
std::vector<Isa> available_isas();
std::string_view isa_name(Isa isa);
// Whether rANS is read at the speed of memory: elsewhere fixed-width codes are written.
inline bool has_wide_vectors(Isa isa) {
  return isa == Isa::avx512;
}

}  // namespace weightfs::codec
