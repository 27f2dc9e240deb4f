// Kernels that gain little from vectors that cannot compress: shared by the instruction sets
// without.
#pragma once

#include <cstring>

#include "plane_kernels.h"

namespace weightfs::codec {
namespace {

template <class Word>
std::byte* keep_nonzero(const std::byte* elements, std::size_t count, std::byte* mask,
                        std::byte* kept) {
  for (std::size_t i = 0; i < count; i += 64, mask += 8) {
    std::uint64_t bits = 0;
    for (unsigned j = 0; j < 64; ++j, elements += sizeof(Word)) {
      Word word;
      std::memcpy(&word, elements, sizeof word);
      std::memcpy(kept, &word, sizeof word);
      kept += word != 0 ? sizeof word : 0;
      bits |= std::uint64_t{word != 0} << j;
    }
    std::memcpy(mask, &bits, sizeof bits);
  }
  return kept;
}

template <class Word>
void spread_nonzero(const std::byte* mask, std::size_t count, const std::byte* kept,
                    std::byte* elements) {
  for (std::size_t i = 0; i < count; i += 64, mask += 8) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, mask, sizeof bits);
    for (unsigned j = 0; j < 64; ++j, elements += sizeof(Word)) {
      Word word;
      std::memcpy(&word, kept, sizeof word);
      // Without a branch, which no CPU could foresee.
      const std::uint64_t is_kept = bits >> j & 1;
      word = static_cast<Word>(word & (0 - is_kept));
      kept += is_kept * sizeof word;
      std::memcpy(elements, &word, sizeof word);
    }
  }
}

}  // namespace
}  // namespace weightfs::codec
