// libFuzzer target for parsers that learn a file's layout from a neighbour. The input is the length
// of the file (four bytes), the file, and the neighbour.
//
// WEIGHTFS_FUZZ_PARSER is the function that gives the parser, WEIGHTFS_FUZZ_FILE_NAME and
// WEIGHTFS_FUZZ_NEIGHBOUR_NAME what the two are called.
#include <algorithm>
#include <cstdlib>

#include "parsers.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::format {
namespace {

class OneNeighbour final : public Neighbours {
 public:
  explicit OneNeighbour(ByteSpan bytes) : bytes_(bytes) {}
  std::shared_ptr<const ByteSource> open(std::string_view) const override {
    return std::make_shared<SpanSource>(bytes_);
  }
  std::vector<std::string> names() const override { return {WEIGHTFS_FUZZ_NEIGHBOUR_NAME}; }

 private:
  ByteSpan bytes_;
};

void parse_pair(ByteSpan input) {
  if (input.size() < 4) return;
  const std::size_t rest_bytes = input.size() - 4;
  const std::size_t file_bytes =
      std::min<std::size_t>(load_unaligned<std::uint32_t>(input.data()), rest_bytes);
  const ByteSpan file = input.subspan(4, file_bytes);
  const SpanSource source(file);
  const OneNeighbour neighbours(input.subspan(4 + file_bytes));
  const ParseInput parse_input{.source = source,
                               .head = file.first(std::min(file.size(), kHeadBytes)),
                               .name = WEIGHTFS_FUZZ_FILE_NAME,
                               .neighbours = &neighbours};
  const Parser& parser = WEIGHTFS_FUZZ_PARSER();
  if (parser.detect(parse_input) == Confidence::none) return;
  const Result<Layout> layout = parser.parse(parse_input);
  if (layout && !validated(*layout, file.size())) std::abort();
}

}  // namespace
}  // namespace weightfs::format

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weightfs::format::parse_pair(std::as_bytes(std::span(data, size)));
  return 0;
}
