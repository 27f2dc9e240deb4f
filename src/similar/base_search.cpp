#include "weightfs/similar/base_search.h"

#include <algorithm>

#include "weightfs/codec/derivation.h"

namespace weightfs::similar {
namespace {

// Where the pieces lie that are read of a tensor: whole units, evenly spread.
struct Pieces {
  std::vector<std::uint64_t> offsets;
  std::size_t piece_bytes = 0;

  std::size_t total_bytes() const { return offsets.size() * piece_bytes; }
};

Pieces choose_pieces(const NewTensor& tensor, const BaseSearchOptions& options) {
  const std::uint64_t unit = std::max(1U, dtype_layout(tensor.dtype).unit_bytes);
  const std::uint64_t most = std::size_t{codec::kMaxBlockBytes};
  const std::uint64_t count = std::max<std::size_t>(1, options.piece_count);
  const std::uint64_t wanted = std::min<std::uint64_t>(options.piece_bytes, most / count);
  Pieces pieces;
  if (tensor.length_bytes <= wanted * count) {
    pieces.piece_bytes = static_cast<std::size_t>(tensor.length_bytes);
    pieces.offsets = {0};
    return pieces;
  }
  pieces.piece_bytes = static_cast<std::size_t>(wanted / unit * unit);
  const std::uint64_t last_start = (tensor.length_bytes - pieces.piece_bytes) / unit;
  for (std::uint64_t i = 0; i < count; ++i) {
    pieces.offsets.push_back((2 * i + 1) * (last_start / (2 * count)) * unit);
  }
  return pieces;
}

Status read_pieces(const ReadTensor& read, const Pieces& pieces, MutableByteSpan out) {
  for (std::size_t i = 0; i < pieces.offsets.size(); ++i) {
    WEIGHTFS_TRY(read(pieces.offsets[i], out.subspan(i * pieces.piece_bytes, pieces.piece_bytes)));
  }
  return {};
}

double ratio_of(ByteSpan raw, const codec::EncodeOptions& options, codec::Scratch& scratch) {
  const std::size_t size = codec::encode_block(raw, options, scratch).bytes.size();
  return static_cast<double>(size) / static_cast<double>(raw.size());
}

bool is_possible(const Candidate& candidate, const NewTensor& tensor) {
  if (candidate.dtype == tensor.dtype) return candidate.length_bytes == tensor.length_bytes;
  return codec::is_derivable(candidate.dtype, tensor.dtype) &&
         candidate.length_bytes ==
             codec::source_bytes(candidate.dtype, tensor.dtype, tensor.length_bytes);
}

// Where the same elements lie in a tensor of another dtype.
Pieces pieces_of_source(Dtype from, Dtype to, const Pieces& pieces) {
  if (from == to) return pieces;
  Pieces source;
  source.piece_bytes = static_cast<std::size_t>(codec::source_bytes(from, to, pieces.piece_bytes));
  for (const std::uint64_t offset : pieces.offsets) {
    source.offsets.push_back(codec::source_bytes(from, to, offset));
  }
  return source;
}

}  // namespace

Result<std::optional<BaseChoice>> choose_base(const NewTensor& tensor,
                                              std::span<const Candidate> candidates,
                                              const ReadStoredTensor& read_stored,
                                              codec::Scratch& scratch,
                                              const BaseSearchOptions& options) {
  const Pieces pieces = choose_pieces(tensor, options);
  if (pieces.total_bytes() == 0 || candidates.empty()) return std::nullopt;
  ByteVector sample(pieces.total_bytes());
  WEIGHTFS_TRY(read_pieces(tensor.read, pieces, sample));
  codec::EncodeOptions encode = {.dtype = tensor.dtype, .tier = options.tier};
  BaseChoice best{.id = 0, .ratio = 1, .alone_ratio = ratio_of(sample, encode, scratch)};
  best.ratio = best.alone_ratio * (1 - options.least_saving);
  bool found = false;
  ByteVector base;
  for (const Candidate& candidate :
       candidates.first(std::min(candidates.size(), options.max_tried))) {
    const ReadTensor read = [&](std::uint64_t offset, MutableByteSpan out) {
      return read_stored(candidate.id, offset, out);
    };
    if (!is_possible(candidate, tensor)) continue;
    const Pieces base_pieces = pieces_of_source(candidate.dtype, tensor.dtype, pieces);
    base.resize(base_pieces.total_bytes());
    if (!read_pieces(read, base_pieces, base)) continue;
    encode.base = base;
    encode.base_dtype = candidate.dtype;
    const double ratio = ratio_of(sample, encode, scratch);
    const bool same_dtype = candidate.dtype == tensor.dtype;
    if (ratio >= best.ratio * (same_dtype ? 1 : 1 - options.least_saving_of_source)) continue;
    best.id = candidate.id;
    best.dtype = candidate.dtype;
    best.ratio = ratio;
    found = true;
  }
  return found ? std::optional(best) : std::nullopt;
}

}  // namespace weightfs::similar
