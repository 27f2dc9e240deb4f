// libFuzzer target for one format parser: WEIGHTFS_FUZZ_PARSER is the function that gives it.
// Whatever the bytes are, the parser refuses them or gives a layout that covers them.
#include <algorithm>
#include <cstdlib>

#include "parsers.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::format {
namespace {

void parse_alone(ByteSpan file) {
  const SpanSource source(file);
  const ParseInput input{
      .source = source, .head = file.first(std::min(file.size(), kHeadBytes)), .name = "fuzzed"};
  const Parser& parser = WEIGHTFS_FUZZ_PARSER();
  (void)parser.detect(input);
  const Result<Layout> layout = parser.parse(input);
  if (layout && !validated(*layout, file.size())) std::abort();
}

}  // namespace
}  // namespace weightfs::format

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  weightfs::format::parse_alone(std::as_bytes(std::span(data, size)));
  return 0;
}
