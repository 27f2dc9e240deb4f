// Tensors that may share their bytes: one extent for each range, however many tensors have it.
#pragma once

#include <cstdint>
#include <set>
#include <utility>

#include "layout_builder.h"

namespace weightfs::format {

class SharedExtents {
 public:
  explicit SharedExtents(LayoutBuilder& builder) : builder_(builder) {}

  // The first tensor of a range brings its extent, the others are views of it.
  void add_tensor(Tensor tensor) {
    const bool is_first = ranges_.emplace(tensor.offset_bytes, tensor.length_bytes).second;
    if (is_first && tensor.length_bytes > 0) {
      builder_.add_tensor(std::move(tensor));
    } else {
      builder_.add_view(std::move(tensor));
    }
  }

 private:
  LayoutBuilder& builder_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> ranges_;
};

}  // namespace weightfs::format
