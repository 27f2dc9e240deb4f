#include "rans.h"

#include "escapes.h"
#include "rans_coded.h"

namespace weightfs::codec {
namespace {

constexpr std::size_t kGroupBits = 3;
// Set in a header, lest streams with groups of another size be misread.
constexpr unsigned kSeveralTables = 8;

std::size_t group_count(std::size_t symbols) {
  return (symbols + kRansGroup - 1) / kRansGroup;
}
std::size_t packed_groups_size(std::size_t groups) {
  return (groups * kGroupBits + 7) / 8;
}

void write_groups(ByteSpan table_of_group, StreamWriter& out) {
  const MutableByteSpan packed = out.extend(packed_groups_size(table_of_group.size()));
  std::fill(packed.begin(), packed.end(), std::byte{0});
  for (std::size_t i = 0; i < table_of_group.size() && !out.failed(); ++i) {
    const std::size_t bit = i * kGroupBits;
    const auto shifted = std::to_integer<unsigned>(table_of_group[i]) << (bit % 8);
    packed[bit / 8] |= static_cast<std::byte>(shifted);
    if (shifted > 255) packed[bit / 8 + 1] |= static_cast<std::byte>(shifted >> 8);
  }
}

// The table of each of `groups` groups, into the scratch; all zero where there is one table.
Result<ByteSpan> read_groups(ByteReader& in, std::size_t groups, std::size_t tables,
                             RansScratch& scratch) {
  const MutableByteSpan table_of_group = scratch.groups.get(groups);
  std::fill(table_of_group.begin(), table_of_group.end(), std::byte{0});
  if (tables == 1) return ByteSpan(table_of_group);
  const ByteSpan packed = in.bytes(packed_groups_size(groups));
  if (in.failed()) return fail(Code::corrupt, "a rANS stream is cut short");
  for (std::size_t i = 0; i < groups; ++i) {
    const std::size_t bit = i * kGroupBits;
    unsigned value = std::to_integer<unsigned>(packed[bit / 8]);
    if (bit % 8 > 8 - kGroupBits) value |= std::to_integer<unsigned>(packed[bit / 8 + 1]) << 8;
    const unsigned table = (value >> (bit % 8)) & 7;
    if (table >= tables) return fail(Code::corrupt, "a rANS group names no table");
    table_of_group[i] = static_cast<std::byte>(table);
  }
  return ByteSpan(table_of_group);
}

// Writes the model, and returns the table of each group.
ByteSpan write_model(const RansModel& model, std::size_t groups, RansScratch& scratch,
                     StreamWriter& out) {
  for (std::size_t i = 0; i < model.table_count; ++i) model.tables[i].write(out);
  if (model.table_count > 1) {
    const ByteSpan table_of_group = ByteSpan(model.table_of_group).first(groups);
    write_groups(table_of_group, out);
    return table_of_group;
  }
  const MutableByteSpan zeros = scratch.groups.get(groups);
  std::fill(zeros.begin(), zeros.end(), std::byte{0});
  return zeros;
}

using DecodeTables = std::array<RansDecodeTable, kRansMaxTables>;

Status read_tables(ByteReader& in, std::size_t count, DecodeTables& tables) {
  for (std::size_t i = 0; i < count; ++i) {
    WEIGHTFS_ASSIGN(const RansTable table, RansTable::read(in));
    tables[i] = RansDecodeTable(table);
  }
  return {};
}

}  // namespace

void encode_rans_plane(MutableByteSpan symbols, const RansModel& model, RansScratch& scratch,
                       StreamWriter& out, Isa isa) {
  pad_with_last(symbols);
  const std::size_t count = rans_padded(symbols.size());
  const RansLanes lanes = RansLanes::for_count(count);
  const unsigned several = model.table_count > 1 ? kSeveralTables : 0;
  out.u8(static_cast<std::uint8_t>((model.table_count - 1) | several | (lanes.code << 4)));
  const ByteSpan table_of_group = write_model(model, group_count(count), scratch, out);
  std::array<RansEncodeTable, kRansMaxTables> tables;
  for (std::size_t i = 0; i < model.table_count; ++i) tables[i] = RansEncodeTable(model.tables[i]);

  const MutableByteSpan bytes = scratch.bytes.get(count);
  const MutableByteSpan escapes = scratch.escapes.get(count);
  RansStates states;
  RansEncodeJob job = {.symbols = symbols.data(),
                       .count = count,
                       .states = states.of_lane.data(),
                       .lanes = lanes.count(),
                       .tables = tables.data(),
                       .table_of_group = table_of_group.data(),
                       .out = bytes.data() + count,
                       .escapes = escapes.data() + count};
  lanes.kernels(isa).encode(job);
  write_rans_coded(bytes.subspan(static_cast<std::size_t>(job.out - bytes.data())), states, lanes,
                   out);
  write_escapes(escapes.subspan(static_cast<std::size_t>(job.escapes - escapes.data())), out);
}

Status decode_rans_plane(ByteReader& in, MutableByteSpan symbols, RansScratch& scratch, Isa isa) {
  const unsigned header = in.u8();
  const RansLanes lanes = {header >> 4};
  const std::size_t table_count = (header & 7) + 1;
  const bool several = (header & kSeveralTables) != 0;
  if (in.failed() || several != (table_count > 1) || !lanes.is_valid()) {
    return fail(Code::corrupt, "a rANS stream's header is damaged");
  }
  const std::size_t count = rans_padded(symbols.size());
  DecodeTables tables;
  WEIGHTFS_TRY(read_tables(in, table_count, tables));
  WEIGHTFS_ASSIGN(const ByteSpan table_of_group,
                  read_groups(in, group_count(count), table_count, scratch));
  WEIGHTFS_ASSIGN(RansCoded coded, read_rans_coded(in, lanes));
  WEIGHTFS_ASSIGN(const ByteSpan escapes, read_escapes(in, count, scratch.escapes));

  RansDecodeJob job = {.in = nullptr,
                       .in_end = nullptr,
                       .escapes = escapes.data(),
                       .escapes_end = escapes.data() + escapes.size(),
                       .states = coded.states.of_lane.data(),
                       .lanes = lanes.count(),
                       .tables = tables.data(),
                       .table_of_group = table_of_group.data(),
                       .symbols = symbols.data(),
                       .count = count};
  const RansDecode decode = lanes.kernels(isa).decode;
  const bool ended = run_rans_decoder(job, coded.bytes, [&] { decode(job); });
  if (!ended || job.escapes != job.escapes_end || !coded.states.are_finished(lanes)) {
    return fail(Code::corrupt, "a rANS stream does not come out even");
  }
  return {};
}

}  // namespace weightfs::codec
