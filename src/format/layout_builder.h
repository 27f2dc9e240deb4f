// Collects what a parser finds and turns it into a layout that holds its invariants.
//
// Owned by one parse() and used by one thread. Errors are remembered: a parser may add everything
// and ask once, at finish().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weightfs/tensor/layout.h"

namespace weightfs::format {

class LayoutBuilder {
 public:
  // `format` is what inspect shows.
  LayoutBuilder(std::string_view format, std::uint64_t size_bytes);

  // For people; long values are cut and late entries dropped (bounds.h).
  void add_metadata(std::string_view key, std::string_view value);
  // A tensor with an extent of its own: offset_bytes and length_bytes say where.
  void add_tensor(Tensor tensor);
  // Like add_tensor, and length_bytes is what dtype and shape ask for.
  void add_dense_tensor(Tensor tensor);
  // A tensor inside of an extent that is added apart, or one without bytes in this file.
  void add_view(Tensor tensor);
  void add_extent(const Extent& extent);
  // Everything that a file inside of this one consists of; names become "file_name/name".
  void add_nested(const Layout& nested, std::uint64_t offset_bytes, std::string_view file_name);
  // Why a part of the file is opaque; the first reason stays.
  void set_opaque_reason(std::string_view reason);

  std::size_t tensor_count() const { return layout_.tensors.size(); }
  bool failed() const { return !error_.empty(); }
  // The layout, with all gaps filled and names made unique ("w", "w#2"); Code::invalid for
  // overlaps, ranges past the end, too many tensors or a shape that does not fit 64 bits.
  Result<Layout> finish() &&;

 private:
  Layout layout_;
  std::uint64_t size_bytes_;
  std::string error_;
};

// The product of `shape`, or nothing if it does not fit.
std::optional<std::uint64_t> element_count_of(const std::vector<std::uint64_t>& shape);
// The bytes of a dense tensor, or nothing if they don't fit.
std::optional<std::uint64_t> tensor_bytes_of(const std::vector<std::uint64_t>& shape, Dtype dtype);

}  // namespace weightfs::format
