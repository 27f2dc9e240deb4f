#include "weightfs/tensor/layout.h"

#include <algorithm>

#include "weightfs/base/checked.h"

namespace weightfs {
namespace {

// Version 1: varint counts and fields, strings with their length before them.
constexpr std::uint8_t kLayoutVersion = 1;

void write_extent(ByteWriter& out, const Extent& extent) {
  out.varint(extent.length_bytes);  // offsets follow: extents have no gaps
  out.u8(static_cast<std::uint8_t>(extent.dtype));
  out.varint(extent.row_bytes);
}

void write_tensor(ByteWriter& out, const Tensor& tensor) {
  out.prefixed_text(tensor.name);
  out.u8(static_cast<std::uint8_t>(tensor.dtype));
  out.varint(tensor.shape.size());
  for (const std::uint64_t dimension : tensor.shape) out.varint(dimension);
  out.varint(tensor.strides_elements.size());
  for (const std::int64_t stride : tensor.strides_elements) out.i64(stride);
  out.varint(tensor.offset_bytes);
  out.varint(tensor.length_bytes);
  out.prefixed_text(tensor.note);
}

std::string read_text(ByteReader& in) {
  const std::uint64_t length = in.varint();
  return std::string(in.text(length));
}

// A count of things that take at least one byte each, so that a lie can't ask for much memory.
std::uint64_t read_count(ByteReader& in) {
  const std::uint64_t count = in.varint();
  return count <= in.remaining() ? count : (in.seek(~std::size_t{0}), 0);
}

Extent read_extent(ByteReader& in, std::uint64_t& offset_bytes) {
  Extent extent;
  extent.offset_bytes = offset_bytes;
  extent.length_bytes = in.varint();
  extent.dtype = static_cast<Dtype>(in.u8());
  extent.row_bytes = in.varint();
  offset_bytes += extent.length_bytes;
  return extent;
}

Tensor read_tensor(ByteReader& in) {
  Tensor tensor;
  tensor.name = read_text(in);
  tensor.dtype = static_cast<Dtype>(in.u8());
  tensor.shape.resize(read_count(in));
  for (std::uint64_t& dimension : tensor.shape) dimension = in.varint();
  tensor.strides_elements.resize(read_count(in));
  for (std::int64_t& stride : tensor.strides_elements) stride = in.i64();
  tensor.offset_bytes = in.varint();
  tensor.length_bytes = in.varint();
  tensor.note = read_text(in);
  return tensor;
}

}  // namespace

Layout opaque_layout(std::uint64_t size_bytes, std::string reason) {
  Layout layout;
  if (size_bytes > 0) layout.extents.push_back({.offset_bytes = 0, .length_bytes = size_bytes});
  layout.opaque_reason = std::move(reason);
  return layout;
}

Result<std::vector<Extent>> cover_file(std::vector<Extent> extents, std::uint64_t size_bytes) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::pair(a.offset_bytes, a.length_bytes) < std::pair(b.offset_bytes, b.length_bytes);
  });
  std::vector<Extent> covering;
  covering.reserve(extents.size() * 2 + 1);
  std::uint64_t position = 0;
  for (const Extent& extent : extents) {
    if (extent.length_bytes == 0) continue;
    if (extent.offset_bytes < position) return fail(Code::invalid, "tensors overlap");
    if (!range_fits(extent.offset_bytes, extent.length_bytes, size_bytes)) {
      return fail(Code::invalid, "a tensor reaches past the end of the file");
    }
    if (extent.offset_bytes > position) {
      covering.push_back(
          {.offset_bytes = position, .length_bytes = extent.offset_bytes - position});
    }
    covering.push_back(extent);
    position = extent.offset_bytes + extent.length_bytes;
  }
  if (position < size_bytes) {
    covering.push_back({.offset_bytes = position, .length_bytes = size_bytes - position});
  }
  return covering;
}

Status validated(const Layout& layout, std::uint64_t size_bytes) {
  std::uint64_t position = 0;
  for (const Extent& extent : layout.extents) {
    if (extent.offset_bytes != position || extent.length_bytes == 0 ||
        !range_fits(extent.offset_bytes, extent.length_bytes, size_bytes)) {
      return fail(Code::invalid, "the layout does not cover the file");
    }
    position += extent.length_bytes;
  }
  if (position != size_bytes) return fail(Code::invalid, "the layout does not cover the file");
  for (const Tensor& tensor : layout.tensors) {
    if (!range_fits(tensor.offset_bytes, tensor.length_bytes, size_bytes)) {
      return fail(Code::invalid, "tensor " + tensor.name + " lies outside of the file");
    }
  }
  return {};
}

std::uint64_t row_bytes_of(const std::vector<std::uint64_t>& shape, Dtype dtype) {
  if (shape.size() < 2) return 0;
  std::uint64_t elements = 1;
  for (std::size_t i = 1; i < shape.size(); ++i) {
    const auto product = checked_multiply(elements, shape[i]);
    if (!product) return 0;
    elements = *product;
  }
  const DtypeLayout unit = dtype_layout(dtype);
  if (elements % unit.unit_elements != 0) return 0;
  return checked_multiply<std::uint64_t>(elements / unit.unit_elements, unit.unit_bytes)
      .value_or(0);
}

ByteVector serialize_layout(const Layout& layout) {
  ByteWriter out;
  out.u8(kLayoutVersion);
  out.prefixed_text(layout.format);
  out.prefixed_text(layout.opaque_reason);
  out.varint(layout.extents.size());
  for (const Extent& extent : layout.extents) write_extent(out, extent);
  out.varint(layout.tensors.size());
  for (const Tensor& tensor : layout.tensors) write_tensor(out, tensor);
  out.varint(layout.metadata.size());
  for (const auto& [key, value] : layout.metadata) {
    out.prefixed_text(key);
    out.prefixed_text(value);
  }
  return out.take();
}

Result<Layout> parse_layout(ByteSpan bytes) {
  ByteReader in(bytes);
  if (in.at_end()) return fail(Code::corrupt, "a layout is empty");
  if (in.u8() != kLayoutVersion) return fail(Code::newer_version, "a layout of an unknown version");
  Layout layout;
  layout.format = read_text(in);
  layout.opaque_reason = read_text(in);
  std::uint64_t offset_bytes = 0;
  const std::uint64_t extent_count = read_count(in);
  for (std::uint64_t i = 0; i < extent_count && !in.failed(); ++i) {
    layout.extents.push_back(read_extent(in, offset_bytes));
  }
  const std::uint64_t tensor_count = read_count(in);
  for (std::uint64_t i = 0; i < tensor_count && !in.failed(); ++i) {
    layout.tensors.push_back(read_tensor(in));
  }
  const std::uint64_t metadata_count = read_count(in);
  for (std::uint64_t i = 0; i < metadata_count && !in.failed(); ++i) {
    std::string key = read_text(in);
    layout.metadata.emplace_back(std::move(key), read_text(in));
  }
  if (in.failed() || !in.at_end()) return fail(Code::corrupt, "a layout is damaged");
  return layout;
}

}  // namespace weightfs
