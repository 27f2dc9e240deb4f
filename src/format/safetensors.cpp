// safetensors: u64 header length, JSON header, tensors without gaps up to the end of the file.
// https://huggingface.co/docs/safetensors, "Format".
#include <algorithm>
#include <unordered_set>

#include "bounds.h"
#include "layout_builder.h"
#include "parsers.h"
#include "safetensors_header.h"
#include "source_io.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr std::uint64_t kPrologueBytes = 8;

std::uint64_t header_length_of(ByteSpan head) {
  return load_unaligned<std::uint64_t>(head.data());
}

Status check_names(const std::vector<Tensor>& tensors) {
  std::unordered_set<std::string_view> names;
  names.reserve(tensors.size());
  for (const Tensor& tensor : tensors) {
    if (!names.insert(tensor.name).second) {
      return fail(Code::invalid, "tensor " + tensor.name + " is there twice");
    }
  }
  return {};
}

// Each tensor has the bytes that its dtype and shape ask for, and starts where the last one ends.
Status check_ranges(const std::vector<Tensor>& tensors, std::uint64_t data_bytes) {
  std::uint64_t position = 0;
  for (const Tensor& tensor : tensors) {
    const auto expected_bytes = tensor_bytes_of(tensor.shape, tensor.dtype);
    if (expected_bytes != tensor.length_bytes) {
      return fail(Code::invalid, "the size of tensor " + tensor.name + " is wrong");
    }
    if (tensor.offset_bytes != position) {
      return fail(Code::invalid, "tensor " + tensor.name + " leaves a gap or overlaps");
    }
    position += tensor.length_bytes;
    if (position > data_bytes) return fail(Code::invalid, "the file is truncated");
  }
  if (position != data_bytes) return fail(Code::invalid, "there is more data than tensors");
  return {};
}

Status sort_and_check(std::vector<Tensor>& tensors, std::uint64_t data_bytes) {
  WEIGHTFS_TRY(check_names(tensors));
  std::sort(tensors.begin(), tensors.end(), [](const Tensor& a, const Tensor& b) {
    return std::tie(a.offset_bytes, a.length_bytes, a.name) <
           std::tie(b.offset_bytes, b.length_bytes, b.name);
  });
  return check_ranges(tensors, data_bytes);
}

class SafetensorsParser final : public Parser {
 public:
  std::string_view name() const override { return "safetensors"; }

  Confidence detect(const ParseInput& input) const override {
    if (input.head.size() < kPrologueBytes + 2) return Confidence::none;
    if (static_cast<char>(input.head[kPrologueBytes]) != '{') return Confidence::none;
    const std::uint64_t header_bytes = header_length_of(input.head);
    if (range_fits(kPrologueBytes, header_bytes, input.source.size_bytes())) {
      return Confidence::certain;
    }
    return header_bytes <= kMaxHeaderBytes ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    if (input.head.size() < kPrologueBytes) return fail(Code::invalid, "the header is cut off");
    const std::uint64_t header_bytes = header_length_of(input.head);
    WEIGHTFS_ASSIGN(const ByteVector json, read_range(input.source, kPrologueBytes, header_bytes));
    WEIGHTFS_ASSIGN(SafetensorsHeader header, parse_safetensors_header(text_of(json)));
    const std::uint64_t data_begin = kPrologueBytes + header_bytes;
    WEIGHTFS_TRY(sort_and_check(header.tensors, input.source.size_bytes() - data_begin));

    LayoutBuilder builder(name(), input.source.size_bytes());
    for (const auto& [key, value] : header.metadata) builder.add_metadata(key, value);
    for (Tensor& tensor : header.tensors) {
      tensor.offset_bytes += data_begin;
      builder.add_tensor(std::move(tensor));
    }
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& safetensors_parser() {
  static const SafetensorsParser kParser;
  return kParser;
}

}  // namespace weightfs::format
