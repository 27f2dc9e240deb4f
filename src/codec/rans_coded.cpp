#include "rans_coded.h"

#include "rans.h"

namespace weightfs::codec {

bool RansStates::are_finished(RansLanes lanes) const {
  return std::all_of(of_lane.begin(), of_lane.begin() + static_cast<std::ptrdiff_t>(lanes.count()),
                     [](std::uint16_t state) { return state == kRansStartState; });
}

void pad_with_last(MutableByteSpan symbols) {
  std::byte* const end = symbols.data() + symbols.size();
  std::fill_n(end, rans_padded(symbols.size()) - symbols.size(), symbols.back());
}

void write_rans_coded(ByteSpan bytes, const RansStates& states, RansLanes lanes,
                      StreamWriter& out) {
  out.varint(bytes.size());
  out.append(bytes_of_elements(std::span(states.of_lane).first(lanes.count())));
  out.append(bytes);
}

Result<RansCoded> read_rans_coded(ByteReader& in, RansLanes lanes) {
  RansCoded coded;
  const std::uint64_t size = in.varint();
  for (std::size_t lane = 0; lane < lanes.count(); ++lane) {
    const std::uint16_t state = in.u16();
    if (state < kRansStartState) return fail(Code::corrupt, "a rANS state is damaged");
    coded.states.of_lane[lane] = state;
  }
  if (size > in.remaining()) return fail(Code::corrupt, "a rANS stream is cut short");
  coded.bytes = in.bytes(size);
  return coded;
}

}  // namespace weightfs::codec
