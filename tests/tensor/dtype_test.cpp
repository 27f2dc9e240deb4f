#include "weightfs/tensor/dtype.h"

#include <gtest/gtest.h>

#include <set>

namespace weightfs {
namespace {

std::set<Dtype> known_dtypes() {
  std::set<Dtype> dtypes;
  for (int number = 0; number < 256; ++number) {
    if (is_known_dtype(static_cast<std::uint8_t>(number))) {
      dtypes.insert(static_cast<Dtype>(number));
    }
  }
  return dtypes;
}

TEST(Dtype, HasANameOfItsOwnThatLeadsBack) {
  for (const Dtype dtype : known_dtypes()) {
    EXPECT_EQ(dtype_from_name(dtype_name(dtype)), dtype) << dtype_name(dtype);
  }
  EXPECT_EQ(dtype_from_name("F33"), std::nullopt);
}

TEST(Dtype, HasUnitsThatCanBeCounted) {
  for (const Dtype dtype : known_dtypes()) {
    const DtypeLayout layout = dtype_layout(dtype);
    EXPECT_GT(layout.unit_elements, 0u);
    EXPECT_EQ(dtype_bytes(dtype, layout.unit_elements), layout.unit_bytes);
  }
}

// Numbers are in stores: they never change.
TEST(Dtype, KeepsItsNumbers) {
  EXPECT_EQ(static_cast<int>(Dtype::f32), 2);
  EXPECT_EQ(static_cast<int>(Dtype::bf16), 4);
  EXPECT_EQ(static_cast<int>(Dtype::u8), 19);
  EXPECT_EQ(static_cast<int>(Dtype::guessed_16), 40);
  EXPECT_EQ(static_cast<int>(Dtype::q4_0), 64);
  EXPECT_EQ(static_cast<int>(Dtype::nvfp4), 90);
}

TEST(DtypeBytes, RoundsUpToWholeUnits) {
  EXPECT_EQ(dtype_bytes(Dtype::i4, 3), 2u);
  EXPECT_EQ(dtype_bytes(Dtype::q8_0, 33), 68u);
  EXPECT_EQ(dtype_bytes(Dtype::f32, 0), 0u);
}

TEST(DtypeBytes, SaysWhenItDoesNotFit) {
  EXPECT_EQ(dtype_bytes(Dtype::f64, ~std::uint64_t{0} / 4), std::nullopt);
  EXPECT_EQ(dtype_bytes(Dtype::u8, ~std::uint64_t{0}), ~std::uint64_t{0});
}

TEST(Dtype, KnowsItsFloats) {
  EXPECT_TRUE(is_float(Dtype::bf16));
  EXPECT_TRUE(is_float(Dtype::f8_e4m3));
  EXPECT_FALSE(is_float(Dtype::i8));
  EXPECT_FALSE(is_float(Dtype::q4_k));
}

}  // namespace
}  // namespace weightfs
