#include "sketch_keys.h"

#include <algorithm>

#include "weightfs/hash/checksum.h"

namespace weightfs::similar {
namespace {

template <std::size_t kSize>
std::uint64_t hash(const std::array<std::uint64_t, kSize>& words) {
  return checksum(bytes_of_elements(std::span<const std::uint64_t>(words)));
}

}  // namespace

std::uint64_t unit_count(const TensorSketch& sketch) {
  return sketch.length_bytes / std::max(1U, dtype_layout(sketch.dtype).unit_bytes);
}

std::uint64_t namesake_key(const TensorSketch& sketch) {
  return hash(std::array{kBands + std::uint64_t{1}, sketch.name_hash,
                         static_cast<std::uint64_t>(sketch.dtype)});
}

SketchKeys keys_of(const TensorSketch& sketch) {
  SketchKeys keys;
  static const std::uint64_t kNoName = checksum(ByteSpan());
  if (sketch.name_hash != kNoName) keys.keys[keys.size++] = namesake_key(sketch);
  keys.keys[keys.size++] =
      hash(std::array{kBands + std::uint64_t{0}, sketch.name_hash, sketch.shape_hash,
                      static_cast<std::uint64_t>(sketch.dtype)});
  const std::uint64_t count = unit_count(sketch);
  for (std::size_t band = 0; band < kBands; ++band) {
    std::uint64_t packed = 0;
    bool all_alike = true;
    for (std::size_t i = 0; i < kBandSamples; ++i) {
      const std::uint16_t sample = sketch.samples[band + i * kBands];
      packed = packed << 16 | sample >> 7;
      all_alike = all_alike && sample == sketch.samples[band];
    }
    if (!all_alike) keys.keys[keys.size++] = hash(std::array{std::uint64_t{band}, count, packed});
  }
  return keys;
}

}  // namespace weightfs::similar
