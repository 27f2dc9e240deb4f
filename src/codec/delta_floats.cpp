#include "delta_floats.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "delta_escapes.h"
#include "rans_coded.h"

namespace weightfs::codec {
namespace {

std::size_t group_bytes(DeltaFloat format) {
  return kDeltaGroup * delta_value_bytes(format);
}

constexpr std::uint64_t kAllGroups = ~std::uint64_t{0};

// Lists the set bits of scratch.changed.
void list_changed_groups(DeltaFloatsScratch& scratch) {
  scratch.groups.resize(64 * scratch.changed.size());
  std::uint32_t* next = scratch.groups.data();
  std::uint32_t first = 0;
  for (std::uint64_t left : scratch.changed) {
    if (left == kAllGroups) {
      std::iota(next, next + 64, first);
      next += 64;
      left = 0;
    }
    for (; left != 0; left &= left - 1) {
      *next++ = first + static_cast<std::uint32_t>(std::countr_zero(left));
    }
    first += 64;
  }
  scratch.groups.resize(static_cast<std::size_t>(next - scratch.groups.data()));
}

void append_sized(ByteSpan bytes, StreamWriter& out) {
  out.varint(bytes.size());
  out.append(bytes);
}

// Codes the groups of scratch.groups.
void encode_groups(ByteSpan raw, ByteSpan base, DeltaFloat format, const DeltaPlan& plan,
                   DeltaFloatsScratch& scratch, StreamWriter& out, Isa isa) {
  const std::size_t count = scratch.groups.size();
  const std::size_t values = count * kDeltaGroup;
  const MutableByteSpan codes = scratch.symbols.get(values);
  const MutableByteSpan low_bytes =
      scratch.low_bytes.get(values * plan.tables.most_low_bytes + kDeltaPadding);
  const MutableByteSpan low_bits =
      scratch.low_bits.get(values / 8 * plan.tables.most_odd_bits + kDeltaPadding);
  scratch.escaped.resize(count);
  DeltaEncodeJob job = {.values = raw.data(),
                        .base = base.data(),
                        .groups = scratch.groups.data(),
                        .group_count = count,
                        .tables = &plan.tables,
                        .codes = codes.data(),
                        .escaped = scratch.escaped.data(),
                        .low_bytes = low_bytes.data(),
                        .low_bits = low_bits.data(),
                        .low_bit_count = 0};
  delta_kernels(format, isa).encode(job);
  write_delta_plan(plan.tables, out);
  append_sized(low_bytes.first(static_cast<std::size_t>(job.low_bytes - low_bytes.data())), out);
  append_sized(low_bits.first((job.low_bit_count + 7) / 8), out);
  const DeltaEscapes escapes = {.groups = scratch.groups, .places = scratch.escaped};
  append_sized(collect_delta_escapes(raw, base, format, escapes, scratch.escapes, isa), out);
  encode_rans_contexts(codes, plan.contexts, scratch.rans, out, isa);
}

Result<ByteSpan> read_sized(ByteReader& in) {
  const std::uint64_t size = in.varint();
  if (in.failed() || size > in.remaining()) return fail(Code::corrupt, "a delta is cut short");
  return in.bytes(size);
}

// Bytes that a kernel may read kDeltaPadding past: where they lie in the stream, if enough comes
// after them, or else a copy.
Result<ByteSpan> read_padded(ByteReader& in, ScratchBuffer& copy) {
  WEIGHTFS_ASSIGN(const ByteSpan bytes, read_sized(in));
  if (in.remaining() >= kDeltaPadding) return bytes;
  const MutableByteSpan target = copy.get(bytes.size() + kDeltaPadding);
  std::copy(bytes.begin(), bytes.end(), target.begin());
  std::fill(target.end() - kDeltaPadding, target.end(), std::byte{0});
  return ByteSpan(target).first(bytes.size());
}

// Decodes the symbols first, and then what they belong to.
bool decode_in_passes(RansContextStream& stream, DeltaDecodeJob& job, const DeltaKernels& kernels,
                      DeltaFloatsScratch& scratch, Isa isa) {
  const std::size_t count = job.group_count * kDeltaGroup;
  const MutableByteSpan contexts = scratch.contexts.get(count);
  const MutableByteSpan symbols = scratch.symbols.get(count);
  DeltaContextJob context_job = {.base = job.base,
                                 .groups = job.groups,
                                 .group_count = job.group_count,
                                 .tables = job.tables,
                                 .contexts = contexts.data()};
  kernels.find_contexts(context_job);
  if (!stream.decode(contexts, symbols, isa)) return false;
  job.symbols = symbols.data();
  kernels.decode(job);
  return true;
}

// Decodes symbols as they are needed.
bool decode_at_once(RansContextStream& stream, DeltaDecodeJob& job, const DeltaKernels& kernels) {
  job.rans = stream.job(job.group_count * kDeltaGroup);
  const bool ended =
      run_rans_decoder(job.rans, stream.coded.bytes, [&] { kernels.decode_coded(job); });
  return ended && stream.is_finished();
}

Status decode_groups(ByteReader& in, ByteSpan base, DeltaFloat format, MutableByteSpan out,
                     DeltaFloatsScratch& scratch, Isa isa) {
  WEIGHTFS_ASSIGN(const DeltaTables tables, read_delta_plan(in, format));
  WEIGHTFS_ASSIGN(const ByteSpan low_bytes, read_padded(in, scratch.low_bytes));
  WEIGHTFS_ASSIGN(const ByteSpan low_bits, read_padded(in, scratch.low_bits));
  WEIGHTFS_ASSIGN(const ByteSpan escapes, read_sized(in));
  WEIGHTFS_ASSIGN(RansContextStream stream, read_rans_contexts(in));
  scratch.escaped.resize(scratch.groups.size());
  DeltaDecodeJob job = {.values = out.data(),
                        .base = base.data(),
                        .groups = scratch.groups.data(),
                        .group_count = scratch.groups.size(),
                        .tables = &tables,
                        .escaped = scratch.escaped.data(),
                        .low_bytes = low_bytes.data(),
                        .low_bytes_end = low_bytes.data() + low_bytes.size(),
                        .low_bits = low_bits.data(),
                        .low_bit_count = 0,
                        .low_bit_limit = 8 * low_bits.size(),
                        .symbols = nullptr,
                        .rans = {}};
  const DeltaKernels& kernels = delta_kernels(format, isa);
  const bool at_once = kernels.decode_coded != nullptr && stream.lanes.count() >= kRansVector;
  const bool ended = at_once ? decode_at_once(stream, job, kernels)
                             : decode_in_passes(stream, job, kernels, scratch, isa);
  if (!ended || job.group_count > 0 || (job.low_bit_count + 7) / 8 != low_bits.size() ||
      job.low_bytes != job.low_bytes_end) {
    return fail(Code::corrupt, "a delta does not come out even");
  }
  return apply_delta_escapes(escapes, base, format,
                             {.groups = scratch.groups, .places = scratch.escaped}, out, isa);
}

// Which of `groups` groups differ, from the stream into scratch.changed.
Status read_changed(ByteReader& in, std::size_t groups, DeltaFloatsScratch& scratch) {
  const std::uint64_t differing = in.varint();
  if (in.failed() || differing > groups) return fail(Code::corrupt, "a delta's size is damaged");
  const bool all = differing == groups;
  scratch.changed.assign((groups + 63) / 64, all ? kAllGroups : 0);
  if (differing > 0 && !all) {
    const ByteSpan bitmap = in.bytes((groups + 7) / 8);
    if (in.failed()) return fail(Code::corrupt, "a delta is cut short");
    for (std::size_t byte = 0; byte < bitmap.size(); ++byte) {
      const auto bits = std::to_integer<std::uint64_t>(bitmap[byte]);
      scratch.changed[byte / 8] |= bits << (8 * (byte % 8));
    }
  }
  // Nothing behind the last group counts.
  if (groups % 64 != 0) scratch.changed.back() &= kAllGroups >> (64 - groups % 64);
  list_changed_groups(scratch);
  if (scratch.groups.size() != differing) return fail(Code::corrupt, "a delta's bitmap is damaged");
  return {};
}

void copy_unchanged(ByteSpan base, std::size_t group_bytes, MutableByteSpan out,
                    const DeltaFloatsScratch& scratch) {
  std::size_t next = 0;
  const auto copy_until = [&](std::size_t group) {
    const std::size_t at = next * group_bytes;
    std::copy_n(base.data() + at, (group - next) * group_bytes, out.data() + at);
    next = group + 1;
  };
  for (const std::uint32_t group : scratch.groups) copy_until(group);
  copy_until(out.size() / group_bytes);
}

}  // namespace

const DeltaKernels& delta_kernels(DeltaFloat format, Isa isa) {
  const auto index = static_cast<std::size_t>(format);
#if defined(__x86_64__)
  if (isa == Isa::avx512) return kDeltaAvx512[index];
  if (isa == Isa::avx2) return kDeltaAvx2[index];
#endif
  (void)isa;
  return kDeltaScalar[index];
}

DeltaFloatsChoice choose_delta_floats(ByteSpan raw, ByteSpan base, DeltaFloat format,
                                      DeltaFloatsScratch& scratch, Isa isa) {
  const std::size_t groups = raw.size() / group_bytes(format);
  scratch.changed.resize((groups + 63) / 64);
  DeltaCompareJob job = {.values = raw.data(),
                         .base = base.data(),
                         .count = groups,
                         .changed = scratch.changed.data()};
  delta_kernels(format, isa).compare(job);
  list_changed_groups(scratch);
  constexpr double kHeaderBytes = 200;
  const std::size_t differing = scratch.groups.size();
  const std::size_t bitmap = differing < groups ? groups / 8 : 0;
  DeltaFloatsChoice choice;
  choice.estimated_bytes =
      static_cast<double>(bitmap + raw.size() % group_bytes(format)) + kHeaderBytes;
  if (differing == 0) return choice;
  choice.plan = fit_delta_plan(raw, base, scratch.groups, format);
  choice.estimated_bytes +=
      choice.plan->bits_per_value * static_cast<double>(differing * kDeltaGroup) / 8;
  return choice;
}

void encode_delta_floats(ByteSpan raw, ByteSpan base, DeltaFloat format,
                         const DeltaFloatsChoice& choice, DeltaFloatsScratch& scratch,
                         StreamWriter& out, Isa isa) {
  const std::size_t groups = raw.size() / group_bytes(format);
  out.varint(scratch.groups.size());
  if (choice.plan) {
    if (scratch.groups.size() < groups) {
      const ByteSpan bitmap = bytes_of_elements(std::span<const std::uint64_t>(scratch.changed));
      out.append(bitmap.first((groups + 7) / 8));
    }
    encode_groups(raw, base, format, *choice.plan, scratch, out, isa);
  }
  out.append(raw.subspan(groups * group_bytes(format)));
}

Status decode_delta_floats(ByteReader& in, ByteSpan base, DeltaFloat format, MutableByteSpan out,
                           DeltaFloatsScratch& scratch, Isa isa) {
  if (base.size() != out.size()) return fail(Code::corrupt, "a delta's base has another length");
  const std::size_t groups = out.size() / group_bytes(format);
  WEIGHTFS_TRY(read_changed(in, groups, scratch));
  if (scratch.groups.size() < groups) copy_unchanged(base, group_bytes(format), out, scratch);
  if (!scratch.groups.empty()) {
    WEIGHTFS_TRY(decode_groups(in, base, format, out, scratch, isa));
  }
  const MutableByteSpan rest = out.subspan(groups * group_bytes(format));
  const ByteSpan stored = in.bytes(rest.size());
  if (in.failed()) return fail(Code::corrupt, "a delta is cut short");
  std::copy(stored.begin(), stored.end(), rest.begin());
  return {};
}

}  // namespace weightfs::codec
