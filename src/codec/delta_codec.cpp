#include "delta_codec.h"

#include <array>
#include <bit>
#include <cmath>

#include "float_choice.h"
#include "log2_table.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kSampleElements = 2048;
// What a delta must save, as a part of the block alone: reading it takes the base as well.
constexpr double kWorthwhile = 0.97;
// The same where blocks must be read quickly on any machine: deltas are read there at a sixth of
// the speed of fixed-width codes (docs/codecs.md has the figures).
constexpr double kWorthwhilePortable = 0.6;

double worthwhile(const EncodeOptions& options) {
  return options.portable ? kWorthwhilePortable : kWorthwhile;
}

// A float whose sign is moved behind the mantissa.
template <class Word>
Word load_rotated(const std::byte* element) {
  return std::rotl(load_unaligned<Word>(element), 1);
}

// With what so small a sample makes it too low by (Miller and Madow).
double entropy_bits(const Histogram& counts, std::size_t total) {
  double sum = 0;
  std::size_t distinct = 0;
  for (const std::uint32_t count : counts) {
    distinct += count != 0 ? 1 : 0;
    sum += count * log2_of(count);
  }
  const auto samples = static_cast<double>(total);
  const double bias = static_cast<double>(distinct - 1) / (2 * samples * std::log(2.0));
  return std::min(8.0, std::log2(samples) - sum / samples + bias);
}

// The bits of an element of sizeof(Word) bytes, from a sample of them, byte by byte.
template <class Word>
double estimate_bits_of(ByteSpan raw) {
  const std::size_t count = raw.size() / sizeof(Word);
  const std::size_t step = std::max<std::size_t>(1, count / kSampleElements);
  std::array<Histogram, sizeof(Word)> counts{};
  std::size_t total = 0;
  for (std::size_t i = 0; i < count; i += step, ++total) {
    const Word word = load_rotated<Word>(raw.data() + i * sizeof(Word));
    for (std::size_t byte = 0; byte < sizeof(Word); ++byte)
      ++counts[byte][word >> (8 * byte) & 0xFF];
  }
  double bits = 0;
  for (const Histogram& of_byte : counts) bits += entropy_bits(of_byte, total);
  return bits;
}

// Both are of one dtype, or one of them may be guessed to be.
bool is_same_kind(FloatKind kind, ByteSpan base, Dtype base_dtype) {
  return float_kind(base_dtype, base) == kind;
}

bool saves_enough(double delta_bytes, ByteSpan raw, std::size_t element_size,
                  const EncodeOptions& options) {
  const double alone_bits = estimate_bits_alone(raw, element_size);
  const double alone_bytes =
      alone_bits / 8 * static_cast<double>(raw.size()) / static_cast<double>(element_size);
  return delta_bytes < worthwhile(options) * alone_bytes;
}

std::optional<EncodedBlock> as_block(CodecTag tag, const StreamWriter& out, ByteSpan raw) {
  if (out.failed() || out.size() >= raw.size()) return std::nullopt;
  return EncodedBlock{.tag = tag, .uses_base = true, .bytes = out.view()};
}

// Tags are numbered as the formats are.
CodecTag tag_of(DeltaFloat format) {
  return static_cast<CodecTag>(static_cast<unsigned>(CodecTag::delta_bf16) +
                               static_cast<unsigned>(format));
}

std::optional<DeltaFloat> delta_float_of(CodecTag tag) {
  const unsigned index = static_cast<unsigned>(tag) - static_cast<unsigned>(CodecTag::delta_bf16);
  if (index >= kDeltaFloats) return std::nullopt;
  return static_cast<DeltaFloat>(index);
}

// None for floats of one byte: their columns say more.
std::optional<DeltaFloat> delta_float_of(FloatKind kind) {
  switch (element_bytes(kind)) {
    case 2:
      return kind == FloatKind::f16 ? DeltaFloat::f16 : DeltaFloat::bf16;
    case 4:
      return DeltaFloat::f32;
    case 8:
      return DeltaFloat::f64;
    default:
      return std::nullopt;
  }
}

std::optional<EncodedBlock> encode_values(ByteSpan raw, const EncodeOptions& options,
                                          DeltaFloat format, DeltaScratch& scratch, Isa isa) {
  const ByteSpan base = options.base;
  const DeltaFloatsChoice choice = choose_delta_floats(raw, base, format, scratch.floats, isa);
  if (!saves_enough(choice.estimated_bytes, raw, delta_value_bytes(format), options)) {
    return std::nullopt;
  }
  StreamWriter out(scratch.stream.get(raw.size()));
  encode_delta_floats(raw, base, format, choice, scratch.floats, out, isa);
  return as_block(tag_of(format), out, raw);
}

// Whatever is no float of two bytes or more.
std::optional<EncodedBlock> encode_columns(ByteSpan raw, const EncodeOptions& options,
                                           DeltaScratch& scratch, Isa isa) {
  if (options.base_dtype != options.dtype) return std::nullopt;
  IntsPlan alone = plan_of_dtype(options.dtype, raw);
  const double alone_bytes = std::min(fit_plan(raw, alone), static_cast<double>(raw.size()));
  StreamWriter out(scratch.stream.get(raw.size()));
  if (!encode_delta_ints(raw, options.base, options.dtype, worthwhile(options) * alone_bytes,
                         scratch.delta_ints, out, isa)) {
    return std::nullopt;
  }
  return as_block(CodecTag::delta_ints, out, raw);
}

}  // namespace

double estimate_bits_alone(ByteSpan raw, std::size_t element_bytes) {
  if (raw.size() < element_bytes) return 8.0 * static_cast<double>(element_bytes);
  switch (element_bytes) {
    case 1:
      return estimate_bits_of<std::uint8_t>(raw);
    case 2:
      return estimate_bits_of<std::uint16_t>(raw);
    case 4:
      return estimate_bits_of<std::uint32_t>(raw);
    default:
      return estimate_bits_of<std::uint64_t>(raw);
  }
}

std::optional<EncodedBlock> encode_as_delta(ByteSpan raw, const EncodeOptions& options,
                                            DeltaScratch& scratch, Isa isa) {
  if (options.base.empty() || options.base.size() != raw.size()) return std::nullopt;
  const std::optional<FloatKind> kind = float_kind(options.dtype, raw);
  const std::optional<DeltaFloat> format = kind ? delta_float_of(*kind) : std::nullopt;
  if (!format) return encode_columns(raw, options, scratch, isa);
  if (!is_same_kind(*kind, options.base, options.base_dtype)) return std::nullopt;
  return encode_values(raw, options, *format, scratch, isa);
}

bool is_delta(CodecTag tag) {
  return tag == CodecTag::delta_ints || delta_float_of(tag).has_value();
}

Status decode_delta(CodecTag tag, ByteReader& in, ByteSpan base, MutableByteSpan out,
                    DeltaScratch& scratch, Isa isa) {
  if (base.size() != out.size()) return fail(Code::corrupt, "a delta's base has another length");
  if (const std::optional<DeltaFloat> format = delta_float_of(tag)) {
    return decode_delta_floats(in, base, *format, out, scratch.floats, isa);
  }
  if (tag == CodecTag::delta_ints) {
    return decode_delta_ints(in, base, out, scratch.delta_ints, isa);
  }
  return fail(Code::newer_version, "a delta that this version does not know");
}

}  // namespace weightfs::codec
