#include "weightfs/ops/optimize.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cmath>
#include <map>
#include <thread>

#include "model_files.h"
#include "weightfs/base/fault.h"
#include "weightfs/ops/fsck.h"
#include "weightfs/ops/report.h"
#include "weightfs/store/blob_store.h"
#include "weightfs/tree/tree.h"

namespace weightfs::ops {
namespace {

using fs::Harness;
using fs::must;

constexpr std::size_t kWeights = 600'000;

fs::FilesystemOptions fast_tier() {
  fs::FilesystemOptions options;
  options.tier = codec::Tier::fast;
  return options;
}

// bf16 weights as training leaves them; `step` moves one in eight by one ULP.
std::string weights(std::uint64_t seed, std::size_t count, unsigned step = 0) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal(0, 0.02F);
  std::vector<std::uint16_t> values(count);
  for (std::uint16_t& value : values) {
    value = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(normal(random)) >> 16U);
  }
  std::mt19937_64 moved(step);
  for (std::uint16_t& value : values) {
    if (step > 0 && moved() % 8 == 0) ++value;
  }
  return bytes_of_values(values);
}

std::string model(std::uint64_t seed, std::size_t count = kWeights, unsigned step = 0) {
  return safetensors({{"layer.weight", "BF16", {count}, weights(seed, count, step)}});
}

// Words at random: what the entropy coder of the fast tier does not find the best form of.
std::string prose(std::size_t size_bytes) {
  std::mt19937_64 random(7);
  std::string text;
  while (text.size() < size_bytes) {
    text += "word" + std::to_string(random() % 5000) + (random() % 9 == 0 ? ".\n" : " ");
  }
  return text;
}

// Where other programs keep the processor busy, threads that only run when it is idle would make
// the tests wait for them.
OptimizeOptions at_once() {
  OptimizeOptions options;
  options.only_when_idle = false;
  return options;
}

class Optimize : public ::testing::Test {
 protected:
  void make(const std::string& name, const std::string& content) {
    inodes_[name] = store_.make_file(name, content);
    contents_[name] = content;
  }
  void make_models() {
    make("base.safetensors", model(1));
    must(store_->sync_all());
    make("tuned.safetensors", model(1, kWeights, 2));
    make("notes.txt", prose(1'000'000));
    must(store_->sync_all());
  }
  void expect_contents() {
    store_.reopen();  // nothing is cached
    for (const auto& [name, content] : contents_) {
      const auto inode = must(store_->lookup(fs::kRootInode, name)).inode;
      EXPECT_TRUE(store_.read_all(inode) == content) << name;
    }
  }
  void expect_clean() {
    store_.close();
    const FsckResult checked = must(check_store(store_.store_path(), {}));
    EXPECT_TRUE(checked.is_clean());
    store_.open();
  }
  Optimization run(const OptimizeOptions& options = at_once()) {
    return must(optimize(store_.get(), options));
  }
  std::uint64_t stored_bytes() { return must(make_report(store_.get())).stored_bytes; }
  std::uint64_t delta_count() {
    std::uint64_t count = 0;
    must(store_->blobs().for_each(store::BlobId::none, [&](const store::BlobRecord& record) {
      count += record.base != store::BlobId::none ? 1 : 0;
      return true;
    }));
    return count;
  }

  Harness store_{fast_tier()};
  std::map<std::string, fs::InodeNumber> inodes_;
  std::map<std::string, std::string> contents_;
};

TEST_F(Optimize, MakesWhatTheFastTierWroteSmallerAndKeepsEveryByte) {
  make_models();
  const std::uint64_t before = stored_bytes();
  const std::uint64_t deltas = delta_count();
  EXPECT_GT(deltas, 0U);
  const Optimization done = run();
  EXPECT_GT(done.recoded_blobs, 0U);
  EXPECT_GT(done.saved_bytes, before / 100);
  EXPECT_EQ(done.encoded_bytes, before);
  EXPECT_EQ(stored_bytes(), before - done.saved_bytes);
  EXPECT_EQ(delta_count(), deltas);
  EXPECT_FALSE(done.stopped);
  expect_contents();
  expect_clean();
}

TEST_F(Optimize, DoesNothingTwiceButForNewerBlobs) {
  make_models();
  EXPECT_GT(run().blobs, 0U);
  EXPECT_EQ(run().blobs, 0U);
  store_.reopen();
  EXPECT_EQ(run().blobs, 0U);
  make("new.safetensors", model(9, 100'000));
  must(store_->sync_all());
  const Optimization newer = run();
  EXPECT_GT(newer.blobs, 0U);
  EXPECT_LT(newer.encoded_bytes, 200'000U);
  OptimizeOptions again = at_once();
  again.restart = true;
  const Optimization all = run(again);
  EXPECT_GT(all.blobs, newer.blobs);
  EXPECT_EQ(all.saved_bytes, 0U);
  OptimizeOptions other = at_once();
  other.tier = codec::Tier::default_tier;
  EXPECT_EQ(run(other).blobs, all.blobs);
  expect_contents();
}

TEST_F(Optimize, OnlyCountsInADryRun) {
  make_models();
  const std::uint64_t before = stored_bytes();
  store_.close();
  OptimizeOptions options = at_once();
  options.dry_run = true;
  const Optimization would = must(optimize_store(store_.store_path(), options));
  options.dry_run = false;
  EXPECT_GT(would.saved_bytes, 0U);
  const Optimization done = must(optimize_store(store_.store_path(), options));
  EXPECT_EQ(done.saved_bytes, would.saved_bytes);
  EXPECT_EQ(done.recoded_blobs, would.recoded_blobs);
  store_.open();
  EXPECT_EQ(stored_bytes(), before - done.saved_bytes);
}

TEST_F(Optimize, GoesOnWhereItWasStopped) {
  make("large.safetensors", model(3, std::size_t{24} << 20));
  must(store_->sync_all());
  OptimizeOptions options = at_once();
  options.cancelled = [] { return true; };
  const Optimization none = run(options);
  EXPECT_TRUE(none.stopped);
  EXPECT_EQ(none.blobs, 0U);
  options.cancelled = [this] {
    return must(store_->tree().optimized_until("cold")) != store::BlobId::none;
  };
  const Optimization first = run(options);
  EXPECT_TRUE(first.stopped);
  EXPECT_GT(first.blobs, 0U);
  store_.reopen();
  const Optimization rest = run();
  EXPECT_FALSE(rest.stopped);
  EXPECT_GT(rest.blobs, 0U);
  EXPECT_EQ(first.blobs + rest.blobs, must(store_->blobs().stats()).blob_count);
  expect_contents();
}

TEST_F(Optimize, LeavesEverythingAsItWasWhereTheDiskFailsOrFillsUp) {
  make_models();
  const std::uint64_t before = stored_bytes();
  for (const std::string point : {"blob.load", "store.recode.before", "store.recode.written"}) {
    for (const auto& [fault, code] : {std::pair("=eio", Code::io), {"=enospc", Code::no_space}}) {
      must(fault::arm(point + fault));
      const auto done = optimize(store_.get(), at_once());
      fault::disarm();
      ASSERT_FALSE(done) << point;
      EXPECT_EQ(done.error().code, code) << point;
      EXPECT_EQ(done.error().message.find('\n'), std::string::npos);
    }
  }
  EXPECT_EQ(stored_bytes(), before);
  EXPECT_GT(run().saved_bytes, 0U);
  expect_contents();
  expect_clean();
}

class OptimizeKilled : public Optimize, public ::testing::WithParamInterface<const char*> {};

TEST_P(OptimizeKilled, LeavesEachBlobInTheOldOrTheNewEncoding) {
  make_models();
  store_.close();
  const pid_t child = ::fork();
  if (child == 0) {
    (void)fault::arm(GetParam());
    (void)optimize_store(store_.store_path(), at_once());
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status)) << "the fault was never passed";
  store_.open();
  expect_contents();
  expect_clean();
  run();
  expect_contents();
  expect_clean();
}

INSTANTIATE_TEST_SUITE_P(Points, OptimizeKilled,
                         ::testing::Values("store.recode.before", "store.recode.written",
                                           "kv.commit.written", "store.recode.after"));

TEST_F(Optimize, LetsReadersAndWritersThrough) {
  make_models();
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) {
      EXPECT_TRUE(store_.read_all(inodes_["tuned.safetensors"]) == contents_["tuned.safetensors"]);
      store_->blobs().drop_resident();
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  std::thread writer([&] {
    for (unsigned i = 0; i < 5; ++i) {
      const std::string name = "gone" + std::to_string(i);
      store_.make_file(name, model(100 + i, 50'000));
      must(store_->sync_all());
      must(store_->unlink(fs::kRootInode, name));
      must(store_->collect_garbage(/*dry_run=*/false));
    }
  });
  OptimizeOptions options = at_once();
  options.restart = true;
  for (unsigned i = 0; i < 3; ++i) run(options);
  writer.join();
  done = true;
  reader.join();
  expect_contents();
  expect_clean();
}

TEST_F(Optimize, PassesOverABrokenBlobAndSaysSo) {
  make_models();
  store::BlobId first = store::BlobId::none;
  must(store_->blobs().for_each(store::BlobId::none, [&](const store::BlobRecord& record) {
    if (record.base != store::BlobId::none || record.encoded_bytes < 1000) return true;
    first = record.id;
    return false;
  }));
  const store::BlobRecord record = must(store_->blobs().record(first));
  ByteVector damaged;
  {
    const store::LoadedBlob loaded = must(store_->blobs().load(first));
    damaged.assign(loaded.encoded().begin(), loaded.encoded().end());
  }
  damaged[damaged.size() / 2] ^= std::byte{0x55};
  const store::NewBlob replacement{record, damaged};
  must(store_->blobs().replace({&replacement, 1}));
  const Optimization done = run();
  EXPECT_GE(done.broken_blobs, 1U);
  const store::LoadedBlob loaded = must(store_->blobs().load(first));
  EXPECT_TRUE(std::ranges::equal(loaded.encoded(), damaged));
}

TEST_F(Optimize, RefusesWhatCanNotBeMeant) {
  OptimizeOptions options = at_once();
  options.tier = codec::Tier::fast;
  EXPECT_EQ(optimize(store_.get(), options).error().code, Code::invalid);
  EXPECT_EQ(optimize_store("/nowhere/at/all", {}).error().code, Code::not_found);
}

}  // namespace
}  // namespace weightfs::ops
