// Files made by hand, for what the corpus lacks, and the checks that each parser's test makes on
// them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "corpus.h"
#include "parsers.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::format::testing {

// Neighbours by name.
class MapNeighbours final : public Neighbours {
 public:
  explicit MapNeighbours(std::map<std::string, std::string> files) : files_(std::move(files)) {}
  std::shared_ptr<const ByteSource> open(std::string_view name) const override {
    const auto found = files_.find(std::string(name));
    return found == files_.end() ? nullptr : std::make_shared<StringSource>(found->second);
  }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : files_) names.push_back(name);
    return names;
  }

 private:
  std::map<std::string, std::string> files_;
};

// A file of which only some places are not zero: large, and of no weight.
class SparseSource final : public ByteSource {
 public:
  SparseSource(std::uint64_t size_bytes, std::map<std::uint64_t, std::string> pieces)
      : size_bytes_(size_bytes), pieces_(std::move(pieces)) {}
  std::uint64_t size_bytes() const override { return size_bytes_; }
  Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const override {
    if (offset_bytes + target.size() > size_bytes_) return fail(Code::invalid, "past the end");
    std::fill(target.begin(), target.end(), std::byte{0});
    for (const auto& [piece_offset, piece] : pieces_) {
      for (std::size_t i = 0; i < piece.size(); ++i) {
        const std::uint64_t at = piece_offset + i;
        if (at < offset_bytes || at - offset_bytes >= target.size()) continue;
        target[at - offset_bytes] = static_cast<std::byte>(piece[i]);
      }
    }
    return {};
  }

 private:
  std::uint64_t size_bytes_;
  std::map<std::uint64_t, std::string> pieces_;
};

inline std::string text_of_writer(ByteWriter writer) {
  return std::string(text_of(writer.take()));
}

struct HandMade {
  std::string bytes;
  std::string name = "file";
  std::map<std::string, std::string> neighbours = {};
};

// The layout that the registry finds.
inline Layout layout_of(const HandMade& file) {
  const SpanSource source(bytes_of(file.bytes));
  const MapNeighbours neighbours(file.neighbours);
  return detect_layout(source, file.name, &neighbours);
}

inline const Tensor* find_tensor(const Layout& layout, std::string_view name) {
  const auto found = std::find_if(layout.tensors.begin(), layout.tensors.end(),
                                  [name](const Tensor& tensor) { return tensor.name == name; });
  return found == layout.tensors.end() ? nullptr : &*found;
}

// The bytes of a tensor, which must be there and have an extent of exactly its own range.
inline std::string tensor_bytes_in(const HandMade& file, const Layout& layout,
                                   std::string_view name) {
  const Tensor* tensor = find_tensor(layout, name);
  if (tensor == nullptr) return "no tensor " + std::string(name);
  const bool has_extent =
      std::any_of(layout.extents.begin(), layout.extents.end(), [tensor](const Extent& extent) {
        return extent.offset_bytes == tensor->offset_bytes &&
               extent.length_bytes == tensor->length_bytes && extent.dtype == tensor->dtype;
      });
  if (!has_extent) return "no extent of " + std::string(name);
  return file.bytes.substr(tensor->offset_bytes, tensor->length_bytes);
}

// No cut and no wrong byte does more than make the file opaque.
inline void expect_survives_damage(const HandMade& file) {
  const std::size_t cut_step = std::max<std::size_t>(1, file.bytes.size() / 400);
  for (std::size_t length = 0; length < file.bytes.size(); length += cut_step) {
    HandMade cut = file;
    cut.bytes.resize(length);
    ASSERT_TRUE(validated(layout_of(cut), length)) << "cut to " << length;
  }
  const std::size_t flip_step = std::max<std::size_t>(1, file.bytes.size() / 800);
  for (std::size_t at = 0; at < file.bytes.size(); at += flip_step) {
    for (const char wrong : {'\0', '\x7f', '\xff'}) {
      HandMade damaged = file;
      damaged.bytes[at] = wrong;
      ASSERT_TRUE(validated(layout_of(damaged), damaged.bytes.size())) << "at " << at;
    }
  }
}

// The bytes of 1.0, 2.0, ...
inline std::string floats(std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    char raw[4];
    const auto value = static_cast<float>(i + 1);
    std::memcpy(raw, &value, sizeof raw);
    bytes.append(raw, sizeof raw);
  }
  return bytes;
}

}  // namespace weightfs::format::testing
