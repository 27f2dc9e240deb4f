// Tesseract's .traineddata: a count, one offset for each component, the components one behind the
// other (tessdatamanager.cpp). They are shown and cut apart; the int8 matrices inside of the LSTM
// component have no extents of their own.
#include <algorithm>
#include <array>

#include "layout_builder.h"
#include "parsers.h"

namespace weightfs::format {
namespace {

constexpr std::uint32_t kMaxComponents = 64;
constexpr std::uint32_t kMinComponents = 17;
constexpr std::int64_t kAbsent = -1;

// TessdataType, tessdatamanager.h.
constexpr std::array<std::string_view, 24> kNames = {
    "config",          "unicharset",         "unicharambigs",
    "inttemp",         "pffmtable",          "normproto",
    "punc-dawg",       "word-dawg",          "number-dawg",
    "freq-dawg",       "fixed-length-dawgs", "cube-unicharset",
    "cube-word-dawg",  "shapetable",         "bigram-dawg",
    "unambig-dawg",    "params-model",       "lstm",
    "lstm-punc-dawg",  "lstm-word-dawg",     "lstm-number-dawg",
    "lstm-unicharset", "lstm-recoder",       "version",
};

struct Component {
  std::string name;
  std::uint64_t offset_bytes = 0;
};

// The components that are there, in the order of their offsets, which is that of their numbers;
// nothing where the table is none.
std::optional<std::vector<Component>> read_table(ByteSpan head, std::uint64_t size_bytes) {
  ByteReader in(head);
  const std::uint32_t count = in.u32();
  if (count < kMinComponents || count > kMaxComponents) return std::nullopt;
  const std::uint64_t table_end = sizeof(std::uint32_t) + count * sizeof(std::int64_t);
  std::vector<Component> components;
  std::uint64_t next = table_end;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::int64_t offset = in.i64();
    if (offset == kAbsent) continue;
    const auto offset_bytes = static_cast<std::uint64_t>(offset);
    const bool is_first = components.empty();
    if (in.failed() || offset_bytes < next || offset_bytes >= size_bytes) return std::nullopt;
    if (is_first && offset_bytes != table_end) return std::nullopt;
    next = offset_bytes + 1;
    components.push_back({.name = i < kNames.size() ? std::string(kNames[i]) : std::to_string(i),
                          .offset_bytes = offset_bytes});
  }
  return components.empty() ? std::nullopt : std::optional(std::move(components));
}

class TesseractParser final : public Parser {
 public:
  std::string_view name() const override { return "tesseract"; }

  Confidence detect(const ParseInput& input) const override {
    return read_table(input.head, input.source.size_bytes()) ? Confidence::certain
                                                             : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const std::uint64_t size_bytes = input.source.size_bytes();
    const auto components = read_table(input.head, size_bytes);
    if (!components) return fail(Code::invalid, "the table of components is broken");
    LayoutBuilder builder(name(), size_bytes);
    for (std::size_t i = 0; i < components->size(); ++i) {
      const Component& component = (*components)[i];
      const bool is_last = i + 1 == components->size();
      const std::uint64_t end = is_last ? size_bytes : (*components)[i + 1].offset_bytes;
      const std::uint64_t length_bytes = end - component.offset_bytes;
      builder.add_extent({.offset_bytes = component.offset_bytes, .length_bytes = length_bytes});
      builder.add_metadata(component.name, std::to_string(length_bytes) + " bytes");
    }
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& tesseract_parser() {
  static const TesseractParser kParser;
  return kParser;
}

}  // namespace weightfs::format
