// The part that streams of planes and of contexts have in common: lanes, states and renormalisation
// bytes (rans.h has the layout).
#pragma once

#include <algorithm>
#include <array>

#include "rans_kernels.h"
#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::codec {

// What encoders start from, and decoders must come back to.
constexpr std::uint16_t kRansStartState = 256;

// How many lanes code a stream: a code of two bits in its header.
struct RansLanes {
  unsigned code;

  // More lanes are faster, and cost two bytes each.
  static RansLanes for_count(std::size_t count) {
    return {count < 4096 ? 0U : (count < 32768 ? 1U : 2U)};
  }
  bool is_valid() const { return code < std::size(kRansLaneCounts); }
  std::size_t count() const { return kRansLaneCounts[code]; }
  // Vector kernels have no form for few lanes.
  const RansKernels& kernels(Isa isa) const {
    return rans_kernels(count() < kRansVector ? Isa::scalar : isa);
  }
};

struct RansStates {
  std::array<std::uint16_t, kRansMaxLanes> of_lane;

  // All at the start.
  RansStates() { of_lane.fill(kRansStartState); }
  bool are_finished(RansLanes lanes) const;
};

struct RansCoded {
  RansStates states;
  ByteSpan bytes;
};

// Fills a buffer up to whole vectors with its last symbol.
void pad_with_last(MutableByteSpan symbols);

void write_rans_coded(ByteSpan bytes, const RansStates& states, RansLanes lanes, StreamWriter& out);
Result<RansCoded> read_rans_coded(ByteReader& in, RansLanes lanes);

// A context stream (rans.h) up to its renormalisation bytes.
struct RansContextStream {
  RansLanes lanes;
  RansContextDecodeTable table;
  RansCoded coded;  // borrows from what was read

  // For a kernel that decodes `count` symbols, a multiple of 64, or all but its contexts and
  // symbols.
  RansContextDecodeJob job(std::size_t count);
  // Symbols of known contexts: buffers as in decode_rans_contexts. False if the stream is damaged.
  bool decode(MutableByteSpan contexts, MutableByteSpan symbols, Isa isa);
  bool is_finished() const { return coded.states.are_finished(lanes); }
};
Result<RansContextStream> read_rans_contexts(ByteReader& in);

// Runs a decoding kernel over `bytes`: first in place as far as it can read ahead, then over a
// padded copy of what is left. `run` calls the kernel with `job`. False if the symbols and the
// bytes do not end together.
template <class Job, class Run>
bool run_rans_decoder(Job& job, ByteSpan bytes, Run run) {
  job.in = bytes.data();
  job.in_end = bytes.data() + bytes.size();
  run();
  const ByteSpan left = bytes.last(static_cast<std::size_t>(job.in_end - job.in));
  if (left.size() >= kRansReadAhead) return false;
  std::array<std::byte, 2 * kRansReadAhead> copy{};
  std::copy(left.begin(), left.end(), copy.begin());
  job.in = copy.data();
  // The kernel stops once it has taken more than was left, if not before.
  job.in_end = copy.data() + left.size() + kRansReadAhead;
  run();
  return job.count == 0 && job.in == copy.data() + left.size();
}

}  // namespace weightfs::codec
