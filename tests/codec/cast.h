// Derivations applied to vectors of elements.
#pragma once

#include <span>
#include <vector>

#include "derive.h"

namespace weightfs::codec {

using Cast = void (*)(ByteSpan, MutableByteSpan);

template <class To, class From>
std::vector<To> cast(Cast function, const std::vector<From>& from) {
  std::vector<To> to(from.size());
  function(std::as_bytes(std::span(from)), std::as_writable_bytes(std::span(to)));
  return to;
}

}  // namespace weightfs::codec
