#include "delta_16.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "delta_16_value.h"

namespace weightfs::codec {
namespace {

constexpr unsigned kLongEscape = 0x80;
constexpr std::size_t kLongEscapeBytes = 3;

std::size_t group_count(std::size_t size) {
  return size / kDelta16GroupBytes;
}

// Where place `place` of a group lies in the block.
std::size_t offset_of(std::uint32_t group, unsigned place) {
  return group * kDelta16GroupBytes + 2 * (place / 2 + kDelta16Group / 2 * (place % 2));
}

void find_changed_groups(ByteSpan raw, ByteSpan base, Delta16Scratch& scratch, Isa isa) {
  const std::size_t groups = group_count(raw.size());
  scratch.changed.resize((groups + 63) / 64);
  Delta16CompareJob job = {.values = raw.data(),
                           .base = base.data(),
                           .count = groups,
                           .changed = scratch.changed.data()};
  delta_16_kernels(isa).compare(job);
}

// Lists the set bits of scratch.changed.
void list_changed_groups(Delta16Scratch& scratch) {
  scratch.groups.clear();
  for (std::size_t word = 0; word < scratch.changed.size(); ++word) {
    for (std::uint64_t left = scratch.changed[word]; left != 0; left &= left - 1) {
      const auto bit = static_cast<std::size_t>(std::countr_zero(left));
      scratch.groups.push_back(static_cast<std::uint32_t>(64 * word + bit));
    }
  }
}

// Calls visit(offset of the value in the block) for each escaped value, in the stream's order.
template <class Visit>
bool for_each_escape(const Delta16Scratch& scratch, Visit visit) {
  for (std::size_t i = 0; i < scratch.groups.size(); ++i) {
    for (std::uint64_t left = scratch.escaped[i]; left != 0; left &= left - 1) {
      const auto place = static_cast<unsigned>(std::countr_zero(left));
      if (!visit(offset_of(scratch.groups[i], place))) return false;
    }
  }
  return true;
}

ByteSpan collect_escapes(ByteSpan raw, ByteSpan base, Delta16Scratch& scratch) {
  std::size_t count = 0;
  for (const std::uint64_t places : scratch.escaped) {
    count += static_cast<std::size_t>(std::popcount(places));
  }
  const MutableByteSpan escapes = scratch.escapes.get(kLongEscapeBytes * count);
  std::byte* next = escapes.data();
  for_each_escape(scratch, [&](std::size_t at) {
    const auto value = load_unaligned<std::uint16_t>(&raw[at]);
    const int distance = delta_16_distance(value, load_unaligned<std::uint16_t>(&base[at]));
    if (std::abs(distance) <= 127) {
      *next++ = static_cast<std::byte>(distance);
      return true;
    }
    *next++ = std::byte{kLongEscape};
    store_unaligned(next, value);
    next += sizeof value;
    return true;
  });
  return escapes.first(static_cast<std::size_t>(next - escapes.data()));
}

Status apply_escapes(ByteReader escapes, ByteSpan base, MutableByteSpan out,
                     const Delta16Scratch& scratch) {
  for_each_escape(scratch, [&](std::size_t at) {
    const std::uint8_t code = escapes.u8();
    const auto of_base = load_unaligned<std::uint16_t>(&base[at]);
    const unsigned value = code == kLongEscape
                               ? escapes.u16()
                               : delta_16_apply(of_base, static_cast<std::int8_t>(code));
    store_unaligned(&out[at], static_cast<std::uint16_t>(value));
    return !escapes.failed();
  });
  if (escapes.failed() || !escapes.at_end()) {
    return fail(Code::corrupt, "a delta's escapes do not come out even");
  }
  return {};
}

void append_sized(ByteSpan bytes, StreamWriter& out) {
  out.varint(bytes.size());
  out.append(bytes);
}

// Codes the groups of scratch.groups.
void encode_groups(ByteSpan raw, ByteSpan base, const Delta16Model& model, Delta16Scratch& scratch,
                   StreamWriter& out, Isa isa) {
  const std::size_t count = scratch.groups.size();
  const MutableByteSpan symbols = scratch.symbols.get(count * kDelta16Group);
  const MutableByteSpan contexts = scratch.contexts.get(count * kDelta16Group);
  const std::size_t most_bits = count * kDelta16Group * model.tables.max_low_bits;
  const MutableByteSpan bits = scratch.bits.get(most_bits / 8 + kDelta16Padding);
  const MutableByteSpan direct = scratch.direct.get(count * kDelta16Group + kDelta16Padding);
  scratch.escaped.resize(count);
  Delta16EncodeJob job = {.values = raw.data(),
                          .base = base.data(),
                          .groups = scratch.groups.data(),
                          .group_count = count,
                          .tables = &model.tables,
                          .symbols = symbols.data(),
                          .contexts = contexts.data(),
                          .escaped = scratch.escaped.data(),
                          .bits = bits.data(),
                          .bit_count = 0,
                          .direct = direct.data()};
  delta_16_kernels(isa).encode(job);
  write_delta_16_plan(model.tables, out);
  append_sized(bits.first((job.bit_count + 7) / 8), out);
  append_sized(direct.first(static_cast<std::size_t>(job.direct - direct.data())), out);
  append_sized(collect_escapes(raw, base, scratch), out);
  encode_rans_contexts(symbols, contexts, model.contexts, scratch.rans, out, isa);
}

// Bytes that a kernel may read kDelta16Padding past: where they lie in the stream, if enough comes
// after them, or else a copy.
Result<ByteSpan> read_padded(ByteReader& in, ScratchBuffer& copy) {
  const std::uint64_t size = in.varint();
  if (in.failed() || size > in.remaining()) return fail(Code::corrupt, "a delta is cut short");
  const ByteSpan bytes = in.bytes(size);
  if (in.remaining() >= kDelta16Padding) return bytes;
  const MutableByteSpan target = copy.get(size + kDelta16Padding);
  std::copy(bytes.begin(), bytes.end(), target.begin());
  std::fill(target.end() - kDelta16Padding, target.end(), std::byte{0});
  return ByteSpan(target).first(size);
}

Result<ByteSpan> decode_symbols(ByteReader& in, ByteSpan base, const Delta16Tables& tables,
                                Delta16Scratch& scratch, Isa isa) {
  const std::size_t count = scratch.groups.size();
  const MutableByteSpan contexts = scratch.contexts.get(count * kDelta16Group);
  const MutableByteSpan symbols = scratch.symbols.get(count * kDelta16Group);
  Delta16ContextJob job = {.base = base.data(),
                           .groups = scratch.groups.data(),
                           .group_count = count,
                           .tables = &tables,
                           .contexts = contexts.data()};
  delta_16_kernels(isa).find_contexts(job);
  WEIGHTFS_TRY(decode_rans_contexts(in, contexts, symbols, scratch.rans, isa));
  return ByteSpan(symbols);
}

Status decode_groups(ByteReader& in, ByteSpan base, MutableByteSpan out, Delta16Scratch& scratch,
                     Isa isa) {
  WEIGHTFS_ASSIGN(const Delta16Tables tables, read_delta_16_plan(in));
  WEIGHTFS_ASSIGN(const ByteSpan bits, read_padded(in, scratch.bits));
  WEIGHTFS_ASSIGN(const ByteSpan direct, read_padded(in, scratch.direct));
  const std::uint64_t escapes_size = in.varint();
  if (in.failed() || escapes_size > in.remaining()) {
    return fail(Code::corrupt, "a delta is cut short");
  }
  const ByteReader escapes(in.bytes(escapes_size));
  WEIGHTFS_ASSIGN(const ByteSpan symbols, decode_symbols(in, base, tables, scratch, isa));
  scratch.escaped.resize(scratch.groups.size());
  Delta16DecodeJob job = {.values = out.data(),
                          .base = base.data(),
                          .groups = scratch.groups.data(),
                          .group_count = scratch.groups.size(),
                          .tables = &tables,
                          .symbols = symbols.data(),
                          .escaped = scratch.escaped.data(),
                          .bits = bits.data(),
                          .bit_count = 0,
                          .bit_limit = 8 * bits.size(),
                          .direct = direct.data(),
                          .direct_end = direct.data() + direct.size()};
  delta_16_kernels(isa).decode(job);
  if (job.group_count > 0 || (job.bit_count + 7) / 8 != bits.size() ||
      job.direct != job.direct_end) {
    return fail(Code::corrupt, "a delta does not come out even");
  }
  return apply_escapes(escapes, base, out, scratch);
}

// Which of `groups` groups differ, from the stream into scratch.changed.
Status read_changed(ByteReader& in, std::size_t groups, Delta16Scratch& scratch) {
  const std::uint64_t differing = in.varint();
  if (in.failed() || differing > groups) return fail(Code::corrupt, "a delta's size is damaged");
  scratch.changed.assign((groups + 63) / 64, 0);
  if (differing > 0) {
    const bool all = differing == groups;
    const ByteSpan bitmap = in.bytes(all ? 0 : (groups + 7) / 8);
    if (in.failed()) return fail(Code::corrupt, "a delta is cut short");
    for (std::size_t g = 0; g < groups; ++g) {
      const auto byte = all ? 0xFFU : std::to_integer<unsigned>(bitmap[g / 8]);
      scratch.changed[g / 64] |= std::uint64_t{(byte >> (g % 8)) & 1} << (g % 64);
    }
  }
  list_changed_groups(scratch);
  if (scratch.groups.size() != differing) return fail(Code::corrupt, "a delta's bitmap is damaged");
  return {};
}

void copy_unchanged(ByteSpan base, MutableByteSpan out, const Delta16Scratch& scratch) {
  std::size_t next = 0;
  const auto copy_until = [&](std::size_t group) {
    const std::size_t at = next * kDelta16GroupBytes;
    std::copy_n(base.data() + at, (group - next) * kDelta16GroupBytes, out.data() + at);
    next = group + 1;
  };
  for (const std::uint32_t group : scratch.groups) copy_until(group);
  copy_until(group_count(out.size()));
}

}  // namespace

const Delta16Kernels& delta_16_kernels(Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512) return kDelta16Avx512;
#endif
  (void)isa;
  return kDelta16Scalar;
}

Delta16Choice choose_delta_16(ByteSpan raw, ByteSpan base, unsigned mantissa_bits,
                              Delta16Scratch& scratch, Isa isa) {
  find_changed_groups(raw, base, scratch, isa);
  list_changed_groups(scratch);
  constexpr double kHeaderBytes = 200;
  const std::size_t groups = group_count(raw.size());
  const std::size_t differing = scratch.groups.size();
  const std::size_t bitmap = differing < groups ? groups / 8 : 0;
  Delta16Choice choice;
  choice.estimated_bytes =
      static_cast<double>(bitmap + raw.size() % kDelta16GroupBytes) + kHeaderBytes;
  if (differing == 0) return choice;
  choice.model = fit_delta_16(raw, base, scratch.groups, mantissa_bits);
  choice.estimated_bytes +=
      choice.model->bits_per_value * static_cast<double>(differing * kDelta16Group) / 8;
  return choice;
}

void encode_delta_16(ByteSpan raw, ByteSpan base, const Delta16Choice& choice,
                     Delta16Scratch& scratch, StreamWriter& out, Isa isa) {
  const std::size_t groups = group_count(raw.size());
  out.varint(scratch.groups.size());
  if (choice.model) {
    if (scratch.groups.size() < groups) {
      const ByteSpan bitmap = bytes_of_elements(std::span<const std::uint64_t>(scratch.changed));
      out.append(bitmap.first((groups + 7) / 8));
    }
    encode_groups(raw, base, *choice.model, scratch, out, isa);
  }
  out.append(raw.subspan(groups * kDelta16GroupBytes));
}

Status decode_delta_16(ByteReader& in, ByteSpan base, MutableByteSpan out, Delta16Scratch& scratch,
                       Isa isa) {
  if (base.size() != out.size()) return fail(Code::corrupt, "a delta's base has another length");
  const std::size_t groups = group_count(out.size());
  WEIGHTFS_TRY(read_changed(in, groups, scratch));
  if (scratch.groups.size() < groups) copy_unchanged(base, out, scratch);
  if (!scratch.groups.empty()) WEIGHTFS_TRY(decode_groups(in, base, out, scratch, isa));
  const MutableByteSpan rest = out.subspan(groups * kDelta16GroupBytes);
  const ByteSpan stored = in.bytes(rest.size());
  if (in.failed()) return fail(Code::corrupt, "a delta is cut short");
  std::copy(stored.begin(), stored.end(), rest.begin());
  return {};
}

}  // namespace weightfs::codec
