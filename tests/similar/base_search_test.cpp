#include "weightfs/similar/base_search.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace weightfs::similar {
namespace {

constexpr std::size_t kElements = 100'000;

ByteVector make_tensor(unsigned seed, float drift = 0) {
  std::mt19937 random(seed);
  std::mt19937 noise(seed + 1000);
  std::normal_distribution<float> normal(0, 0.05F);
  ByteVector raw(2 * kElements);
  for (std::size_t i = 0; i < kElements; ++i) {
    const float value = normal(random) + drift * normal(noise);
    const auto bits = std::bit_cast<std::uint32_t>(value);
    store_unaligned(&raw[2 * i], static_cast<std::uint16_t>(bits >> 16));
  }
  return raw;
}

Status copy(ByteSpan from, std::uint64_t offset, MutableByteSpan out) {
  if (offset > from.size() || out.size() > from.size() - offset) {
    return fail(Code::io, "read past the end");
  }
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
  return {};
}

// Stored tensors by id, of which those that are missing can't be read.
class BaseSearch : public testing::Test {
 protected:
  Result<std::optional<BaseChoice>> choose(const ByteVector& raw,
                                           const std::vector<Candidate>& candidates) {
    const NewTensor tensor = {
        .dtype = Dtype::bf16,
        .length_bytes = raw.size(),
        .read = [&](std::uint64_t offset, MutableByteSpan out) { return copy(raw, offset, out); }};
    const auto read = [&](std::uint64_t id, std::uint64_t offset, MutableByteSpan out) -> Status {
      const auto found = stored_.find(id);
      if (found == stored_.end()) return fail(Code::io, "no such tensor");
      return copy(found->second, offset, out);
    };
    return choose_base(tensor, candidates, read, scratch_);
  }
  Candidate candidate(std::uint64_t id, Dtype dtype = Dtype::bf16) const {
    return {.id = id, .dtype = dtype, .length_bytes = 2 * kElements};
  }

  std::map<std::uint64_t, ByteVector> stored_;
  codec::Scratch scratch_;
};

TEST_F(BaseSearch, ChoosesTheBaseWithTheSmallestDelta) {
  stored_ = {{1, make_tensor(1, 0.1F)}, {2, make_tensor(1, 0.002F)}, {3, make_tensor(3)}};
  const auto choice = choose(make_tensor(1), {candidate(1), candidate(2), candidate(3)});
  ASSERT_TRUE(choice.has_value() && choice->has_value());
  EXPECT_EQ((*choice)->id, 2U);
  EXPECT_LT((*choice)->ratio, 0.3);
  EXPECT_GT((*choice)->alone_ratio, 0.6);
}

TEST_F(BaseSearch, ChoosesNoneWhereNoneSavesEnough) {
  stored_ = {{3, make_tensor(3)}};
  const auto choice = choose(make_tensor(1), {candidate(3)});
  ASSERT_TRUE(choice.has_value());
  EXPECT_FALSE(choice->has_value());
}

TEST_F(BaseSearch, PassesOverWhatDoesNotFitOrCannotBeRead) {
  stored_ = {{2, make_tensor(1, 0.002F)}, {4, make_tensor(1)}};
  Candidate shorter = candidate(4);
  shorter.length_bytes -= 2;
  const auto choice =
      choose(make_tensor(1), {candidate(9), candidate(4, Dtype::f16), shorter, candidate(2)});
  ASSERT_TRUE(choice.has_value() && choice->has_value());
  EXPECT_EQ((*choice)->id, 2U);
}

TEST_F(BaseSearch, FailsIfTheNewTensorCannotBeRead) {
  const NewTensor tensor = {.dtype = Dtype::bf16,
                            .length_bytes = 2 * kElements,
                            .read = [](auto, auto) -> Status { return fail(Code::io, "broken"); }};
  const std::vector<Candidate> candidates = {candidate(1)};
  const auto choice = choose_base(tensor, candidates, {}, scratch_);
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code, Code::io);
}

TEST_F(BaseSearch, AnswersForAnEmptyTensor) {
  const auto choice = choose({}, {candidate(1)});
  ASSERT_TRUE(choice.has_value());
  EXPECT_FALSE(choice->has_value());
}

}  // namespace
}  // namespace weightfs::similar
