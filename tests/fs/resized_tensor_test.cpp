// Tensors that gained or lost rows, through the whole write path.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "../support/safetensors.h"
#include "harness.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kRowBytes = 2048;

std::string random_rows(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<float> values(count * kRowBytes / sizeof(float));
  for (float& value : values) value = normal(random);
  return std::string(text_of(bytes_of_elements(std::span<const float>(values))));
}

std::string model_of(const std::string& rows) {
  return testing::safetensors({{"layer.weight", "F32", {rows.size() / kRowBytes, 512}, rows}});
}

class ResizedTensor : public ::testing::Test {
 protected:
  // What the file `name` adds, as a part of what is there.
  double cost_of(const std::string& name, const std::string& content) {
    const std::uint64_t before = fs_.stored_bytes();
    const InodeNumber file = fs_.make_file(name, content);
    const std::uint64_t after = fs_.stored_bytes();
    EXPECT_EQ(fs_.read_all(file), content);
    return static_cast<double>(after - before) / static_cast<double>(before);
  }

  Harness fs_;
  const std::string rows_ = random_rows(2000, 1);
};

TEST_F(ResizedTensor, SharesItsRowsWhereverNewOnesCameIn) {
  fs_.make_file("before", model_of(rows_));
  for (const std::size_t at : {0u, 777u, 1024u, 2000u}) {
    std::string grown = rows_;
    grown.insert(at * kRowBytes, random_rows(8, 2));
    EXPECT_LT(cost_of("grown at " + std::to_string(at), model_of(grown)), 0.01) << at;
  }
}

TEST_F(ResizedTensor, SharesItsRowsWhereverSomeWent) {
  fs_.make_file("before", model_of(rows_));
  std::string less = rows_;
  for (const std::size_t row : {1999u, 1000u, 300u, 0u}) less.erase(row * kRowBytes, kRowBytes);
  EXPECT_LT(cost_of("less", model_of(less)), 0.001);
}

TEST_F(ResizedTensor, OutlivesWhatItWas) {
  fs_.make_file("before", model_of(rows_));
  std::string grown = rows_;
  grown.insert(999 * kRowBytes, random_rows(3, 3));
  cost_of("after", model_of(grown));
  const InodeNumber before = must(fs_->lookup(kRootInode, "before")).inode;
  must(fs_->unlink(kRootInode, "before"));
  fs_->forget(before, 2);
  must(fs_->collect_garbage(/*dry_run=*/false));
  fs_.reopen();
  EXPECT_EQ(fs_.read_all(must(fs_->lookup(kRootInode, "after")).inode), model_of(grown));
}

// The rows are those of a fine-tune that is itself stored as the difference from its base.
TEST_F(ResizedTensor, SharesTheRowsOfAFineTune) {
  fs_.make_file("base", model_of(rows_));
  must(fs_->sync_all());
  std::string tuned = rows_;
  std::mt19937 random(7);
  std::normal_distribution<float> normal(0, 0.0001F);
  for (std::size_t at = 0; at < tuned.size(); at += sizeof(float)) {
    float value = 0;
    std::memcpy(&value, &tuned[at], sizeof value);
    value += normal(random);
    std::memcpy(&tuned[at], &value, sizeof value);
  }
  EXPECT_LT(cost_of("tuned", model_of(tuned)), 0.8);  // by deltas, then
  tuned.insert(777 * kRowBytes, random_rows(8, 8));
  // But for the two blocks about the new rows.
  EXPECT_LT(cost_of("tuned and grown", model_of(tuned)), 0.07);
}

// An edit within the sealed file: the cuts are found again, and what did not change is taken over.
TEST_F(ResizedTensor, IsEditedInPlace) {
  fs_.make_file("before", model_of(rows_));
  std::string content = model_of(rows_ + random_rows(8, 4));
  const InodeNumber file = fs_.make_file("after", content);
  must(fs_->sync_all());
  const Handle handle = must(fs_->open_file(file, O_RDWR));
  for (const std::size_t offset : {100'000u, 1'000'000u, 4'000'000u}) {
    const std::string edit = random_text(5000, static_cast<unsigned>(offset));
    must(fs_->write(handle, offset, bytes_of(edit)));
    content.replace(offset, edit.size(), edit);
  }
  fs_->release(handle);
  must(fs_->sync_all());
  fs_.reopen();
  EXPECT_EQ(fs_.read_all(must(fs_->lookup(kRootInode, "after")).inode), content);
}

TEST_F(ResizedTensor, KeepsItsCutsThroughSeveralChanges) {
  fs_.make_file("0", model_of(rows_));
  std::string rows = rows_;
  for (unsigned step = 1; step <= 4; ++step) {
    rows.insert(400 * step * kRowBytes, random_rows(2, step));
    rows.erase(100 * step * kRowBytes, kRowBytes);
    EXPECT_LT(cost_of(std::to_string(step), model_of(rows)), 0.01) << step;
  }
}

TEST_F(ResizedTensor, OfAnotherModelIsStoredWhole) {
  fs_.make_file("before", model_of(rows_));
  EXPECT_GT(cost_of("other", model_of(random_rows(2008, 5))), 0.9);
}

}  // namespace
}  // namespace weightfs::fs
