#include "weightfs/chunk/cutter.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "weightfs/chunk/fastcdc.h"

namespace weightfs::chunk {
namespace {

ByteVector random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  ByteVector bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

std::vector<Block> cut(const Layout& layout, ByteSpan file) {
  std::vector<Block> blocks;
  Cutter cutter(layout);
  while (!cutter.at_end()) {
    const Block block = cutter.next(file.subspan(cutter.position_bytes()));
    EXPECT_GT(block.length_bytes, 0u);
    EXPECT_LE(block.length_bytes, kBlockBytes);
    blocks.push_back(block);
    cutter.advance(block.length_bytes);
  }
  return blocks;
}

TEST(Cutter, CoversTheFileAndCutsTensorsFromTheirStart) {
  const ByteVector file = random_bytes(1'000'000, 1);
  Layout layout;
  layout.extents = {{.offset_bytes = 0, .length_bytes = 100},
                    {.offset_bytes = 100, .length_bytes = 700'000, .dtype = Dtype::f32},
                    {.offset_bytes = 700'100, .length_bytes = 299'900}};
  std::uint64_t position = 0;
  for (const Block& block : cut(layout, file)) {
    EXPECT_EQ(block.offset_bytes, position);
    position += block.length_bytes;
    if (block.dtype == Dtype::f32) {
      EXPECT_EQ((block.offset_bytes - 100) % kBlockBytes, 0u);
    }
  }
  EXPECT_EQ(position, file.size());
}

TEST(Cutter, CutsQuantizedTensorsBetweenTheirBlocks) {
  EXPECT_EQ(tensor_block_bytes({.length_bytes = 10'000'000, .dtype = Dtype::q4_k}) % 144, 0u);
}

TEST(Cutter, CutsWhereItIsToldAndAsBeforeInTheNextExtent) {
  const ByteVector file = random_bytes(1'000'000, 5);
  Layout layout;
  layout.extents = {{.offset_bytes = 0, .length_bytes = 300'000, .dtype = Dtype::f32},
                    {.offset_bytes = 300'000, .length_bytes = 700'000, .dtype = Dtype::f32}};
  Cutter cutter(layout);
  cutter.set_cuts({1000, 200'000, 300'000});
  std::vector<std::uint64_t> cuts;
  while (!cutter.at_end()) {
    cutter.advance(cutter.next(ByteSpan(file).subspan(cutter.position_bytes())).length_bytes);
    cuts.push_back(cutter.position_bytes());
  }
  EXPECT_EQ(cuts, (std::vector<std::uint64_t>{1000, 200'000, 300'000, 300'000 + kBlockBytes,
                                              300'000 + 2 * kBlockBytes, 1'000'000}));
}

TEST(FastCdc, FindsItsCutsAgainAfterAnInsertion) {
  const ByteVector original = random_bytes(4'000'000, 2);
  ByteVector shifted = random_bytes(1000, 3);
  shifted.insert(shifted.end(), original.begin(), original.end());
  const auto pieces = [](ByteSpan bytes) {
    std::set<std::string> found;
    while (!bytes.empty()) {
      const std::size_t length = first_piece_bytes(bytes);
      found.emplace(text_of(bytes.first(length)));
      bytes = bytes.subspan(length);
    }
    return found;
  };
  const std::set<std::string> before = pieces(original);
  std::size_t shared = 0;
  for (const std::string& piece : pieces(shifted)) shared += before.count(piece);
  EXPECT_GE(shared + 4, before.size());
}

TEST(FastCdc, CutsAroundTheAverage) {
  const ByteVector bytes = random_bytes(16'000'000, 4);
  ByteSpan rest = bytes;
  std::size_t count = 0;
  while (!rest.empty()) {
    const std::size_t length = first_piece_bytes(rest);
    if (length < rest.size()) {
      EXPECT_GE(length, kMinimumPieceBytes);
    }
    EXPECT_LE(length, kMaximumPieceBytes);
    rest = rest.subspan(length);
    ++count;
  }
  EXPECT_GT(count, bytes.size() / kAveragePieceBytes / 2);
  EXPECT_LT(count, bytes.size() / kAveragePieceBytes * 2);
}

}  // namespace
}  // namespace weightfs::chunk
