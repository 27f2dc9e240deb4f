#include "weightfs/ops/tensor_statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model_files.h"

namespace weightfs::ops {
namespace {

using fs::must;

TensorStatistics statistics_of(Dtype dtype, const std::string& bytes, std::string note = {}) {
  Tensor tensor;
  tensor.dtype = dtype;
  tensor.length_bytes = bytes.size();
  tensor.note = std::move(note);
  const SpanSource source(bytes_of(bytes));
  WorkerPool workers({.name = "test", .thread_count = 2});
  return must(tensor_statistics(source, tensor, workers, {}));
}

TEST(TensorStatistics, LeavesWhatIsNotFiniteOutOfTheMoments) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const auto values = statistics_of(
      Dtype::f32, bytes_of_values<float>({1, 3, 0, -0.0F, kNan, kInfinity, -kInfinity, 6}));
  EXPECT_EQ(values.count, 8U);
  EXPECT_EQ(values.zeros, 2U);
  EXPECT_EQ(values.nans, 1U);
  EXPECT_EQ(values.infinities, 2U);
  EXPECT_DOUBLE_EQ(values.mean, 2.0);
  EXPECT_NEAR(values.standard_deviation, std::sqrt((1 + 1 + 4 + 4 + 16) / 5.0), 1e-12);
  EXPECT_EQ(values.minimum, 0.0);
  EXPECT_EQ(values.maximum, 6.0);
  EXPECT_DOUBLE_EQ(values.sparsity(), 0.25);
}

TEST(TensorStatistics, IsTheSameForManyPiecesAsForOneFormula) {
  constexpr std::size_t kCount = 1'000'000;
  std::vector<float> numbers(kCount);
  for (std::size_t i = 0; i < kCount; ++i) numbers[i] = static_cast<float>(i % 1000);
  const auto values = statistics_of(Dtype::f32, bytes_of_values(numbers));
  EXPECT_EQ(values.count, kCount);
  EXPECT_NEAR(values.mean, 499.5, 1e-9);
  EXPECT_NEAR(values.standard_deviation, std::sqrt((1000.0 * 1000.0 - 1) / 12), 1e-6);
}

TEST(TensorStatistics, MeasuresTheEntropyOfTheExponent) {
  EXPECT_DOUBLE_EQ(
      *statistics_of(Dtype::f32, bytes_of_values<float>({1, 2, 4, 8})).exponent_entropy_bits, 2.0);
  EXPECT_DOUBLE_EQ(*statistics_of(Dtype::bf16, bytes_of_values<std::uint16_t>({0x3f80, 0x3f90}))
                        .exponent_entropy_bits,
                   0.0);
  EXPECT_FALSE(statistics_of(Dtype::i8, "abc").exponent_entropy_bits);
}

TEST(TensorStatistics, DecodesEverySmallFloat) {
  const auto extremes = [](Dtype dtype, const std::string& bytes) {
    const auto values = statistics_of(dtype, bytes);
    return std::pair(values.minimum, values.maximum);
  };
  using Halves = std::vector<std::uint16_t>;
  EXPECT_EQ(extremes(Dtype::f16, bytes_of_values(Halves{0x7bff, 0x0001})),
            std::pair(std::ldexp(1.0, -24), 65504.0));
  EXPECT_EQ(extremes(Dtype::bf16, bytes_of_values(Halves{0xc000, 0x3f80})), std::pair(-2.0, 1.0));
  EXPECT_EQ(extremes(Dtype::f8_e4m3, "\x7e\x01"), std::pair(std::ldexp(1.0, -9), 448.0));
  EXPECT_EQ(extremes(Dtype::f8_e5m2, "\x7b\x01"), std::pair(std::ldexp(1.0, -16), 57344.0));
  EXPECT_EQ(extremes(Dtype::f8_e4m3fnuz, "\x7f\x01"), std::pair(std::ldexp(1.0, -10), 240.0));
  EXPECT_EQ(extremes(Dtype::f8_e5m2fnuz, "\x7f\x01"), std::pair(std::ldexp(1.0, -17), 57344.0));
  EXPECT_EQ(statistics_of(Dtype::f8_e4m3, "\x7f\xff").nans, 2U);
  EXPECT_EQ(statistics_of(Dtype::f8_e4m3fnuz, "\x80").nans, 1U);
  EXPECT_EQ(statistics_of(Dtype::f8_e5m2, "\x7c\xfc").infinities, 2U);
}

TEST(TensorStatistics, ReadsBigEndianNumbersAsTheNoteSays) {
  const std::string one("\x3f\x80\x00\x00", 4);
  EXPECT_EQ(statistics_of(Dtype::f32, one, "big-endian").mean, 1.0);
  EXPECT_EQ(statistics_of(Dtype::i16, std::string("\xff\xfe", 2), "big-endian").mean, -2.0);
}

TEST(TensorStatistics, SaysWhyATensorHasNone) {
  const char* why = nullptr;
  Tensor tensor;
  tensor.dtype = Dtype::f32;
  tensor.shape = {4};
  EXPECT_FALSE(has_readable_values(tensor, &why));
  EXPECT_STREQ(why, "no bytes in this file");
  tensor.length_bytes = 20;
  EXPECT_FALSE(has_readable_values(tensor, &why));
  EXPECT_STREQ(why, "not dense");
  tensor.dtype = Dtype::q4_0;
  EXPECT_FALSE(has_readable_values(tensor, &why));
  EXPECT_STREQ(why, "not plain numbers");
  tensor.dtype = Dtype::f32;
  tensor.length_bytes = 16;
  EXPECT_TRUE(has_readable_values(tensor, &why));
  EXPECT_EQ(why, nullptr);
}

TEST(TensorStatistics, SurvivesAShapeThatOverflows) {
  Tensor tensor;
  tensor.dtype = Dtype::f32;
  tensor.shape = {std::uint64_t{1} << 63, 4};
  tensor.length_bytes = 16;
  EXPECT_FALSE(has_readable_values(tensor));
}

TEST(TensorStatistics, ReportsAReadError) {
  Tensor tensor;
  tensor.dtype = Dtype::u8;
  tensor.offset_bytes = 1;
  tensor.length_bytes = 4;
  const std::string bytes = "abcd";
  const SpanSource source(bytes_of(bytes));
  WorkerPool workers({.name = "test", .thread_count = 1});
  EXPECT_FALSE(tensor_statistics(source, tensor, workers, {}));
}

}  // namespace
}  // namespace weightfs::ops
