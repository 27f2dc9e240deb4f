// What the fuzzers start from and what they have found (tests/data/fuzz/format-*), once more: every
// parser refuses each file or gives a layout that covers it.
#include <gtest/gtest.h>

#include "corpus.h"

namespace weightfs::format {
namespace {

std::vector<std::filesystem::path> seeds() {
  std::vector<std::filesystem::path> files;
  const auto root = std::filesystem::path(WEIGHTFS_SOURCE_ROOT) / "tests" / "data" / "fuzz";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const bool is_format = entry.path().parent_path().filename().string().starts_with("format-");
    if (entry.is_regular_file() && is_format) files.push_back(entry.path());
  }
  return files;
}

TEST(FuzzCorpus, IsRefusedOrCoveredByEveryParser) {
  const auto files = seeds();
  ASSERT_GT(files.size(), 50U);
  for (const auto& path : files) {
    const testing::StringSource source(testing::read_file(path));
    const ByteVector head = [&] {
      ByteVector bytes(std::min<std::uint64_t>(source.size_bytes(), kHeadBytes));
      EXPECT_TRUE(source.read_at(0, bytes));
      return bytes;
    }();
    const ParseInput input{.source = source, .head = head, .name = "seed"};
    for (const Parser* parser : all_parsers()) {
      const Result<Layout> layout = parser->parse(input);
      if (!layout) continue;
      EXPECT_TRUE(validated(*layout, source.size_bytes())) << parser->name() << ": " << path;
    }
  }
}

TEST(FuzzCorpus, IsCoveredByTheLayoutThatIsDetected) {
  for (const auto& path : seeds()) {
    const testing::StringSource source(testing::read_file(path));
    EXPECT_TRUE(validated(detect_layout(source, "seed"), source.size_bytes())) << path;
  }
}

}  // namespace
}  // namespace weightfs::format
