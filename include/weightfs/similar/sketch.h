// Sketches: what a tensor looks like, in 300 bytes, so that relatives are found without being told.
//
// A sketch holds the upper bits of values at fixed relative positions, brought to one scale (the
// upper half of an IEEE single), so that it survives renaming, other containers and casts between
// float formats; and hashes of name and shape, which say more where they agree. Plain values. A
// sketch is persisted by others, in the form below.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::similar {

constexpr std::size_t kSketchSamples = 128;

struct TensorSketch {
  Dtype dtype = Dtype::opaque;
  std::uint64_t length_bytes = 0;
  std::uint64_t name_hash = 0;   // without the prefixes that wrappers add
  std::uint64_t shape_hash = 0;  // without dimensions of 1, in any order: containers differ in that
  std::array<std::uint16_t, kSketchSamples> samples{};

  static constexpr std::size_t kEncodedBytes = 2 + 3 * 8 + 2 * kSketchSamples;

  bool operator==(const TensorSketch&) const = default;
  // u8 version (1), u8 dtype, u64 length_bytes, u64 name_hash, u64 shape_hash, u16 samples; all
  // little-endian.
  ByteVector serialize() const;
  // Code::corrupt for another length or dtype, Code::newer_version for another version.
  static Result<TensorSketch> parse(ByteSpan bytes);
};

// What is known of a tensor before its bytes are.
struct TensorDescription {
  std::string_view name;
  Dtype dtype = Dtype::opaque;
  std::vector<std::uint64_t> shape;
  std::uint64_t length_bytes = 0;
};

// A sketch that holds all but the samples, which are zero.
TensorSketch sketch_without_samples(const TensorDescription& description);

// Makes a sketch out of a tensor's blocks as they pass by, in any order. Not thread-safe.
class SketchBuilder {
 public:
  explicit SketchBuilder(const TensorDescription& description);

  // Where in the tensor the unit of sample `index` < kSketchSamples begins, for who reads only
  // those.
  std::uint64_t sample_offset_bytes(std::size_t index) const;
  std::uint32_t unit_bytes() const { return unit_bytes_; }
  // The tensor's bytes from `offset_bytes` on. A sampled element that two blocks share is lost.
  void add(std::uint64_t offset_bytes, ByteSpan bytes);
  // Nothing if the tensor has no element or an element that is sampled was not seen.
  std::optional<TensorSketch> finish() const;

 private:
  TensorSketch sketch_;
  std::uint64_t unit_count_ = 0;
  std::uint32_t unit_bytes_ = 1;
  std::bitset<kSketchSamples> seen_;
};

// The sketch of a tensor that is in memory; nothing if it has no element.
std::optional<TensorSketch> sketch_tensor(const TensorDescription& description, ByteSpan bytes);

// How far apart two tensors are, for ranking: bits that a value's upper half takes beyond the
// other's, about; 0 for equal ones, 9 and more for unrelated ones. By the samples alone.
double sketch_distance_bits(const TensorSketch& a, const TensorSketch& b);

}  // namespace weightfs::similar
