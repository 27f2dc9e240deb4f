// Tensors that are casts of stored ones, through the whole write path.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <random>

#include "../support/safetensors.h"
#include "harness.h"

namespace weightfs::fs {
namespace {

using Values = std::vector<float>;

constexpr std::size_t kColumns = 768;

Values random_values(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.02F);
  Values values(count);
  for (float& value : values) value = normal(random);
  return values;
}

void train(Values& values, float step, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, step);
  for (float& value : values) value += normal(random);
}

template <class T>
std::string text_of_values(const std::vector<T>& values) {
  return std::string(text_of(bytes_of_elements(std::span<const T>(values))));
}

std::string rounded_to_bf16(const Values& values) {
  std::vector<std::uint16_t> rounded;
  for (const float value : values) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rest = bits & 0xFFFF;
    const bool up = rest > 0x8000 || (rest == 0x8000 && (bits >> 16) % 2 == 1);
    rounded.push_back(static_cast<std::uint16_t>((bits >> 16) + (up ? 1 : 0)));
  }
  return text_of_values(rounded);
}

std::string truncated_to_bf16(const Values& values) {
  std::vector<std::uint16_t> truncated;
  for (const float value : values)
    truncated.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16));
  return text_of_values(truncated);
}

// Values that are normal in half precision, as weights are.
std::string rounded_to_f16(const Values& values) {
  std::vector<std::uint16_t> rounded;
  for (const float value : values) {
    const float magnitude = std::abs(value);
    int exponent = 0;
    (void)std::frexp(magnitude, &exponent);
    exponent = std::max(exponent, -13);
    const auto steps = static_cast<int>(std::nearbyint(std::ldexp(magnitude, 11 - exponent)));
    const int bits = exponent == -13 ? steps : ((exponent + 13) << 10) + steps;
    rounded.push_back(static_cast<std::uint16_t>((std::signbit(value) ? 0x8000 : 0) | bits));
  }
  return text_of_values(rounded);
}

std::string model_of(const std::string& name, const std::string& dtype, const std::string& bytes,
                     std::size_t elements) {
  return testing::safetensors({{name, dtype, {elements / kColumns, kColumns}, bytes}});
}

// As ggml-quants.c quantizes rows: 127 steps of the largest of 32 values, or 8 of it by sign.
void append_scale(std::string& blocks, float scale) {
  blocks += rounded_to_f16({scale});
}
std::string quantized_to_q8_0(const Values& values) {
  std::string blocks;
  for (std::size_t at = 0; at < values.size(); at += 32) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i) largest = std::max(largest, std::abs(values[at + i]));
    const float scale = largest / 127;
    append_scale(blocks, scale);
    for (std::size_t i = 0; i < 32; ++i)
      blocks += static_cast<char>(std::lround(values[at + i] * (1 / scale)));
  }
  return blocks;
}
std::string quantized_to_q4_0(const Values& values) {
  std::string blocks;
  for (std::size_t at = 0; at < values.size(); at += 32) {
    float largest = 0;
    for (std::size_t i = 0; i < 32; ++i)
      if (std::abs(values[at + i]) > std::abs(largest)) largest = values[at + i];
    const float scale = largest / -8;
    append_scale(blocks, scale);
    const auto code = [&](std::size_t i) {
      return std::min(15, static_cast<int>(std::fma(values[at + i], 1 / scale, 8.5F)));
    };
    for (std::size_t i = 0; i < 16; ++i) blocks += static_cast<char>(code(i) | code(i + 16) << 4);
  }
  return blocks;
}

template <class T>
void append_integer(std::string& text, T value) {
  text += text_of(bytes_of_elements(std::span<const T>(&value, 1)));
}

// A GGUF file with one tensor of ggml's type `type`.
std::string gguf_of(std::uint32_t type, const std::string& bytes, std::size_t elements) {
  std::string file = "GGUF";
  append_integer<std::uint32_t>(file, 3);
  append_integer<std::uint64_t>(file, 1);
  append_integer<std::uint64_t>(file, 0);
  const std::string name = "blk.0.ffn_up.weight";
  append_integer<std::uint64_t>(file, name.size());
  file += name;
  append_integer<std::uint32_t>(file, 2);
  append_integer<std::uint64_t>(file, kColumns);
  append_integer<std::uint64_t>(file, elements / kColumns);
  append_integer<std::uint32_t>(file, type);
  append_integer<std::uint64_t>(file, 0);
  file.resize((file.size() + 31) / 32 * 32);
  return file + bytes;
}

class DerivedTensor : public ::testing::Test {
 protected:
  // What the file `name` adds to the store, as a part of its own size; it is read back.
  double cost_of(const std::string& name, const std::string& content) {
    const std::uint64_t before = fs_.stored_bytes();
    fs_.make_file(name, content);
    const std::uint64_t after = fs_.stored_bytes();
    expect_content(name, content);
    return static_cast<double>(after - before) / static_cast<double>(content.size());
  }
  void expect_content(const std::string& name, const std::string& content) {
    EXPECT_TRUE(fs_.read_all(must(fs_->lookup(kRootInode, name)).inode) == content) << name;
  }
  void remove(const std::string& name) {
    const InodeNumber inode = must(fs_->lookup(kRootInode, name)).inode;
    must(fs_->unlink(kRootInode, name));
    fs_->forget(inode, 100);
    must(fs_->collect_garbage(/*dry_run=*/false));
  }
  std::string master() const { return model_of("w", "F32", text_of_values(values_), kCount); }
  std::string bf16(const std::string& name = "w") const {
    return model_of(name, "BF16", rounded_to_bf16(values_), kCount);
  }

  static constexpr std::size_t kCount = 1001 * kColumns;  // no whole number of blocks
  Harness fs_;
  Values values_ = random_values(kCount, 1);
};

TEST_F(DerivedTensor, TakesNextToNothingAsACast) {
  EXPECT_GT(cost_of("master", master()), 0.7);
  EXPECT_LT(cost_of("bf16", bf16()), 0.002);
  EXPECT_LT(cost_of("renamed", bf16("another.name")), 0.001);
  EXPECT_LT(cost_of("f16", model_of("w", "F16", rounded_to_f16(values_), kCount)), 0.002);
  EXPECT_LT(cost_of("truncated", model_of("w", "BF16", truncated_to_bf16(values_), kCount)), 0.002);
  fs_.reopen();
  expect_content("master", master());
  expect_content("bf16", bf16());
  expect_content("f16", model_of("w", "F16", rounded_to_f16(values_), kCount));
}

TEST_F(DerivedTensor, OutlivesItsSource) {
  cost_of("master", master());
  cost_of("bf16", bf16());
  remove("master");
  fs_.reopen();
  expect_content("bf16", bf16());
  remove("bf16");
  EXPECT_EQ(fs_.stored_bytes(), 0u);  // nothing counts the source any more
}

// Values that something changed, NaNs and infinities are exceptions.
TEST_F(DerivedTensor, KeepsWhatDiffers) {
  cost_of("master", master());
  std::string content = bf16();
  for (std::size_t i = 0; i < 20; ++i) {
    const std::uint16_t special = i % 3 == 0 ? 0xFFFF : i % 3 == 1 ? 0x7F80 : 0x8000;
    std::memcpy(&content[content.size() - 2 - i * 70000], &special, 2);
  }
  EXPECT_LT(cost_of("changed", content), 0.02);
}

TEST_F(DerivedTensor, IsTheBaseOfItsFineTune) {
  cost_of("master", master());
  const double alone =
      cost_of("other", model_of("w", "BF16", rounded_to_bf16(random_values(kCount, 9)), kCount));
  remove("other");
  Values tuned = values_;
  train(tuned, 0.0001F, 2);
  const double cost = cost_of("tuned", model_of("w", "BF16", rounded_to_bf16(tuned), kCount));
  EXPECT_LT(cost, 0.6 * alone);
}

// The other way round: only the lower halves are stored.
TEST_F(DerivedTensor, TakesTheLowerBitsOfAMasterOfWhatIsStored) {
  cost_of("bf16", bf16());
  EXPECT_LT(cost_of("master", master()), 0.53);
  remove("bf16");
  fs_.reopen();
  expect_content("master", master());
}

TEST_F(DerivedTensor, IsAQuantizedOne) {
  constexpr std::uint32_t kQ8_0 = 8;
  constexpr std::uint32_t kQ4_0 = 2;
  cost_of("master", master());
  const std::string q8_0 = gguf_of(kQ8_0, quantized_to_q8_0(values_), kCount);
  const std::string q4_0 = gguf_of(kQ4_0, quantized_to_q4_0(values_), kCount);
  EXPECT_LT(cost_of("q8_0", q8_0), 0.003);
  EXPECT_LT(cost_of("q4_0", q4_0), 0.003);
  EXPECT_GT(cost_of("other", gguf_of(kQ8_0, quantized_to_q8_0(random_values(kCount, 8)), kCount)),
            0.5);
  remove("master");
  fs_.reopen();
  expect_content("q8_0", q8_0);
  expect_content("q4_0", q4_0);
}

// fp32 files that were saved from bf16 or fp16.
TEST_F(DerivedTensor, TakesNothingForAWidenedCopy) {
  std::vector<std::uint32_t> widened;
  const std::string rounded = rounded_to_bf16(values_);
  for (std::size_t at = 0; at < rounded.size(); at += 2) {
    std::uint16_t value = 0;
    std::memcpy(&value, &rounded[at], 2);
    widened.push_back(std::uint32_t{value} << 16);
  }
  cost_of("bf16", bf16());
  EXPECT_LT(cost_of("fp32", model_of("w", "F32", text_of_values(widened), kCount)), 0.001);
}

TEST_F(DerivedTensor, IsEditedInPlace) {
  cost_of("master", master());
  std::string content = bf16();
  cost_of("bf16", content);
  const InodeNumber file = must(fs_->lookup(kRootInode, "bf16")).inode;
  const std::uint64_t before = fs_.stored_bytes();
  const Handle handle = must(fs_->open_file(file, O_RDWR));
  for (const std::size_t offset : {200u, 100'000u, 1'000'000u}) {
    const std::string edit = random_text(500, offset);
    must(fs_->write(handle, offset, bytes_of(edit)));
    content.replace(offset, edit.size(), edit);
  }
  fs_->release(handle);
  EXPECT_LT(fs_.stored_bytes() - before, content.size() / 20);
  fs_.reopen();
  expect_content("bf16", content);
}

TEST_F(DerivedTensor, IsFoundWhereBothAreWrittenTogether) {
  fs_.make_file("master", master());
  fs_.make_file("bf16", bf16());
  const std::uint64_t both = fs_.stored_bytes();
  expect_content("bf16", bf16());
  expect_content("master", master());
  EXPECT_LT(both, master().size() / 10 * 9);
}

TEST_F(DerivedTensor, OfAnotherModelIsStoredWhole) {
  cost_of("master", master());
  EXPECT_GT(
      cost_of("other", model_of("w", "BF16", rounded_to_bf16(random_values(kCount, 3)), kCount)),
      0.6);
}

}  // namespace
}  // namespace weightfs::fs
