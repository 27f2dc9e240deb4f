#include "weightfs/similar/sketch_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

namespace weightfs::similar {
namespace {

// A sketch of Gaussian weights; `drift` is added to each as noise, relative to their deviation.
TensorSketch make_sketch(unsigned seed, float drift = 0, unsigned drift_seed = 0) {
  std::mt19937 random(seed);
  std::mt19937 noise(drift_seed);
  std::normal_distribution<float> normal(0, 0.05F);
  std::vector<float> values(4096);
  for (float& value : values) {
    value = normal(random);
    value += drift * normal(noise);
  }
  const ByteSpan raw = bytes_of_elements(std::span<const float>(values));
  return sketch_tensor({.name = "tensor " + std::to_string(seed),
                        .dtype = Dtype::f32,
                        .shape = {64, 64},
                        .length_bytes = raw.size()},
                       raw)
      .value();
}

bool finds(const SketchIndex& index, unsigned id) {
  const std::vector<Candidate> found = index.candidates(make_sketch(id));
  return std::any_of(found.begin(), found.end(), [&](const Candidate& c) { return c.id == id; });
}

TEST(SketchIndex, FindsRelativesUnderOtherNamesAmongManyTensors) {
  SketchIndex index;
  for (unsigned seed = 0; seed < 2000; ++seed) index.insert(seed, make_sketch(seed));
  for (const float drift : {0.001F, 0.03F, 0.12F}) {
    TensorSketch tuned = make_sketch(1234, drift, 99);
    tuned.name_hash ^= 1;
    const std::vector<Candidate> found = index.candidates(tuned);
    ASSERT_FALSE(found.empty()) << drift;
    EXPECT_EQ(found[0].id, 1234U) << drift;
    EXPECT_FALSE(found[0].same_name);
  }
}

TEST(SketchIndex, ProposesATensorOfTheSameNameThatLooksDifferent) {
  SketchIndex index;
  index.insert(1, make_sketch(1));
  TensorSketch other = make_sketch(2);
  other.name_hash = make_sketch(1).name_hash;
  const std::vector<Candidate> found = index.candidates(other);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].same_name);
}

TEST(SketchIndex, KnowsNamesakesOfOtherLengthsTheLastFirst) {
  SketchIndex index;
  const auto sized = [](std::uint64_t rows, Dtype dtype = Dtype::f32) {
    TensorSketch sketch = make_sketch(1);
    sketch.dtype = dtype;
    sketch.length_bytes = rows * 256;
    return sketch;
  };
  index.insert(1, sized(100));
  index.insert(2, sized(101));
  index.insert(3, sized(102));
  index.insert(4, sized(100, Dtype::bf16));
  index.insert(5, make_sketch(2));
  const std::vector<Candidate> found = index.namesakes(sized(102));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].id, 2U);
  EXPECT_EQ(found[1].id, 1U);
  EXPECT_EQ(found[1].length_bytes, 100U * 256);
  index.erase(2);
  EXPECT_EQ(index.namesakes(sized(102)).size(), 1U);
}

TEST(SketchIndex, ProposesCastsOnlyWhereTheyAreWanted) {
  SketchIndex index;
  TensorSketch cast = make_sketch(1);
  cast.dtype = Dtype::bf16;
  cast.length_bytes /= 2;
  index.insert(5, cast);
  EXPECT_TRUE(index.candidates(make_sketch(1)).empty());
  const std::vector<Candidate> found = index.candidates(make_sketch(1), {.same_layout = false});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].dtype, Dtype::bf16);
}

TEST(SketchIndex, ForgetsWhatIsErasedAndReplacesWhatIsInsertedAgain) {
  SketchIndex index;
  index.insert(1, make_sketch(1));
  index.insert(1, make_sketch(2));
  EXPECT_EQ(index.size(), 1U);
  EXPECT_TRUE(index.candidates(make_sketch(1)).empty());
  EXPECT_EQ(index.candidates(make_sketch(2)).size(), 1U);
  EXPECT_TRUE(index.erase(1));
  EXPECT_FALSE(index.erase(1));
  EXPECT_TRUE(index.candidates(make_sketch(2)).empty());
}

TEST(SketchIndex, StaysWithinItsBoundAndKeepsTheNewest) {
  SketchIndex index({.max_tensors = 100});
  for (unsigned seed = 0; seed < 250; ++seed) index.insert(seed, make_sketch(seed));
  EXPECT_EQ(index.size(), 100U);
  EXPECT_FALSE(finds(index, 149));
  EXPECT_TRUE(finds(index, 150));
  EXPECT_TRUE(finds(index, 249));
}

TEST(SketchIndex, DoesNotTakeConstantTensorsForRelatives) {
  SketchIndex index;
  TensorSketch ones = make_sketch(1);
  ones.samples.fill(0x3F80);
  index.insert(1, ones);
  ones.name_hash ^= 1;
  EXPECT_TRUE(index.candidates(ones).empty());
}

TEST(SketchIndex, ReturnsAtMostAsManyAsWanted) {
  SketchIndex index;
  for (unsigned i = 0; i < 6; ++i) index.insert(i, make_sketch(1, 0.01F, i));
  EXPECT_EQ(index.candidates(make_sketch(1), {.max_candidates = 3}).size(), 3U);
}

TEST(SketchIndex, AnswersWhileOthersInsert) {
  SketchIndex index({.max_tensors = 300});
  index.insert(1'000'000, make_sketch(7));
  std::thread writer([&] {
    for (unsigned seed = 100; seed < 350; ++seed) index.insert(seed, make_sketch(seed));
  });
  bool always_found = true;
  for (unsigned i = 0; i < 50; ++i) {
    always_found = always_found && !index.candidates(make_sketch(7)).empty();
  }
  writer.join();
  EXPECT_TRUE(always_found);
}

}  // namespace
}  // namespace weightfs::similar
