#include "rans.h"
#include "rans_coded.h"

namespace weightfs::codec {

RansContextModel RansContextModel::from_counts(
    const std::array<std::array<std::uint32_t, kRansContextSymbols>, kRansContexts>& counts) {
  RansContextModel model;
  for (std::size_t context = 0; context < kRansContexts; ++context) {
    quantise_frequencies(counts[context], model.frequency[context]);
  }
  return model;
}

namespace {

RansTable as_table(const std::array<std::uint8_t, kRansContextSymbols>& frequency) {
  RansTable table;
  std::copy(frequency.begin(), frequency.end(), table.frequency.begin());
  return table;
}

Result<RansContextModel> read_context_model(ByteReader& in) {
  RansContextModel model;
  for (auto& frequency : model.frequency) {
    WEIGHTFS_ASSIGN(const RansTable table, RansTable::read(in));
    const auto* end = table.frequency.begin() + kRansContextSymbols;
    if (table.escape_frequency != 0 ||
        std::any_of(end, table.frequency.end(), [](auto f) { return f != 0; })) {
      return fail(Code::corrupt, "a context's rANS table is damaged");
    }
    std::copy(table.frequency.begin(), end, frequency.begin());
  }
  return model;
}

RansContextEncodeTable encode_table(const RansContextModel& model) {
  RansContextEncodeTable table{};
  std::size_t code = 0;
  for (const auto& frequency : model.frequency) {
    unsigned start = 0;
    for (const std::uint8_t f : frequency) {
      const std::uint16_t reciprocal = rans_reciprocal(f);
      table.frequency[code] = f;
      table.start[code] = static_cast<std::uint8_t>(start);
      table.reciprocal_low[code] = static_cast<std::uint8_t>(reciprocal);
      table.reciprocal_high[code++] = static_cast<std::uint8_t>(reciprocal >> 8);
      start += f;
    }
  }
  return table;
}

RansContextDecodeTable decode_table(const RansContextModel& model) {
  RansContextDecodeTable table{};
  for (std::size_t context = 0; context < kRansContexts; ++context) {
    unsigned slot = 0;
    for (unsigned symbol = 0; symbol < kRansContextSymbols; ++symbol) {
      const unsigned f = model.frequency[context][symbol];
      table.frequency[context * kRansContextSymbols + symbol] = static_cast<std::uint8_t>(f);
      table.start[context * kRansContextSymbols + symbol] = static_cast<std::uint8_t>(slot);
      for (unsigned i = 0; i < f; ++i) {
        table.symbol[context * kRansSlots + slot++] = static_cast<std::uint8_t>(symbol);
      }
    }
  }
  return table;
}

}  // namespace

void encode_rans_contexts(MutableByteSpan codes, const RansContextModel& model,
                          RansScratch& scratch, StreamWriter& out, Isa isa) {
  pad_with_last(codes);
  const std::size_t count = rans_padded(codes.size());
  const RansLanes lanes = RansLanes::for_count(count);
  out.u8(static_cast<std::uint8_t>(lanes.code << 4));
  for (const auto& frequency : model.frequency) as_table(frequency).write(out);

  const RansContextEncodeTable table = encode_table(model);
  const MutableByteSpan bytes = scratch.bytes.get(count);
  RansStates states;
  RansContextEncodeJob job = {.codes = codes.data(),
                              .count = count,
                              .states = states.of_lane.data(),
                              .lanes = lanes.count(),
                              .table = &table,
                              .out = bytes.data() + count};
  lanes.kernels(isa).encode_contexts(job);
  write_rans_coded(bytes.subspan(static_cast<std::size_t>(job.out - bytes.data())), states, lanes,
                   out);
}

Result<RansContextStream> read_rans_contexts(ByteReader& in) {
  const unsigned header = in.u8();
  const RansLanes lanes = {header >> 4};
  if (in.failed() || (header & 15) != 0 || !lanes.is_valid()) {
    return fail(Code::corrupt, "a rANS stream's header is damaged");
  }
  WEIGHTFS_ASSIGN(const RansContextModel model, read_context_model(in));
  WEIGHTFS_ASSIGN(const RansCoded coded, read_rans_coded(in, lanes));
  return RansContextStream{.lanes = lanes, .table = decode_table(model), .coded = coded};
}

RansContextDecodeJob RansContextStream::job(std::size_t count) {
  return {.in = nullptr,
          .in_end = nullptr,
          .states = coded.states.of_lane.data(),
          .lanes = lanes.count(),
          .table = &table,
          .contexts = nullptr,
          .symbols = nullptr,
          .count = count};
}

bool RansContextStream::decode(MutableByteSpan contexts, MutableByteSpan symbols, Isa isa) {
  pad_with_last(contexts);
  RansContextDecodeJob decoding = job(rans_padded(symbols.size()));
  decoding.contexts = contexts.data();
  decoding.symbols = symbols.data();
  const RansContextDecode kernel = lanes.kernels(isa).decode_contexts;
  const bool ended = run_rans_decoder(decoding, coded.bytes, [&] { kernel(decoding); });
  return ended && is_finished();
}

Status decode_rans_contexts(ByteReader& in, MutableByteSpan contexts, MutableByteSpan symbols,
                            Isa isa) {
  WEIGHTFS_ASSIGN(RansContextStream stream, read_rans_contexts(in));
  if (!stream.decode(contexts, symbols, isa)) {
    return fail(Code::corrupt, "a rANS stream does not come out even");
  }
  return {};
}

}  // namespace weightfs::codec
