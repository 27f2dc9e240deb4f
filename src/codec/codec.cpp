#include "weightfs/codec/codec.h"

#include <algorithm>

#include "delta_codec.h"
#include "derived_codec.h"
#include "float_choice.h"
#include "scratch_impl.h"
#include "slice_codec.h"
#include "zstd_codec.h"

namespace weightfs::codec {

Scratch::Scratch() : impl_(std::make_unique<Impl>()) {}
Scratch::~Scratch() = default;
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;

bool is_all_zero(ByteSpan bytes) {
  return bytes.empty() || (bytes[0] == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

namespace {

// Float tags are numbered as their kinds are.
constexpr auto kFirstFloatTag = static_cast<std::uint8_t>(CodecTag::bf16);

CodecTag float_tag(FloatKind kind) {
  return static_cast<CodecTag>(kFirstFloatTag + static_cast<std::uint8_t>(kind));
}

std::optional<FloatKind> float_kind_of(CodecTag tag) {
  const auto number = static_cast<std::uint8_t>(tag);
  if (number < kFirstFloatTag || number >= kFirstFloatTag + kFloatKinds) return std::nullopt;
  return static_cast<FloatKind>(number - kFirstFloatTag);
}

int zstd_level(Tier tier) {
  switch (tier) {
    case Tier::fast:
      return 1;
    case Tier::default_tier:
      return 3;
    case Tier::cold:
      return 19;
  }
  return 3;
}

// What zstd makes of a piece of a block, as a part of its size.
double sampled_zstd_ratio(ByteSpan raw, Scratch::Impl& scratch) {
  constexpr std::size_t kSampleBytes = 8192;
  const ByteSpan sample =
      raw.size() <= 2 * kSampleBytes ? raw : raw.subspan(raw.size() / 2, kSampleBytes);
  if (!encode_zstd(sample, 1, scratch.zstd)) return 1;
  return static_cast<double>(scratch.zstd.size()) / static_cast<double>(sample.size());
}

using Candidate = std::optional<EncodedBlock>;

// The block by planes, if that is smaller than `raw`.
Candidate encode_as_floats(ByteSpan raw, FloatKind kind, const EncodeOptions& options,
                           Scratch::Impl& scratch) {
  const FloatOptions float_options = {
      .tier = options.tier, .portable = options.portable || !has_wide_vectors(active_isa())};
  // Kernels may write a little more than they keep.
  StreamWriter out(scratch.stream.get(raw.size() + kVectorPadding));
  CodecTag tag = CodecTag::zero_mask;
  if (has_many_zeros(raw, kind)) {
    encode_zero_mask(raw, kind, float_options, scratch.zero_mask, scratch.floats, out);
  } else {
    tag = float_tag(encode_floats(raw, kind, float_options, scratch.floats, out));
  }
  if (out.failed() || out.size() >= raw.size()) return std::nullopt;
  return EncodedBlock{.tag = tag, .uses_base = false, .bytes = out.view()};
}

// The block by columns, if a sample and the whole say that it is smaller than `raw`.
Candidate encode_by_columns(ByteSpan raw, const EncodeOptions& options, Scratch::Impl& scratch) {
  IntsPlan plan = plan_of_dtype(options.dtype, raw);
  if (fit_plan(raw, plan) >= static_cast<double>(raw.size())) return std::nullopt;
  const PlaneOptions plane_options = {
      .fixed_width = options.portable || !has_wide_vectors(active_isa()),
      .thorough = options.tier == Tier::cold};
  StreamWriter out(scratch.stream.get(raw.size() + kVectorPadding));
  encode_ints(raw, plan, plane_options, scratch.ints, out);
  if (out.failed() || out.size() >= raw.size()) return std::nullopt;
  return EncodedBlock{.tag = CodecTag::ints, .uses_base = false, .bytes = out.view()};
}

// The block by zstd, if a piece of it and the whole are smaller than `ratio` of `raw`.
Candidate encode_by_zstd(ByteSpan raw, double ratio, Tier tier, Scratch::Impl& scratch) {
  constexpr double kMargin = 0.98;
  if (sampled_zstd_ratio(raw, scratch) > kMargin * ratio) return std::nullopt;
  if (!encode_zstd(raw, zstd_level(tier), scratch.zstd)) return std::nullopt;
  if (static_cast<double>(scratch.zstd.size()) >= ratio * static_cast<double>(raw.size())) {
    return std::nullopt;
  }
  return EncodedBlock{.tag = CodecTag::zstd, .uses_base = false, .bytes = scratch.zstd};
}

}  // namespace

EncodedBlock encode_block(ByteSpan raw, const EncodeOptions& options, Scratch& scratch) {
  if (is_all_zero(raw)) return {.tag = CodecTag::zero, .uses_base = false, .bytes = {}};
  Scratch::Impl& impl = scratch.impl();
  if (const Candidate slice = encode_as_slice(raw, options, impl.stream)) return *slice;
  EncodedBlock best = {.tag = CodecTag::raw, .uses_base = false, .bytes = raw};
  Candidate delta = encode_as_derived(raw, options, impl.derived, impl.deltas);
  if (!delta) delta = encode_as_delta(raw, options, impl.deltas);
  const std::optional<FloatKind> kind = float_kind(options.dtype, raw);
  // What a block alone takes was estimated for floats without repetition only.
  if (delta && kind && !has_many_zeros(raw, *kind) && !looks_repetitive(raw)) return *delta;
  best =
      (kind ? encode_as_floats(raw, *kind, options, impl) : encode_by_columns(raw, options, impl))
          .value_or(best);
  if (!kind || looks_repetitive(raw)) {
    const double ratio = static_cast<double>(best.bytes.size()) / static_cast<double>(raw.size());
    best = encode_by_zstd(raw, ratio, options.tier, impl).value_or(best);
  }
  return delta && delta->bytes.size() < best.bytes.size() ? *delta : best;
}

namespace {

// Runs a decoder that reads from a ByteReader and must leave nothing.
template <class Decoder>
Status decode_all(ByteSpan encoded, Decoder decoder) {
  ByteReader in(encoded);
  WEIGHTFS_TRY(decoder(in));
  if (!in.at_end()) return fail(Code::corrupt, "bytes are left behind a block");
  return {};
}

}  // namespace

Status decode_block(CodecTag tag, ByteSpan encoded, ByteSpan base, MutableByteSpan out,
                    Scratch& scratch) {
  if (out.size() > kMaxBlockBytes) return fail(Code::corrupt, "a block is too long");
  Scratch::Impl& impl = scratch.impl();
  if (const std::optional<FloatKind> kind = float_kind_of(tag)) {
    return decode_all(encoded,
                      [&](ByteReader& in) { return decode_floats(*kind, in, out, impl.floats); });
  }
  if (is_delta(tag)) {
    return decode_all(
        encoded, [&](ByteReader& in) { return decode_delta(tag, in, base, out, impl.deltas); });
  }
  switch (tag) {
    case CodecTag::zero:
      std::fill(out.begin(), out.end(), std::byte{0});
      return {};
    case CodecTag::raw:
      if (encoded.size() != out.size())
        return fail(Code::corrupt, "a raw block has another length");
      std::copy(encoded.begin(), encoded.end(), out.begin());
      return {};
    case CodecTag::zstd:
      return decode_zstd(encoded, out);
    case CodecTag::ints:
      return decode_all(encoded, [&](ByteReader& in) { return decode_ints(in, out, impl.ints); });
    case CodecTag::slice:
      return decode_all(encoded, [&](ByteReader& in) { return decode_slice(in, base, out); });
    case CodecTag::derived:
      return decode_all(encoded, [&](ByteReader& in) {
        return decode_derived(in, base, out, impl.derived, impl.deltas);
      });
    case CodecTag::zero_mask:
      return decode_all(encoded, [&](ByteReader& in) {
        return decode_zero_mask(in, out, impl.zero_mask, impl.floats);
      });
    default:
      break;
  }
  return fail(Code::newer_version, "a codec that this version does not know");
}

std::string_view codec_name(CodecTag tag) {
  switch (tag) {
    case CodecTag::zero:
      return "zero";
    case CodecTag::raw:
      return "raw";
    case CodecTag::zstd:
      return "zstd";
    case CodecTag::bf16:
      return "bf16";
    case CodecTag::f16:
      return "f16";
    case CodecTag::f32:
      return "f32";
    case CodecTag::f64:
      return "f64";
    case CodecTag::f8_e4m3:
      return "f8_e4m3";
    case CodecTag::f8_e5m2:
      return "f8_e5m2";
    case CodecTag::bf16_fine:
      return "bf16_fine";
    case CodecTag::f32_fine:
      return "f32_fine";
    case CodecTag::zero_mask:
      return "zero_mask";
    case CodecTag::ints:
      return "ints";
    case CodecTag::delta_ints:
      return "delta_ints";
    case CodecTag::slice:
      return "slice";
    case CodecTag::delta_bf16:
      return "delta_bf16";
    case CodecTag::delta_f16:
      return "delta_f16";
    case CodecTag::delta_f32:
      return "delta_f32";
    case CodecTag::delta_f64:
      return "delta_f64";
    case CodecTag::derived:
      return "derived";
  }
  return "unknown";
}

bool is_known_codec(std::uint8_t number) {
  return codec_name(static_cast<CodecTag>(number)) != "unknown";
}

}  // namespace weightfs::codec
