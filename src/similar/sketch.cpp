#include "weightfs/similar/sketch.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "sample_bits.h"
#include "weightfs/hash/checksum.h"

namespace weightfs::similar {
namespace {

constexpr std::uint8_t kVersion = 1;

// The unit that sample `index` is taken from, out of `unit_count`: somewhere in the index-th of
// equal parts, so that no stride is favoured. Persisted: never changes.
std::uint64_t sampled_unit(std::size_t index, std::uint64_t unit_count) {
  constexpr std::uint64_t kGolden = 0x9E3779B97F4A7C15ULL;
  const std::uint64_t jitter = ((index + 1) * kGolden) >> 48;  // of 65536
  const std::uint64_t part = unit_count / kSketchSamples;
  const std::uint64_t rest = unit_count % kSketchSamples;
  const std::uint64_t start = index * part + index * rest / kSketchSamples;
  return start + (part >> 16) * jitter + (((part & 0xFFFF) * jitter) >> 16);
}

std::string_view without_wrappers(std::string_view name) {
  constexpr std::string_view kWrappers[] = {"module.",    "model.",   "base_model.", "transformer.",
                                            "_orig_mod.", "student.", "ema.",        "state_dict."};
  for (bool found = true; found;) {
    found = false;
    for (const std::string_view wrapper : kWrappers) {
      if (!name.starts_with(wrapper)) continue;
      name.remove_prefix(wrapper.size());
      found = true;
    }
  }
  return name;
}

std::uint64_t hash_shape(std::vector<std::uint64_t> shape) {
  std::erase(shape, 1U);
  std::sort(shape.begin(), shape.end());
  return checksum(bytes_of_elements(std::span<const std::uint64_t>(shape)));
}

// How many values `sample` is away from zero, zeros of both signs being one.
int on_line(std::uint16_t sample) {
  const int magnitude = sample & 0x7FFF;
  return (sample & 0x8000) != 0 ? -magnitude : magnitude;
}

}  // namespace

ByteVector TensorSketch::serialize() const {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<std::uint8_t>(dtype));
  out.u64(length_bytes);
  out.u64(name_hash);
  out.u64(shape_hash);
  for (const std::uint16_t sample : samples) out.u16(sample);
  return out.take();
}

Result<TensorSketch> TensorSketch::parse(ByteSpan bytes) {
  ByteReader in(bytes);
  const std::uint8_t version = in.u8();
  if (!in.failed() && version != kVersion) {
    return fail(Code::newer_version, "a sketch of a version that this weightfs does not know");
  }
  const std::uint8_t dtype = in.u8();
  TensorSketch sketch;
  sketch.length_bytes = in.u64();
  sketch.name_hash = in.u64();
  sketch.shape_hash = in.u64();
  for (std::uint16_t& sample : sketch.samples) sample = in.u16();
  if (in.failed() || !in.at_end() || !is_known_dtype(dtype)) {
    return fail(Code::corrupt, "a damaged sketch");
  }
  sketch.dtype = static_cast<Dtype>(dtype);
  return sketch;
}

TensorSketch sketch_without_samples(const TensorDescription& description) {
  TensorSketch sketch;
  sketch.dtype = description.dtype;
  sketch.length_bytes = description.length_bytes;
  sketch.name_hash = checksum(bytes_of(without_wrappers(description.name)));
  sketch.shape_hash = hash_shape(description.shape);
  return sketch;
}

SketchBuilder::SketchBuilder(const TensorDescription& description)
    : sketch_(sketch_without_samples(description)),
      unit_bytes_(std::max(1U, dtype_layout(description.dtype).unit_bytes)) {
  unit_count_ = description.length_bytes / unit_bytes_;
}

std::uint64_t SketchBuilder::sample_offset_bytes(std::size_t index) const {
  return sampled_unit(index, unit_count_) * unit_bytes_;
}

void SketchBuilder::add(std::uint64_t offset_bytes, ByteSpan bytes) {
  if (unit_count_ == 0) return;
  for (std::size_t i = 0; i < kSketchSamples; ++i) {
    const std::uint64_t at = sampled_unit(i, unit_count_) * unit_bytes_;
    if (at < offset_bytes || at - offset_bytes >= bytes.size()) continue;
    const ByteSpan rest = bytes.subspan(at - offset_bytes);
    if (rest.size() < unit_bytes_) continue;
    sketch_.samples[i] = sample_bits(rest.first(unit_bytes_), sketch_.dtype);
    seen_.set(i);
  }
}

std::optional<TensorSketch> SketchBuilder::finish() const {
  if (unit_count_ == 0 || !seen_.all()) return std::nullopt;
  return sketch_;
}

std::optional<TensorSketch> sketch_tensor(const TensorDescription& description, ByteSpan bytes) {
  SketchBuilder builder(description);
  builder.add(0, bytes);
  return builder.finish();
}

double sketch_distance_bits(const TensorSketch& a, const TensorSketch& b) {
  double bits = 0;
  for (std::size_t i = 0; i < kSketchSamples; ++i) {
    const int distance = std::abs(on_line(a.samples[i]) - on_line(b.samples[i]));
    bits += std::log2(1.0 + 2.0 * distance);
  }
  return bits / static_cast<double>(kSketchSamples);
}

}  // namespace weightfs::similar
