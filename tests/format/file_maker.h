// Hand-made files: bytes, pickles, zip and tar files, as their formats' documents say.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/format/format.h"

namespace weightfs::format::testing {

// Little-endian.
class Bytes {
 public:
  Bytes& text(std::string_view value) {
    data_.append(value);
    return *this;
  }
  Bytes& u8(std::uint8_t value) { return number(value); }
  Bytes& u16(std::uint16_t value) { return number(value); }
  Bytes& u32(std::uint32_t value) { return number(value); }
  Bytes& u64(std::uint64_t value) { return number(value); }
  Bytes& i64(std::int64_t value) { return number(static_cast<std::uint64_t>(value)); }
  Bytes& zeros(std::size_t count) {
    data_.append(count, '\0');
    return *this;
  }
  // Zeros up to a multiple of `alignment`.
  Bytes& align(std::size_t alignment) {
    return zeros((alignment - data_.size() % alignment) % alignment);
  }
  std::size_t size() const { return data_.size(); }
  const std::string& str() const { return data_; }

 private:
  template <class T>
  Bytes& number(T value) {
    data_.append(text_of(bytes_of_elements(std::span<const T>(&value, 1))));
    return *this;
  }
  std::string data_;
};

// Opcodes of protocol 2 and later (pickletools.py).
class Pickle {
 public:
  explicit Pickle(std::uint8_t protocol = 2) { out_.u8(0x80).u8(protocol); }
  Pickle& op(std::string_view opcodes) {
    out_.text(opcodes);
    return *this;
  }
  Pickle& global(std::string_view module, std::string_view name) {
    out_.text("c").text(module).text("\n").text(name).text("\n");
    return *this;
  }
  Pickle& text(std::string_view value) {
    out_.text("X").u32(static_cast<std::uint32_t>(value.size())).text(value);
    return *this;
  }
  Pickle& bytes(std::string_view value) {
    out_.text("B").u32(static_cast<std::uint32_t>(value.size())).text(value);
    return *this;
  }
  Pickle& integer(std::uint32_t value) {
    out_.text("J").u32(value);
    return *this;
  }
  // A tuple of small integers.
  Pickle& tuple(const std::vector<std::uint32_t>& values) {
    op("(");
    for (const std::uint32_t value : values) integer(value);
    return op("t");
  }
  std::string stop() { return out_.text(".").str(); }
  std::string str() const { return out_.str(); }

 private:
  Bytes out_;
};

struct FileEntry {
  std::string name;
  std::string content;
  std::uint16_t method = 0;  // as a zip file says it; the content is stored either way
};

// A zip file without zip64; each member starts at a multiple of 64, as PyTorch's do.
inline std::string make_zip(const std::vector<FileEntry>& entries) {
  Bytes out;
  Bytes directory;
  for (const FileEntry& entry : entries) {
    const auto size = static_cast<std::uint32_t>(entry.content.size());
    const auto name_bytes = static_cast<std::uint16_t>(entry.name.size());
    const auto offset = static_cast<std::uint32_t>(out.size());
    const auto padding =
        static_cast<std::uint16_t>((64 - (out.size() + 30 + name_bytes) % 64) % 64);
    out.u32(0x04034b50).u16(20).u16(0).u16(entry.method).u32(0).u32(0).u32(size).u32(size);
    out.u16(name_bytes).u16(padding).text(entry.name).zeros(padding).text(entry.content);
    directory.u32(0x02014b50).u16(20).u16(20).u16(0).u16(entry.method).u32(0).u32(0);
    directory.u32(size).u32(size).u16(name_bytes).u16(0).u16(0).u16(0).u16(0).u32(0).u32(offset);
    directory.text(entry.name);
  }
  const auto begin = static_cast<std::uint32_t>(out.size());
  const auto count = static_cast<std::uint16_t>(entries.size());
  out.text(directory.str()).u32(0x06054b50).u16(0).u16(0).u16(count).u16(count);
  return out.u32(static_cast<std::uint32_t>(directory.size())).u32(begin).u16(0).str();
}

inline std::string octal(std::uint64_t value, int digits) {
  std::string text(static_cast<std::size_t>(digits), '0');
  for (std::size_t i = text.size(); i-- > 0; value /= 8)
    text[i] = static_cast<char>('0' + value % 8);
  return text;
}

inline std::string make_tar(const std::vector<FileEntry>& entries) {
  Bytes out;
  for (const FileEntry& entry : entries) {
    std::string header = entry.name;
    header.resize(512);
    header.replace(124, 11, octal(entry.content.size(), 11));
    header[156] = '0';
    header.replace(148, 8, "        ");
    std::uint64_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    header.replace(148, 6, octal(sum, 6));
    header[154] = '\0';
    out.text(header).text(entry.content).align(512);
  }
  return out.zeros(1024).str();
}

inline Layout detect(const std::string& file, std::string_view name = "file") {
  const SpanSource source{bytes_of(file)};
  return detect_layout(source, name);
}

inline std::string content_of(const std::string& file, const Tensor& tensor) {
  return file.substr(tensor.offset_bytes, tensor.length_bytes);
}

inline const Tensor* find_tensor(const Layout& layout, std::string_view name) {
  for (const Tensor& tensor : layout.tensors) {
    if (tensor.name == name) return &tensor;
  }
  return nullptr;
}

// The extents that are not opaque.
inline std::vector<Extent> typed_extents(const Layout& layout) {
  std::vector<Extent> typed;
  for (const Extent& extent : layout.extents) {
    if (extent.dtype != Dtype::opaque) typed.push_back(extent);
  }
  return typed;
}

}  // namespace weightfs::format::testing
