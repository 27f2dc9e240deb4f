#include "weightfs/file/content.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>

namespace weightfs::file {
namespace {

constexpr std::uint64_t kMostBytes = 200;

// Where each byte comes from, spelled out: 'r' recipe, 's' staged, '0' zero.
std::string spelled(const tree::ContentRecord& content) {
  std::string origins;
  for (const Piece& piece : pieces_of(content, 0, content.size_bytes)) {
    EXPECT_EQ(piece.begin_bytes, origins.size());
    EXPECT_LT(piece.begin_bytes, piece.end_bytes);
    const char letter = piece.origin == Origin::recipe   ? 'r'
                        : piece.origin == Origin::staged ? 's'
                                                         : '0';
    origins.append(piece.end_bytes - piece.begin_bytes, letter);
  }
  return origins;
}

TEST(Content, AgreesWithAModelThatKnowsEveryByte) {
  std::mt19937_64 random(1);
  for (int run = 0; run < 200; ++run) {
    tree::ContentRecord content;
    content.recipe = static_cast<tree::RecipeId>(1);
    content.size_bytes = content.recipe_limit_bytes = random() % kMostBytes;
    std::string model(content.size_bytes, 'r');
    for (int step = 0; step < 100; ++step) {
      const std::uint64_t begin = random() % kMostBytes;
      const std::uint64_t end = begin + 1 + random() % 40;
      if (random() % 4 == 0) {
        set_size(content, begin);
        model.resize(begin, '0');
      } else {
        const bool staged = random() % 2 == 0;
        if (model.size() < end) model.resize(end, '0');
        content.size_bytes = std::max(content.size_bytes, end);
        mark_range(content, begin, end, staged ? tree::RangeKind::staged : tree::RangeKind::zero);
        model.replace(begin, end - begin, end - begin, staged ? 's' : '0');
      }
      ASSERT_EQ(spelled(content), model);
    }
  }
}

TEST(Content, TakesRangesOutSoThatTheRecipeShowsThrough) {
  tree::ContentRecord content;
  content.recipe = static_cast<tree::RecipeId>(1);
  content.size_bytes = content.recipe_limit_bytes = 10;
  mark_range(content, 2, 8, tree::RangeKind::staged);
  clear_range(content, 4, 6);
  EXPECT_EQ(spelled(content), "rrssrrssrr");
  EXPECT_TRUE(is_unchanged(content, 4, 6));
  EXPECT_FALSE(is_unchanged(content, 4, 7));
}

TEST(Content, KeepsASequentialWriterInOneRange) {
  tree::ContentRecord content;
  for (std::uint64_t at = 0; at < 1000; at += 10) {
    content.size_bytes = at + 10;
    mark_range(content, at, at + 10, tree::RangeKind::staged);
  }
  EXPECT_EQ(content.ranges.size(), 1u);
}

TEST(Content, IsSealedOnlyWhenTheRecipeCoversItAll) {
  tree::ContentRecord content;
  EXPECT_TRUE(is_sealed(content));
  content.recipe = static_cast<tree::RecipeId>(1);
  content.size_bytes = content.recipe_limit_bytes = 10;
  EXPECT_TRUE(is_sealed(content));
  set_size(content, 5);
  set_size(content, 10);
  EXPECT_FALSE(is_sealed(content));
}

}  // namespace
}  // namespace weightfs::file
