// The kernels of ggml's quantizations for any CPU. GCC's vectors become what the baseline has.
#include "ggml_blocks.h"

namespace weightfs::codec {
namespace {

struct Scalar {
  static std::int32_t largest(const Ints& x) {
    std::int32_t largest = x[0];
    for (std::size_t i = 1; i < kLanes; ++i) largest = x[i] > largest ? x[i] : largest;
    return largest;
  }
  static std::uint32_t negative_lanes(const Ints& x) {
    std::uint32_t lanes = 0;
    for (std::size_t i = 0; i < kLanes; ++i) lanes |= static_cast<std::uint32_t>(x[i] < 0) << i;
    return lanes;
  }
  static std::uint32_t equal_lanes(const Ints& x, std::int32_t wanted) {
    return negative_lanes(x == wanted);
  }
  static void widen_halves(const std::byte* values, Floats& loaded) {
    widen_halves_by_bits(values, loaded);
  }
  static Floats codes_of_4_bits(const Floats& values, float factor) {
    Floats codes;
    for (std::size_t i = 0; i < kLanes; ++i) {
      const double product = static_cast<double>(values[i]) * static_cast<double>(factor);
      codes[i] = static_cast<float>(product + 8.5);
    }
    return codes;
  }
  static void put_bytes(const Ints& x, std::byte* to) {
    for (std::size_t i = 0; i < kLanes; ++i) to[i] = static_cast<std::byte>(x[i]);
  }
};

}  // namespace

const GgmlKernels kGgmlScalar = ggml_kernels_of<Scalar>();

const GgmlKernels& ggml_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return kGgmlAvx512;
  if (isa == Isa::avx2) return kGgmlAvx2;
#endif
  (void)isa;
  return kGgmlScalar;
}

}  // namespace weightfs::codec
