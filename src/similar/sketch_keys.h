// By what a sketch is found: equal keys propose that two tensors are relatives.
#pragma once

#include <array>
#include <cstdint>

#include "weightfs/similar/sketch.h"

namespace weightfs::similar {

// Four samples a band: relatives whose exponents agree in 60 % of all values share some band almost
// surely, unrelated tensors of one distribution hardly ever do.
constexpr std::size_t kBandSamples = 4;
constexpr std::size_t kBands = kSketchSamples / kBandSamples;
constexpr std::size_t kMaxKeys = kBands + 2;

struct SketchKeys {
  std::array<std::uint64_t, kMaxKeys> keys{};
  std::size_t size = 0;

  const std::uint64_t* begin() const { return keys.data(); }
  const std::uint64_t* end() const { return keys.data() + size; }
};

// The key of all tensors of one name and dtype, whatever their shape.
std::uint64_t namesake_key(const TensorSketch& sketch);

// namesake_key, one key for name, dtype and shape, and one for each band of samples that are not
// all alike (constant tensors would all be relatives): signs and exponents, with the number of
// elements.
SketchKeys keys_of(const TensorSketch& sketch);

// Elements, or units of quantized blocks.
std::uint64_t unit_count(const TensorSketch& sketch);

}  // namespace weightfs::similar
