// What holds for every parser, over the whole corpus: the tensors that INDEX.tsv counts are found,
// and no damage to a file does more than make it opaque.
#include <gtest/gtest.h>

#include <random>

#include "corpus.h"

namespace weightfs::format {
namespace {

using testing::CorpusFile;
using testing::DtypeTotals;

constexpr std::size_t kTruncations = 60;
constexpr std::size_t kMutations = 120;
// Damage is done to the parts that parsers read: mostly the two ends.
constexpr std::size_t kEndBytes = 4096;

// The bytes of a tensor that another file has are those that its shape asks for.
std::uint64_t tensor_bytes(const Tensor& tensor) {
  if (!tensor.note.starts_with("external")) return tensor.length_bytes;
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : tensor.shape) count *= dimension;
  return dtype_bytes(tensor.dtype, count).value_or(0);
}

DtypeTotals totals_of(const Layout& layout) {
  DtypeTotals totals;
  for (const Tensor& tensor : layout.tensors) {
    auto& total = totals[std::string(dtype_name(tensor.dtype))];
    ++total.tensors;
    total.bytes += tensor_bytes(tensor);
  }
  // How long strings are only the other file knows.
  if (totals.contains("STRING")) totals["STRING"].bytes = 0;
  return totals;
}

DtypeTotals expected_totals(const CorpusFile& file) {
  DtypeTotals totals = file.dtypes;
  if (totals.contains("STRING")) totals["STRING"].bytes = 0;
  return totals;
}

class Corpus : public ::testing::TestWithParam<CorpusFile> {
 protected:
  Layout detect(const std::string& bytes) const {
    const SpanSource source{bytes_of(bytes)};
    return detect_layout(source, path_.filename().string(), &neighbours_);
  }

  const std::filesystem::path path_ = testing::corpus_directory() / GetParam().path;
  const testing::DirectoryNeighbours neighbours_{path_.parent_path()};
  const std::string bytes_ = testing::read_file(path_);
};

TEST_P(Corpus, HasTheTensorsThatItsIndexCounts) {
  ASSERT_FALSE(bytes_.empty()) << path_;
  const Layout layout = detect(bytes_);
  const Status status = validated(layout, bytes_.size());
  ASSERT_TRUE(status) << status.error().message;
  if (GetParam().tensors == 0) return;
  EXPECT_EQ(layout.tensors.size(), GetParam().tensors) << layout.opaque_reason;
  if (!GetParam().dtypes.empty()) {
    EXPECT_EQ(totals_of(layout), expected_totals(GetParam())) << layout.opaque_reason;
  }
}

TEST_P(Corpus, IsCoveredWhereverItIsCutOff) {
  for (std::size_t i = 0; i < kTruncations; ++i) {
    const std::string cut = bytes_.substr(0, bytes_.size() * i / kTruncations);
    const Layout layout = detect(cut);
    ASSERT_TRUE(validated(layout, cut.size())) << "cut to " << cut.size();
  }
}

TEST_P(Corpus, IsCoveredWhateverBytesAreWrong) {
  std::mt19937 random(1);
  for (std::size_t i = 0; i < kMutations; ++i) {
    std::string damaged = bytes_;
    for (int flips = 0; flips < 4; ++flips) {
      const std::size_t near = std::min(damaged.size(), kEndBytes);
      const std::size_t at = random() % near;
      const bool at_end = random() % 2 == 0;
      damaged[at_end ? damaged.size() - 1 - at : at] = static_cast<char>(random());
    }
    const Layout layout = detect(damaged);
    ASSERT_TRUE(validated(layout, damaged.size())) << "mutation " << i;
  }
}

std::string test_name(const ::testing::TestParamInfo<CorpusFile>& info) {
  std::string name = std::to_string(info.index) + "_" + info.param.path;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Index, Corpus, ::testing::ValuesIn(testing::corpus_files()), test_name);

TEST(CorpusIndex, IsThere) {
  EXPECT_GT(testing::corpus_files().size(), 100U);
}

}  // namespace
}  // namespace weightfs::format
