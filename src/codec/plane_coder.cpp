#include "plane_coder.h"

#include <bit>
#include <cmath>

#include "rans_model.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kSampleSymbols = 6144;
constexpr std::size_t kThoroughSampleSymbols = 32768;
constexpr std::size_t kRandomSampleSymbols = 1024;
// Bits a symbol by which coding must beat packing.
constexpr double kWorthwhileBits = 0.1;
// Bits a symbol that the speed of fixed-width codes may cost.
constexpr double kCascadeExcessBits = 0.75;
// Planes within this of their width in collision entropy are taken for random.
constexpr double kRandomMarginBits = 0.4;

constexpr std::size_t padded(std::size_t count) {
  return (count + kPlaneGroup - 1) / kPlaneGroup * kPlaneGroup;
}

void pad_with_zeros(MutableByteSpan plane) {
  std::fill_n(plane.data() + plane.size(), padded(plane.size()) - plane.size(), std::byte{0});
}

std::size_t packed_size(std::size_t count, std::uint8_t mask) {
  if (mask == 0xFF) return count;
  return (count + 7) / 8 * static_cast<std::size_t>(std::popcount(mask));
}

// The bits in which the bytes of a plane differ. The bytes behind the plane are made equal to its
// last.
PlaneBits scan_plane(MutableByteSpan plane, Isa isa) {
  std::fill_n(plane.data() + plane.size(), padded(plane.size()) - plane.size(), plane.back());
  return plane_kernels(isa).scan(plane.data(), padded(plane.size()));
}

// Whether the chance that two symbols are equal is that of random bits; the entropy is no less.
bool looks_random(const SampledHistogram& sample, unsigned width_bits) {
  double pairs = 0;
  for (const std::uint32_t count : sample.counts) {
    pairs += static_cast<double>(count) * (count - 1.0);
  }
  const double all_pairs = static_cast<double>(sample.total) * (sample.total - 1.0);
  return pairs * std::exp2(width_bits - kRandomMarginBits) < all_pairs;
}

std::size_t sample_budget(const PlaneOptions& options) {
  return options.thorough ? kThoroughSampleSymbols : kSampleSymbols;
}

// Whether the cascade's nine symbols are enough to come near rANS.
bool suits_cascade(const SampledHistogram& sample) {
  const double rans_bits = RansTable::from_sample(sample).estimated_bits(sample);
  return cascade_bits(sample) < rans_bits + kCascadeExcessBits;
}

// Codes the plane by rans or a cascade if the sample promises that it pays.
bool try_entropy(MutableByteSpan plane, unsigned width_bits, const PlaneOptions& options,
                 PlaneScratch& scratch, StreamWriter& out, Isa isa) {
  if (options.expect_random &&
      looks_random(sample_histogram(plane, kRandomSampleSymbols), width_bits)) {
    return false;
  }
  const double bits_to_beat = width_bits - kWorthwhileBits;
  const SampledHistogram sample = sample_histogram(plane, sample_budget(options));
  if (options.fixed_width && suits_cascade(sample)) {
    if (cascade_bits(sample) > bits_to_beat) return false;
    out.u8(static_cast<std::uint8_t>(PlaneMethod::cascade));
    encode_cascade(plane, sample, scratch.cascade, out, isa);
    return true;
  }
  const RansModel model = choose_rans_model(plane, sample, options.thorough, isa);
  if (model.table_count == 1 && model.tables[0].estimated_bits(sample) > bits_to_beat) {
    return false;
  }
  out.u8(static_cast<std::uint8_t>(PlaneMethod::rans));
  encode_rans_plane(plane, model, scratch.rans, out, isa);
  return true;
}

// The payload of method `bits`.
void encode_bits(MutableByteSpan plane, PlaneBits bits, StreamWriter& out, Isa isa) {
  const auto mask = static_cast<std::uint8_t>(bits.any ^ bits.all);
  out.u8(mask);
  out.u8(bits.all);
  if (mask == 0) return;
  if (mask == 0xFF) {
    out.append(plane);
    return;
  }
  pad_with_zeros(plane);
  const std::size_t size = packed_size(plane.size(), mask);
  // The kernel writes a little further than it says.
  const std::size_t start = out.size();
  const MutableByteSpan packed = out.extend(size + sizeof(std::uint64_t));
  if (out.failed()) return;
  plane_kernels(isa).pack(plane.data(), (plane.size() + 7) / 8 * 8, mask, packed.data());
  out.truncate(start + size);
}

Result<ByteSpan> decode_bits(ByteReader& in, std::size_t count, ScratchBuffer& target, Isa isa) {
  const std::uint8_t mask = in.u8();
  const std::uint8_t fixed = in.u8();
  const ByteSpan packed = in.bytes(packed_size(count, mask));
  if (in.failed()) return fail(Code::corrupt, "a plane is cut short");
  if ((fixed & mask) != 0) return fail(Code::corrupt, "a plane's bits overlap");
  if (mask == 0xFF) return packed;
  const MutableByteSpan plane = target.get(padded(count));
  if (mask == 0) {
    std::fill(plane.begin(), plane.end(), std::byte{fixed});
    return ByteSpan(plane).first(count);
  }
  // The last 8 bytes are read from a copy, since the kernel reads a little further than it says.
  const auto width = static_cast<std::size_t>(std::popcount(mask));
  const std::size_t in_place = packed.size() < 2 * sizeof(std::uint64_t)
                                   ? 0
                                   : (packed.size() - sizeof(std::uint64_t)) / width;
  plane_kernels(isa).unpack(packed.data(), in_place * 8, mask, fixed, plane.data());
  std::array<std::byte, 32> rest{};
  const ByteSpan left = packed.subspan(in_place * width);
  std::copy(left.begin(), left.end(), rest.begin());
  plane_kernels(isa).unpack(rest.data(), (count + 7) / 8 * 8 - in_place * 8, mask, fixed,
                            plane.data() + in_place * 8);
  return ByteSpan(plane).first(count);
}

}  // namespace

void encode_plane(MutableByteSpan plane, const PlaneOptions& options, PlaneScratch& scratch,
                  StreamWriter& out, Isa isa) {
  const PlaneBits bits = scan_plane(plane, isa);
  const auto width = static_cast<unsigned>(std::popcount<unsigned>(bits.any ^ bits.all));
  if (width > 0 && try_entropy(plane, width, options, scratch, out, isa)) return;
  out.u8(static_cast<std::uint8_t>(PlaneMethod::bits));
  encode_bits(plane, bits, out, isa);
}

Result<ByteSpan> decode_plane(ByteReader& in, std::size_t count, ScratchBuffer& target,
                              PlaneScratch& scratch, Isa isa) {
  const auto method = static_cast<PlaneMethod>(in.u8());
  if (in.failed()) return fail(Code::corrupt, "a plane is cut short");
  if (method == PlaneMethod::bits) return decode_bits(in, count, target, isa);
  const MutableByteSpan plane = target.get(padded(count)).first(count);
  switch (method) {
    case PlaneMethod::rans:
      WEIGHTFS_TRY(decode_rans_plane(in, plane, scratch.rans, isa));
      return ByteSpan(plane);
    case PlaneMethod::cascade:
      WEIGHTFS_TRY(decode_cascade(in, plane, scratch.cascade, isa));
      return ByteSpan(plane);
    case PlaneMethod::bits:
      break;
  }
  return fail(Code::corrupt, "a plane's method is unknown");
}

}  // namespace weightfs::codec
