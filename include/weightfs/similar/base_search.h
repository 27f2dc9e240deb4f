// Chooses the base of a new tensor among candidates, by what the delta would take.
//
// Sketches only propose; the choice is made by coding sampled pieces against those of each
// candidate, and comparing bytes. A base and its delta are cut into blocks alike, from their
// starts, so both must have one dtype and one length; or the new tensor is a function of the base
// (codec/derivation.h), and has as many elements.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"
#include "weightfs/codec/codec.h"
#include "weightfs/similar/sketch_index.h"

namespace weightfs::similar {

// Reads exactly `out` from a tensor's byte `offset_bytes` on.
using ReadTensor = std::function<Status(std::uint64_t offset_bytes, MutableByteSpan out)>;
// The same of a stored tensor.
using ReadStoredTensor =
    std::function<Status(std::uint64_t id, std::uint64_t offset_bytes, MutableByteSpan out)>;

struct NewTensor {
  Dtype dtype = Dtype::opaque;
  std::uint64_t length_bytes = 0;
  ReadTensor read;
};

struct BaseSearchOptions {
  std::size_t piece_count = 4;  // spread evenly over the tensor
  std::size_t piece_bytes = 8192;
  double least_saving = 0.03;  // of what the tensor takes alone; less is not worth a second read
  // The same of what the best base of the same dtype saves, for one of another: it leaves nothing
  // that others could be coded against in blocks of the common length.
  double least_saving_of_source = 0.1;
  std::size_t max_tried = 16;  // candidates, in their order
  codec::Tier tier = codec::Tier::default_tier;
};

// Sizes of the sampled pieces, as parts of their raw size.
struct BaseChoice {
  std::uint64_t id = 0;
  Dtype dtype = Dtype::opaque;  // of the base
  double ratio = 1;             // against the base
  double alone_ratio = 1;
};

// The best base, or nothing where none saves enough. Candidates that could not be a base, and those
// that can't be read, are passed over. An error only if the new tensor can't be read.
Result<std::optional<BaseChoice>> choose_base(const NewTensor& tensor,
                                              std::span<const Candidate> candidates,
                                              const ReadStoredTensor& read_stored,
                                              codec::Scratch& scratch,
                                              const BaseSearchOptions& options = {});

}  // namespace weightfs::similar
