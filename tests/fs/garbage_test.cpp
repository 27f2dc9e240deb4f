// Garbage collection where the disk fails, and where what it collects is damaged.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "../support/safetensors.h"
#include "crash_worker.h"
#include "fault_tools.h"
#include "weightfs/kv/environment.h"

namespace weightfs::fs {
namespace {

// Noise as bf16 values around one scale, and the same after a small step of training.
std::string bf16_tensor(std::size_t value_count, bool trained) {
  std::mt19937_64 random(11);
  std::mt19937_64 steps(12);
  std::string text;
  for (std::size_t i = 0; i < value_count; ++i) {
    auto bits = static_cast<std::uint16_t>(0x3c00 + random() % 0x180 + (random() % 2 << 15));
    if (trained && steps() % 50 == 0) ++bits;
    text.append({static_cast<char>(bits & 0xff), static_cast<char>(bits >> 8)});
  }
  return text;
}

std::string model_of(bool trained) {
  constexpr std::size_t kValueCount = 1'000'000;
  return testing::safetensors({{"w", "BF16", {kValueCount}, bf16_tensor(kValueCount, trained)}});
}

class FailedErase : public ::testing::TestWithParam<const char*> {};

TEST_P(FailedErase, CountsTheBasesOfDeltasAsTheyAre) {
  const testing::TemporaryDirectory directory;
  const std::string store = directory / "store";
  {
    const auto filesystem = must(Filesystem::open(store, slow_timers()));
    for (const bool trained : {false, true}) {
      const auto made =
          must(filesystem->create(kRootInode, trained ? "step2" : "step1", 0644, O_RDWR, {}));
      const std::string content = model_of(trained);
      must(filesystem->write(made.handle, 0, bytes_of(content)));
      filesystem->release(made.handle);
      filesystem->forget(made.attributes.inode, 1);
      must(filesystem->sync_all());
    }
    std::size_t delta_count = 0;
    must(filesystem->blobs().for_each(store::BlobId::none, [&](const store::BlobRecord& record) {
      delta_count += record.base != store::BlobId::none ? 1 : 0;
      return true;
    }));
    ASSERT_GT(delta_count, 5U);
    must(filesystem->unlink(kRootInode, "step2"));
    const Armed armed(std::string(GetParam()) + "=eio");
    EXPECT_EQ(code_of(filesystem->collect_garbage(/*dry_run=*/false)), Code::io);
    // As a crash there would leave it.
    std::filesystem::copy(store, directory / "crashed", std::filesystem::copy_options::recursive);
  }
  for (const std::string& left : {store, directory / "crashed"}) {
    std::filesystem::remove(left + "/meta/lock.mdb");
    std::filesystem::remove(left + "/blobs/lock.mdb");
    expect_clean(left);
    EXPECT_EQ(read_store(left), (Contents{{"step1", model_of(false)}}));
    expect_clean(left);
    expect_empty_when_emptied(left);
  }
}

INSTANTIATE_TEST_SUITE_P(AtEachPoint, FailedErase,
                         ::testing::Values("reaper.before_erase", "store.erase.before",
                                           "store.erase.after", "reaper.after_erase"),
                         [](const auto& point) {
                           std::string name = point.param;
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

// Damages the recipe of the file that was sealed first.
void damage_first_recipe(const std::string& store) {
  const auto environment = must(kv::Environment::open({.path = store + "/meta"}));
  const kv::Table table = must(environment->open_table("recipe_chunks"));
  auto transaction = must(environment->begin_write());
  std::string key;
  std::string value;
  {
    auto cursor = must(kv::Cursor::open(transaction, table));
    ASSERT_TRUE(must(cursor.next()));
    key = cursor.key();
    value = text_of(cursor.value());
  }
  value[0] = static_cast<char>(value[0] ^ 1);
  must(transaction.put(table, key, bytes_of(value)));
  must(transaction.commit());
}

TEST(Garbage, IsCollectedBesideADamagedRecipe) {
  const testing::TemporaryDirectory directory;
  const std::string store = directory / "store";
  constexpr std::size_t kFileBytes = 300'000;
  {
    const auto filesystem = must(Filesystem::open(store, slow_timers()));
    for (const unsigned seed : {1U, 2U}) {
      const auto made =
          must(filesystem->create(kRootInode, std::to_string(seed), 0644, O_RDWR, {}));
      must(filesystem->write(made.handle, 0, bytes_of(random_text(kFileBytes, seed))));
      filesystem->release(made.handle);
      must(filesystem->sync_all());
    }
  }
  damage_first_recipe(store);
  const auto filesystem = must(Filesystem::open(store, slow_timers()));
  for (const char* name : {"1", "2"}) must(filesystem->unlink(kRootInode, name));
  const auto collected = must(filesystem->collect_garbage(/*dry_run=*/false));
  EXPECT_GE(collected.encoded_bytes, kFileBytes);
  EXPECT_LT(collected.encoded_bytes, 2 * kFileBytes);
}

}  // namespace
}  // namespace weightfs::fs
