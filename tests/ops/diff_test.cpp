#include "weightfs/ops/diff.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "model_files.h"

namespace weightfs::ops {
namespace {

using fs::must;

class Diff : public ::testing::Test {
 protected:
  Difference diff(const std::string& a, const std::string& b) {
    write_file(directory_ / "a.safetensors", a);
    write_file(directory_ / "b.safetensors", b);
    return must(diff_files(directory_ / "a.safetensors", directory_ / "b.safetensors", {}));
  }
  // The only change there is, which must be of `kind`.
  TensorChange only_change(TensorChangeKind kind, const NamedTensor& a, const NamedTensor& b) {
    const Difference difference = diff(safetensors({a}), safetensors({b}));
    EXPECT_EQ(difference.tensors.size(), 1U);
    if (difference.tensors.empty()) return {};
    EXPECT_EQ(difference.tensors[0].kind, kind);
    EXPECT_FALSE(difference.same_bytes);
    return difference.tensors[0];
  }

 private:
  testing::TemporaryDirectory directory_;
};

NamedTensor floats(const std::string& name, const std::vector<float>& values) {
  return {name, "F32", {values.size()}, bytes_of_values(values)};
}

TEST_F(Diff, FindsNothingBetweenTheSameBytes) {
  const std::string file = safetensors({floats("w", {1, 2})});
  const Difference difference = diff(file, file);
  EXPECT_TRUE(difference.same_bytes);
  EXPECT_TRUE(difference.same_content());
  EXPECT_EQ(difference.unchanged_tensors, 1U);
}

TEST_F(Diff, MeasuresHowFarValuesMoved) {
  const TensorChange change =
      only_change(TensorChangeKind::changed, floats("w", {3, 4, 0}), floats("w", {3, 4, 5}));
  ASSERT_TRUE(change.distance);
  EXPECT_EQ(change.distance->values, 3U);
  EXPECT_EQ(change.distance->changed_values, 1U);
  EXPECT_DOUBLE_EQ(change.distance->relative_rms, 1.0);
  EXPECT_DOUBLE_EQ(change.distance->cosine, 25 / (5 * std::sqrt(50.0)));
  EXPECT_EQ(change.blocks, 1U);
  EXPECT_EQ(change.changed_blocks, 1U);
}

TEST_F(Diff, CountsTheLongestStepInUlpsAcrossZero) {
  const float tiny = std::nextafter(0.0F, 1.0F);
  const TensorChange change = only_change(TensorChangeKind::changed, floats("w", {-tiny, 1}),
                                          floats("w", {tiny, std::nextafter(1.0F, 2.0F)}));
  ASSERT_TRUE(change.distance);
  EXPECT_EQ(change.distance->largest_ulp_step, 2U);
}

TEST_F(Diff, RecognisesATensorUnderAnotherName) {
  const TensorChange change =
      only_change(TensorChangeKind::renamed, floats("old", {1, 2}), floats("new", {1, 2}));
  EXPECT_EQ(change.a.name, "old");
  EXPECT_EQ(change.b.name, "new");
}

TEST_F(Diff, TellsReshapedFromRecast) {
  NamedTensor square = floats("w", {1, 2, 3, 4});
  square.shape = {2, 2};
  const TensorChange reshaped =
      only_change(TensorChangeKind::reshaped, floats("w", {1, 2, 3, 4}), square);
  EXPECT_EQ(reshaped.distance->changed_values, 0U);
  const NamedTensor cast{"w", "BF16", {2}, bytes_of_values<std::uint16_t>({0x3f80, 0x4000})};
  const TensorChange recast = only_change(TensorChangeKind::recast, floats("w", {1, 2}), cast);
  ASSERT_TRUE(recast.distance);
  EXPECT_EQ(recast.distance->changed_values, 0U);
  EXPECT_FALSE(recast.distance->largest_ulp_step);
}

// An .npy file of [2, 2] floats.
std::string npy(const std::string& descr, const std::string& is_fortran_order,
                const std::string& data) {
  std::string dict =
      "{'descr': '" + descr + "', 'fortran_order': " + is_fortran_order + ", 'shape': (2, 2), }";
  dict.resize(118, ' ');
  return std::string("\x93NUMPY\1\0\x76\0", 10) + dict + data;
}

TEST_F(Diff, ComparesNoValuesThatAreStoredInAnotherOrder) {
  const std::string data = bytes_of_values<float>({1, 2, 3, 4});
  const std::string rows = npy("<f4", "False", data);
  const Difference difference = diff(rows, npy("<f4", "True", data));
  ASSERT_EQ(difference.tensors.size(), 1U);
  EXPECT_EQ(difference.tensors[0].kind, TensorChangeKind::reordered);
  EXPECT_FALSE(difference.tensors[0].distance);
}

TEST_F(Diff, TellsEqualBytesOfAnotherByteOrderFromEqualValues) {
  const std::string data = bytes_of_values<float>({1, 2, 3, 4});
  const Difference difference = diff(npy("<f4", "False", data), npy(">f4", "False", data));
  ASSERT_EQ(difference.tensors.size(), 1U);
  EXPECT_EQ(difference.tensors[0].kind, TensorChangeKind::changed);
  ASSERT_TRUE(difference.tensors[0].distance);
  EXPECT_EQ(difference.tensors[0].distance->changed_values, 4U);
}

TEST_F(Diff, ListsWhatOnlyOneFileHas) {
  const Difference difference = diff(safetensors({floats("w", {1}), floats("gone", {2})}),
                                     safetensors({floats("w", {1}), floats("new", {3})}));
  ASSERT_EQ(difference.tensors.size(), 2U);
  EXPECT_EQ(difference.tensors[0].kind, TensorChangeKind::removed);
  EXPECT_EQ(difference.tensors[0].a.name, "gone");
  EXPECT_EQ(difference.tensors[1].kind, TensorChangeKind::added);
  EXPECT_EQ(difference.tensors[1].b.name, "new");
}

TEST_F(Diff, ListsMetadataThatChanged) {
  const Difference difference = diff(safetensors({floats("w", {1})}, "\"step\":\"1\",\"x\":\"y\""),
                                     safetensors({floats("w", {1})}, "\"step\":\"2\",\"x\":\"y\""));
  ASSERT_EQ(difference.metadata.size(), 1U);
  EXPECT_EQ(difference.metadata[0].key, "step");
  EXPECT_EQ(difference.metadata[0].a, "1");
  EXPECT_EQ(difference.metadata[0].b, "2");
}

TEST_F(Diff, LeavesNanPairsOutOfTheSums) {
  const float nan = std::nanf("");
  const TensorChange change =
      only_change(TensorChangeKind::changed, floats("w", {nan, 1, nan}), floats("w", {nan, 1, 2}));
  EXPECT_EQ(change.distance->changed_values, 1U);
  EXPECT_EQ(change.distance->relative_rms, 0.0);
}

TEST_F(Diff, SaysInJsonWhatChanged) {
  const nlohmann::json json =
      to_json(diff(safetensors({floats("w", {1})}), safetensors({floats("w", {2})})));
  EXPECT_EQ(json["tensors"][0]["change"], "changed");
  EXPECT_EQ(json["tensors"][0]["values"]["changed_values"], 1);
}

}  // namespace
}  // namespace weightfs::ops
