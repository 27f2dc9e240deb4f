// What only the LMDB store has: a disk, on which things break.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "../kv/temporary_directory.h"
#include "samples.h"
#include "weightfs/base/fault.h"
#include "weightfs/base/fd.h"
#include "weightfs/kv/environment.h"

namespace weightfs::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LmdbBlobStoreTest : public testing::Test {
 protected:
  ~LmdbBlobStoreTest() override { fault::disarm(); }

  std::string path() const { return directory.path() + "/blobs"; }
  void open() {
    auto opened = open_lmdb_blob_store({.path = path()});
    ASSERT_TRUE(opened) << opened.error().message;
    store = std::move(*opened);
  }
  void close() { store.reset(); }
  void put(const std::vector<Sample>& samples) {
    const Status done = store->put(views(samples));
    ASSERT_TRUE(done) << done.error().message;
  }
  // Writes into a table behind the back of the store, which must be closed; no value erases.
  void write_raw(const std::string& table_name, const std::string& key,
                 const std::optional<std::string>& value) {
    auto environment = *kv::Environment::open({.path = path()});
    const kv::Table table = *environment->open_table(table_name);
    auto transaction = environment->begin_write();
    if (value) {
      ASSERT_TRUE(transaction->put(table, key, bytes_of(*value)));
    } else {
      ASSERT_TRUE(transaction->erase(table, key));
    }
    ASSERT_TRUE(transaction->commit());
  }
  std::string read_raw(const std::string& table_name, const std::string& key) {
    auto environment = *kv::Environment::open({.path = path()});
    const kv::Table table = *environment->open_table(table_name);
    const auto transaction = environment->begin_read();
    return std::string(text_of(**transaction->get(table, key)));
  }
  std::vector<std::string> complaints(bool repair) {
    std::vector<std::string> lines;
    EXPECT_TRUE(
        store->check_index(repair, [&](const std::string& line) { lines.push_back(line); }));
    return lines;
  }
  static std::string key_of(std::uint64_t id) {
    std::string key;
    append_big_endian(key, id);
    return key;
  }
  std::uint64_t disk_bytes() const {
    struct stat status {};
    EXPECT_EQ(::stat((path() + "/data.mdb").c_str(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  }
  static BlobId id(std::uint64_t number) { return static_cast<BlobId>(number); }

  kv::TemporaryDirectory directory;
  std::unique_ptr<BlobStore> store;
};

TEST_F(LmdbBlobStoreTest, GivesTheDiskBackWhatErasedBlobsTook) {
  open();
  std::vector<Sample> samples;
  std::vector<BlobId> most;
  for (std::uint64_t number = 1; number <= 60; ++number) {
    samples.push_back(sample(number, 300'000));
    if (number % 10 != 0) most.push_back(id(number));
  }
  put(samples);
  const auto full = disk_bytes();
  {
    const auto held = store->load(id(25));  // its snapshot has everything
    ASSERT_TRUE(held);
    ASSERT_TRUE(store->erase(most));
    ASSERT_TRUE(store->release_space());
    EXPECT_GE(disk_bytes(), full);
    EXPECT_TRUE(std::ranges::equal(held->encoded(), samples[24].encoded));
  }
  ASSERT_TRUE(store->release_space());
  EXPECT_LT(disk_bytes(), full / 5);
  for (std::uint64_t number = 10; number <= 60; number += 10) {
    EXPECT_TRUE(
        std::ranges::equal(store->load(id(number))->encoded(), samples[number - 1].encoded));
  }
  close();
  open();
  put({sample(61, 300'000), sample(62, 3'000'000)});  // into the holes
  EXPECT_TRUE(std::ranges::equal(store->load(id(62))->encoded(), sample(62, 3'000'000).encoded));
  EXPECT_TRUE(std::ranges::equal(store->load(id(10))->encoded(), samples[9].encoded));
  close();
  EXPECT_TRUE(kv::Environment::verify(path()));
}

TEST_F(LmdbBlobStoreTest, KeepsBlobsWhenItIsClosed) {
  open();
  put({sample(1, 300'000), sample(2)});
  close();
  open();
  EXPECT_TRUE(std::ranges::equal(store->load(id(1))->encoded(), sample(1, 300'000).encoded));
  EXPECT_EQ((*store->find(sample(2).record.content))->id, id(2));
  EXPECT_EQ(store->last_id(), id(2));
}

TEST_F(LmdbBlobStoreTest, ReadsButDoesNotWriteWhereToldTo) {
  open();
  put({sample(1)});
  close();
  store = *open_lmdb_blob_store({.path = path(), .read_only = true});
  EXPECT_TRUE(store->load(id(1)));
  EXPECT_EQ(store->put(views({sample(2)})).error().code, Code::read_only);
}

// Pins the bytes that docs/store-format.md describes.
TEST_F(LmdbBlobStoreTest, WritesRecordsAsTheFormatSays) {
  open();
  Sample one = sample(0x0102, 4);
  one.record.content = {
      .low = 0x1122334455667788, .high = 0x99AABBCCDDEEFF00, .length_bytes = 0x40000};
  one.record.codec = codec::CodecTag::zstd;
  one.record.owner_uid = 1000;
  one.record.base = id(0xA0B0C0D0E0F01020);
  put({one});
  close();
  const std::string record = read_raw("records", key_of(0x0102));
  EXPECT_EQ(to_hex(bytes_of(record)),
            "01030100"
            "00000400"
            "8877665544332211"
            "00ffeeddccbbaa99"
            "04000000"
            "e8030000"
            "2010f0e0d0c0b0a0"
            "c98c91ce5d1ae45a");
  EXPECT_EQ(to_hex(bytes_of(read_raw("index", one.record.content.encoded()))), "0000000000000102");
  EXPECT_EQ(to_hex(bytes_of(read_raw("format", "version"))), "01000000");
}

TEST_F(LmdbBlobStoreTest, RefusesAStoreOfALaterVersion) {
  open();
  close();
  write_raw("format", "version", std::string("\x02\0\0\0", 4));
  const auto opened = open_lmdb_blob_store({.path = path()});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::newer_version);
}

TEST_F(LmdbBlobStoreTest, TellsADamagedRecordAndTakesTheContentAnew) {
  open();
  put({sample(1), sample(2)});
  close();
  std::string record = read_raw("records", key_of(1));
  record[24] = static_cast<char>(record[24] ^ 4);
  write_raw("records", key_of(1), record);
  open();
  EXPECT_EQ(store->record(id(1)).error().code, Code::corrupt);
  EXPECT_EQ(store->load(id(1)).error().code, Code::corrupt);
  EXPECT_EQ(*store->find(sample(1).record.content), std::nullopt);
  Sample again = sample(1);
  again.record.id = id(3);
  put({again});
  EXPECT_EQ((*store->find(again.record.content))->id, id(3));
  EXPECT_THAT(complaints(false), ElementsAre(HasSubstr("blob 1 is damaged")));
  ASSERT_TRUE(store->erase(std::vector{id(1)}));
  EXPECT_EQ((*store->find(again.record.content))->id, id(3));
  EXPECT_THAT(complaints(false), IsEmpty());
}

TEST_F(LmdbBlobStoreTest, HealsADamagedRecordByReplacingIt) {
  open();
  put({sample(1)});
  close();
  write_raw("records", key_of(1), "damaged");
  open();
  ASSERT_TRUE(store->replace(views({sample(1)})));
  EXPECT_TRUE(std::ranges::equal(store->load(id(1))->encoded(), sample(1).encoded));
  EXPECT_THAT(complaints(false), IsEmpty());
}

TEST_F(LmdbBlobStoreTest, TellsAPayloadOfAnotherLengthOrThatIsGone) {
  open();
  put({sample(1), sample(2)});
  close();
  write_raw("payload", key_of(1), "short");
  write_raw("payload", key_of(2), std::nullopt);
  open();
  EXPECT_EQ(store->load(id(1)).error().code, Code::corrupt);
  EXPECT_EQ(store->load(id(2)).error().code, Code::corrupt);
}

TEST_F(LmdbBlobStoreTest, FindsAndRepairsWhatIsWrongInTheIndex) {
  open();
  put({sample(1), sample(2), sample(3)});
  close();
  write_raw("index", sample(1).record.content.encoded(), std::nullopt);
  write_raw("index", sample(2).record.content.encoded(), key_of(3));
  write_raw("index", sample(9).record.content.encoded(), key_of(77));
  write_raw("index", "no content id", "nonsense");
  open();
  EXPECT_EQ(*store->find(sample(2).record.content), std::nullopt);
  // Three wrong entries, and two blobs that are not in the index.
  EXPECT_EQ(complaints(false).size(), 5u);
  EXPECT_EQ(complaints(true).size(), 5u);
  EXPECT_THAT(complaints(false), IsEmpty());
  for (const std::uint64_t number : {1, 2, 3}) {
    EXPECT_EQ((*store->find(sample(number).record.content))->id, id(number));
  }
}

TEST_F(LmdbBlobStoreTest, SettlesTwoBlobsThatAreBothIndexedForOneContent) {
  open();
  put({sample(1)});
  close();
  write_raw("index", sample(1).record.content.encoded(), std::nullopt);
  open();
  Sample twin = sample(1);
  twin.record.id = id(2);
  put({twin});
  EXPECT_THAT(complaints(true), ElementsAre(HasSubstr("both indexed")));
  EXPECT_THAT(complaints(false), IsEmpty());
  EXPECT_FALSE(store->record(id(1))->indexed);
  EXPECT_EQ((*store->find(twin.record.content))->id, id(2));
}

TEST_F(LmdbBlobStoreTest, WritesNothingWhenTheDiskFails) {
  open();
  for (const char* point : {"store.put.before", "store.put.written"}) {
    ASSERT_TRUE(fault::arm(std::string(point) + "=enospc"));
    const Status failed = store->put(views({sample(1)}));
    ASSERT_FALSE(failed) << point;
    EXPECT_EQ(failed.error().code, Code::no_space);
    EXPECT_EQ(store->last_id(), BlobId::none);
  }
  put({sample(1)});
}

class KilledLmdbBlobStore : public LmdbBlobStoreTest,
                            public testing::WithParamInterface<std::pair<const char*, bool>> {};

TEST_P(KilledLmdbBlobStore, HasTheWholeBatchOrNothing) {
  const auto [point, is_there] = GetParam();
  EXPECT_EXIT(
      {
        open();
        put({sample(1)});
        (void)fault::arm(point);
        put({sample(2, 300'000), sample(3)});
      },
      testing::KilledBySignal(SIGKILL), "");
  open();
  EXPECT_TRUE(store->load(id(1)));
  EXPECT_EQ(store->load(id(2)).has_value(), is_there);
  EXPECT_EQ(store->load(id(3)).has_value(), is_there);
  EXPECT_THAT(complaints(false), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(FaultPoints, KilledLmdbBlobStore,
                         testing::Values(std::pair("store.put.before", false),
                                         std::pair("store.put.written", false),
                                         std::pair("store.put.after", true)));

// Payloads, trees and all: what is loaded is what was put, or an error, or has another content id.
TEST_F(LmdbBlobStoreTest, SurvivesFlippedBitsAnywhere) {
  open();
  std::vector<Sample> samples;
  for (std::uint64_t number = 1; number <= 60; ++number) {
    samples.push_back(sample(number, 100 + number * number % 50 * 200));
  }
  put(samples);
  close();
  const std::string file = path() + "/data.mdb";
  const std::string whole = *read_whole_file(file);
  std::mt19937_64 random(5);
  int wrong_count = 0;
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    std::string damaged = whole;
    // Half of them in the first bytes of a page, where LMDB keeps what it follows.
    const std::size_t at = i % 2 == 0 ? random() % whole.size()
                                      : random() % (whole.size() / 4096) * 4096 + random() % 64;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << random() % 8));
    std::ofstream(file, std::ios::binary) << damaged;
    auto opened = open_lmdb_blob_store({.path = path()});
    if (!opened) continue;
    for (const Sample& one : samples) {
      const auto loaded = (*opened)->load(one.record.id);
      if (!loaded || std::ranges::equal(loaded->encoded(), one.encoded)) continue;
      ++wrong_count;
      ASSERT_NE(content_id(loaded->encoded()), loaded->record().content);
    }
    (void)(*opened)->erase(std::vector{id(1 + random() % 60), id(1 + random() % 60)});
    (void)(*opened)->put(views({sample(100, 20'000)}));
    (void)(*opened)->stats();
  }
  EXPECT_GT(wrong_count, 0);
}

}  // namespace
}  // namespace weightfs::store
