#include "delta_wide.h"

#include <algorithm>
#include <array>
#include <vector>

#include "delta_bits.h"
#include "delta_wide_value.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kSampleValues = 4096;
constexpr std::size_t kPieceValues = 32;
// Values between two looks at whether the low bits have run out, and what may be read past them
// then.
constexpr std::size_t kStretch = 64;
constexpr std::size_t kPadding = kStretch * sizeof(std::uint64_t) + 16;

template <class Word>
struct Coder {
  using Value = WideValue<Word>;
  static constexpr unsigned kMantissaBits = Value::kMantissaBits;

  static Word load(const std::byte* values, std::size_t index) {
    return load_unaligned<Word>(values + index * sizeof(Word));
  }

  static std::vector<DeltaSample> take_sample(ByteSpan raw, ByteSpan base) {
    const std::size_t count = raw.size() / sizeof(Word);
    const std::size_t step = kPieceValues * std::max<std::size_t>(1, count / kSampleValues);
    std::vector<DeltaSample> sample;
    for (std::size_t piece = 0; piece < count; piece += step) {
      for (std::size_t i = piece; i < std::min(piece + kPieceValues, count); ++i) {
        const Word value = load(raw.data(), i);
        const Word of_base = load(base.data(), i);
        sample.push_back({.distance = Value::distance(value, of_base),
                          .base_exponent = Value::exponent(of_base),
                          .exponent = Value::exponent(value)});
        if (sample.size() == kMaxDeltaSamples) return sample;
      }
    }
    return sample;
  }

  // Where the parts of a stream come from or go to.
  struct Planes {
    std::byte* symbols;
    std::byte* contexts;
    std::byte* escapes;
  };

  // Returns how many bits were written.
  static std::uint64_t encode(ByteSpan raw, ByteSpan base, const DeltaFit& fit, std::byte* bits,
                              Planes& planes) {
    BitSink sink(bits, 0);
    for (std::size_t i = 0; i < raw.size() / sizeof(Word); ++i) {
      const Word value = load(raw.data(), i);
      const Word of_base = load(base.data(), i);
      const DeltaLevelPlan plan = fit.plan[delta_level(Value::exponent(of_base), fit.top_level)];
      const auto distance = Value::distance(value, of_base);
      unsigned symbol = delta_symbol(distance, plan.low_bits);
      auto low = static_cast<Word>(distance);
      if (plan.direct) {
        symbol = Value::direct_symbol(value, fit.top_exponent);
        low = Value::direct_bits(value);
      }
      sink.put(low & ((Word{1} << plan.low_bits) - 1), plan.low_bits);
      if (fit.contexts.frequency[plan.context][symbol] == 0) symbol = kDeltaEscape;
      if (symbol == kDeltaEscape) {
        store_unaligned(planes.escapes, value);
        planes.escapes += sizeof(Word);
      }
      planes.symbols[i] = static_cast<std::byte>(symbol);
      planes.contexts[i] = static_cast<std::byte>(plan.context);
    }
    return sink.finish();
  }

  static void find_contexts(ByteSpan base, const DeltaFit& fit, MutableByteSpan contexts) {
    for (std::size_t i = 0; i < contexts.size(); ++i) {
      const unsigned level = delta_level(Value::exponent(load(base.data(), i)), fit.top_level);
      contexts[i] = static_cast<std::byte>(fit.plan[level].context);
    }
  }

  // False unless low bits and escapes are used up exactly.
  static bool decode(ByteSpan base, const DeltaFit& fit, ByteSpan symbols, ByteSpan bits,
                     ByteReader escapes, MutableByteSpan out) {
    std::uint64_t position = 0;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      if (i % kStretch == 0 && position > 8 * bits.size()) return false;
      const Word of_base = load(base.data(), i);
      const DeltaLevelPlan plan = fit.plan[delta_level(Value::exponent(of_base), fit.top_level)];
      const auto symbol = std::to_integer<unsigned>(symbols[i]);
      const auto taken = static_cast<Word>(take_bits(bits.data(), position, plan.low_bits));
      const Word low = taken & ((Word{1} << plan.low_bits) - 1);
      Word value = plan.direct ? Value::from_direct(symbol, low, fit.top_exponent)
                               : Value::apply(of_base, symbol, low, plan.low_bits);
      if (symbol == kDeltaEscape) value = escapes.little_endian<Word>();
      store_unaligned(out.data() + i * sizeof(Word), value);
    }
    return (position + 7) / 8 == bits.size() && !escapes.failed() && escapes.at_end();
  }
};

void write_plan(const DeltaFit& fit, StreamWriter& out) {
  const auto tops = std::to_array<std::uint16_t>(
      {static_cast<std::uint16_t>(fit.top_level), static_cast<std::uint16_t>(fit.top_exponent)});
  out.append(bytes_of_elements(std::span<const std::uint16_t>(tops)));
  for (unsigned i = 0; i < kDeltaLevels;) {
    unsigned end = i + 1;
    while (end < kDeltaLevels && fit.plan[end] == fit.plan[i]) ++end;
    out.u8(fit.plan[i].context);
    out.u8(fit.plan[i].low_bits);
    out.u8(static_cast<std::uint8_t>(end - i));
    i = end;
  }
}

Result<DeltaFit> read_plan(ByteReader& in, unsigned mantissa_bits) {
  DeltaFit fit;
  fit.top_level = in.u16();
  fit.top_exponent = in.u16();
  for (unsigned i = 0; i < kDeltaLevels;) {
    const std::uint8_t context = in.u8();
    const std::uint8_t low_bits = in.u8();
    const unsigned length = in.u8();
    const bool direct = context == kDeltaDirectContext;
    if (length == 0 || length > kDeltaLevels - i || context > kDeltaDirectContext ||
        low_bits > mantissa_bits + 1 || (direct && low_bits != mantissa_bits + 1)) {
      return fail(Code::corrupt, "a delta's plan is damaged");
    }
    std::fill_n(&fit.plan[i], length,
                DeltaLevelPlan{.low_bits = low_bits, .context = context, .direct = direct});
    i += length;
  }
  return fit;
}

// Bytes that may be read kPadding past: where they lie in the stream, if enough comes after them,
// or else a copy.
Result<ByteSpan> read_padded(ByteReader& in, ScratchBuffer& copy) {
  const std::uint64_t size = in.varint();
  if (in.failed() || size > in.remaining()) return fail(Code::corrupt, "a delta is cut short");
  const ByteSpan bytes = in.bytes(size);
  if (in.remaining() >= kPadding) return bytes;
  const MutableByteSpan target = copy.get(size + kPadding);
  std::copy(bytes.begin(), bytes.end(), target.begin());
  std::fill(target.end() - kPadding, target.end(), std::byte{0});
  return ByteSpan(target).first(size);
}

template <class Word>
DeltaFit fit_values(ByteSpan raw, ByteSpan base) {
  constexpr unsigned kMantissaBits = Coder<Word>::kMantissaBits;
  DeltaFit fit = fit_delta(Coder<Word>::take_sample(raw, base),
                           {.direct_bits = kMantissaBits + 1,
                            .most_low_bits = kMantissaBits,
                            .escape_bits = 8 * sizeof(Word) + kMantissaBits / 2});
  for (DeltaLevelPlan& plan : fit.plan) {
    if (plan.direct) plan.low_bits = kMantissaBits + 1;
  }
  return fit;
}

template <class Word>
void encode_values(ByteSpan raw, ByteSpan base, const DeltaFit& fit, DeltaWideScratch& scratch,
                   StreamWriter& out, Isa isa) {
  const std::size_t count = raw.size() / sizeof(Word);
  const MutableByteSpan symbols = scratch.symbols.get(rans_padded(count)).first(count);
  const MutableByteSpan contexts = scratch.contexts.get(rans_padded(count)).first(count);
  const MutableByteSpan bits = scratch.bits.get(count * sizeof(Word) + kPadding);
  const MutableByteSpan escapes = scratch.escapes.get(count * sizeof(Word));
  typename Coder<Word>::Planes planes = {
      .symbols = symbols.data(), .contexts = contexts.data(), .escapes = escapes.data()};
  const std::uint64_t bit_count = Coder<Word>::encode(raw, base, fit, bits.data(), planes);
  const auto escaped = static_cast<std::size_t>(planes.escapes - escapes.data());
  write_plan(fit, out);
  out.varint((bit_count + 7) / 8);
  out.append(bits.first((bit_count + 7) / 8));
  out.varint(escaped / sizeof(Word));
  out.append(escapes.first(escaped));
  encode_rans_contexts(symbols, contexts, fit.contexts, scratch.rans, out, isa);
}

template <class Word>
Status decode_values(ByteReader& in, ByteSpan base, MutableByteSpan out, DeltaWideScratch& scratch,
                     Isa isa) {
  const std::size_t count = out.size() / sizeof(Word);
  WEIGHTFS_ASSIGN(const DeltaFit fit, read_plan(in, Coder<Word>::kMantissaBits));
  WEIGHTFS_ASSIGN(const ByteSpan bits, read_padded(in, scratch.bits));
  const std::uint64_t escaped = in.varint();
  if (in.failed() || escaped > count) return fail(Code::corrupt, "a delta is cut short");
  const ByteReader escapes(in.bytes(escaped * sizeof(Word)));
  if (in.failed()) return fail(Code::corrupt, "a delta is cut short");
  const MutableByteSpan contexts = scratch.contexts.get(rans_padded(count)).first(count);
  const MutableByteSpan symbols = scratch.symbols.get(rans_padded(count)).first(count);
  Coder<Word>::find_contexts(base, fit, contexts);
  WEIGHTFS_TRY(decode_rans_contexts(in, contexts, symbols, scratch.rans, isa));
  if (!Coder<Word>::decode(base, fit, symbols, bits, escapes, out)) {
    return fail(Code::corrupt, "a delta does not come out even");
  }
  return {};
}

}  // namespace

DeltaFit fit_delta_wide(ByteSpan raw, ByteSpan base, std::size_t value_bytes) {
  return value_bytes == 4 ? fit_values<std::uint32_t>(raw, base)
                          : fit_values<std::uint64_t>(raw, base);
}

void encode_delta_wide(ByteSpan raw, ByteSpan base, std::size_t value_bytes, const DeltaFit& fit,
                       DeltaWideScratch& scratch, StreamWriter& out, Isa isa) {
  const ByteSpan values = raw.first(raw.size() / value_bytes * value_bytes);
  if (!values.empty()) {
    value_bytes == 4 ? encode_values<std::uint32_t>(values, base, fit, scratch, out, isa)
                     : encode_values<std::uint64_t>(values, base, fit, scratch, out, isa);
  }
  out.append(raw.subspan(values.size()));
}

Status decode_delta_wide(ByteReader& in, ByteSpan base, std::size_t value_bytes,
                         MutableByteSpan out, DeltaWideScratch& scratch, Isa isa) {
  if (base.size() != out.size()) return fail(Code::corrupt, "a delta's base has another length");
  const MutableByteSpan values = out.first(out.size() / value_bytes * value_bytes);
  if (!values.empty()) {
    WEIGHTFS_TRY(value_bytes == 4 ? decode_values<std::uint32_t>(in, base, values, scratch, isa)
                                  : decode_values<std::uint64_t>(in, base, values, scratch, isa));
  }
  const MutableByteSpan rest = out.subspan(values.size());
  const ByteSpan stored = in.bytes(rest.size());
  if (in.failed()) return fail(Code::corrupt, "a delta is cut short");
  std::copy(stored.begin(), stored.end(), rest.begin());
  return {};
}

}  // namespace weightfs::codec
