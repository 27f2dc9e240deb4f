// The conformance suite of blob stores: every implementation passes every test.
#include "weightfs/store/blob_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "../kv/temporary_directory.h"
#include "samples.h"

namespace weightfs::store {
namespace {

using testing::ElementsAre;

struct MemoryStores {
  std::unique_ptr<BlobStore> open() { return make_memory_blob_store(); }
};

struct LmdbStores {
  std::unique_ptr<BlobStore> open() {
    auto opened = open_lmdb_blob_store({.path = directory.path() + "/blobs"});
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? std::move(*opened) : nullptr;
  }
  kv::TemporaryDirectory directory;
};

template <class Stores>
class BlobStoreConformance : public testing::Test {
 protected:
  void put(const std::vector<Sample>& samples) {
    const Status done = store->put(views(samples));
    ASSERT_TRUE(done) << done.error().message;
  }
  void erase(const std::vector<BlobId>& ids) {
    const Status done = store->erase(ids);
    ASSERT_TRUE(done) << done.error().message;
  }
  void expect_loads(const Sample& expected) {
    const auto loaded = store->load(expected.record.id);
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_TRUE(std::ranges::equal(loaded->encoded(), expected.encoded));
    EXPECT_EQ(loaded->record().content, expected.record.content);
    EXPECT_EQ(loaded->record().codec, expected.record.codec);
    EXPECT_EQ(loaded->record().base, expected.record.base);
    EXPECT_EQ(loaded->record().owner_uid, expected.record.owner_uid);
  }
  std::vector<std::uint64_t> ids_from(std::uint64_t from) {
    std::vector<std::uint64_t> ids;
    EXPECT_TRUE(store->for_each(static_cast<BlobId>(from), [&](const BlobRecord& record) {
      ids.push_back(number(record.id));
      return true;
    }));
    return ids;
  }
  std::vector<std::string> complaints(bool repair = false) {
    std::vector<std::string> lines;
    EXPECT_TRUE(
        store->check_index(repair, [&](const std::string& line) { lines.push_back(line); }));
    return lines;
  }

  Stores stores;
  std::unique_ptr<BlobStore> store = stores.open();
};

using Implementations = testing::Types<MemoryStores, LmdbStores>;
TYPED_TEST_SUITE(BlobStoreConformance, Implementations);

TYPED_TEST(BlobStoreConformance, IsEmptyAtFirst) {
  EXPECT_EQ(this->store->last_id(), BlobId::none);
  EXPECT_EQ(this->store->stats()->blob_count, 0u);
  EXPECT_TRUE(this->ids_from(0).empty());
}

TYPED_TEST(BlobStoreConformance, LoadsWhatWasPut) {
  const std::vector<Sample> samples = {sample(1, 1), sample(2, 173'000), sample(3, 262'144),
                                       sample(4, 1 << 20)};
  this->put(samples);
  for (const Sample& one : samples) this->expect_loads(one);
}

TYPED_TEST(BlobStoreConformance, KeepsEveryFieldOfARecord) {
  Sample delta = sample(9, 500);
  delta.record.content.length_bytes = 262'144;
  delta.record.codec = codec::CodecTag::zstd;
  delta.record.base = static_cast<BlobId>(0x1234567890AB);
  this->put({delta});
  this->expect_loads(delta);
}

TYPED_TEST(BlobStoreConformance, StoresABlobWithoutBytes) {
  Sample zero = sample(1, 0);
  zero.record.codec = codec::CodecTag::zero;
  zero.record.content = content_id(ByteVector(262'144));
  this->put({zero});
  this->expect_loads(zero);
}

TYPED_TEST(BlobStoreConformance, SaysWhatIsNotThere) {
  this->put({sample(1)});
  EXPECT_EQ(this->store->load(static_cast<BlobId>(2)).error().code, Code::not_found);
  EXPECT_EQ(this->store->record(static_cast<BlobId>(2)).error().code, Code::not_found);
}

TYPED_TEST(BlobStoreConformance, FindsBlobsByContent) {
  this->put({sample(1), sample(2)});
  const auto found = this->store->find(sample(2).record.content);
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, static_cast<BlobId>(2));
  EXPECT_EQ(*this->store->find(sample(3).record.content), std::nullopt);
}

TYPED_TEST(BlobStoreConformance, FindsManyAtOnceInTheirOrder) {
  this->put({sample(1), sample(2)});
  const std::vector<ContentId> wanted = {sample(2).record.content, sample(3).record.content,
                                         sample(1).record.content};
  const auto found = this->store->find_all(wanted);
  ASSERT_TRUE(found);
  ASSERT_EQ(found->size(), 3u);
  EXPECT_EQ((*found)[0]->id, static_cast<BlobId>(2));
  EXPECT_FALSE((*found)[1]);
  EXPECT_EQ((*found)[2]->id, static_cast<BlobId>(1));
}

TYPED_TEST(BlobStoreConformance, DoesNotFindWhatIsNotIndexed) {
  Sample hidden = sample(1);
  hidden.record.indexed = false;
  this->put({hidden});
  EXPECT_EQ(*this->store->find(hidden.record.content), std::nullopt);
  this->expect_loads(hidden);
}

TYPED_TEST(BlobStoreConformance, IndexesOnlyTheFirstOfTwoBlobsWithOneContent) {
  Sample twin = sample(1);
  twin.record.id = static_cast<BlobId>(2);
  this->put({sample(1), twin});
  EXPECT_EQ((*this->store->find(twin.record.content))->id, static_cast<BlobId>(1));
  EXPECT_FALSE(this->store->record(static_cast<BlobId>(2))->indexed);
  this->erase({static_cast<BlobId>(2)});
  EXPECT_EQ((*this->store->find(twin.record.content))->id, static_cast<BlobId>(1));
  EXPECT_TRUE(this->complaints().empty());
}

TYPED_TEST(BlobStoreConformance, RefusesAnIdThatIsInUse) {
  this->put({sample(1)});
  Sample other = sample(2);
  other.record.id = static_cast<BlobId>(1);
  const Status refused = this->store->put(views({sample(3), other}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::exists);
  this->expect_loads(sample(1));
  EXPECT_EQ(this->ids_from(0), std::vector<std::uint64_t>{1});
}

TYPED_TEST(BlobStoreConformance, RefusesARecordWithAnotherLength) {
  Sample lying = sample(1);
  lying.record.encoded_bytes = 7;
  EXPECT_EQ(this->store->put(views({lying})).error().code, Code::invalid);
  EXPECT_EQ(this->store->last_id(), BlobId::none);
}

TYPED_TEST(BlobStoreConformance, ReplacesTheEncodingOfABlob) {
  this->put({sample(1), sample(2)});
  Sample recoded = sample(1);
  recoded.encoded = random_bytes(70'000, 99);
  recoded.record.encoded_bytes = 70'000;
  recoded.record.codec = codec::CodecTag::zstd;
  recoded.record.base = static_cast<BlobId>(2);
  ASSERT_TRUE(this->store->replace(views({recoded})));
  this->expect_loads(recoded);
  EXPECT_EQ((*this->store->find(recoded.record.content))->id, static_cast<BlobId>(1));
  EXPECT_EQ(this->store->stats()->blob_count, 2u);
}

TYPED_TEST(BlobStoreConformance, ReplacesBytesByNone) {
  this->put({sample(1)});
  Sample zero = sample(1);
  zero.encoded.clear();
  zero.record.encoded_bytes = 0;
  zero.record.codec = codec::CodecTag::zero;
  ASSERT_TRUE(this->store->replace(views({zero})));
  this->expect_loads(zero);
}

TYPED_TEST(BlobStoreConformance, DoesNotReplaceByOtherContentNorWhatIsNotThere) {
  this->put({sample(1)});
  Sample other = sample(2);
  EXPECT_EQ(this->store->replace(views({other})).error().code, Code::not_found);
  other.record.id = static_cast<BlobId>(1);
  EXPECT_EQ(this->store->replace(views({other})).error().code, Code::invalid);
  this->expect_loads(sample(1));
}

TYPED_TEST(BlobStoreConformance, RecodesOnlyWhatIsStillAsItWasRead) {
  this->put({sample(1, 5000), sample(2, 5000), sample(3, 5000)});
  std::vector<Sample> smaller;
  std::vector<Recoding> recodings;
  for (const std::uint64_t id : {1, 2, 3}) {
    Sample recoded = sample(id, 5000);
    recoded.encoded = random_bytes(3000, 90 + id);
    recoded.record.encoded_bytes = 3000;
    recoded.record.codec = codec::CodecTag::zstd;
    smaller.push_back(recoded);
  }
  for (const Sample& one : smaller) {
    recodings.push_back({*this->store->record(one.record.id), one.view()});
  }
  Sample healed = sample(2, 5000);
  healed.encoded = random_bytes(4000, 77);
  healed.record.encoded_bytes = 4000;
  ASSERT_TRUE(this->store->replace(views({healed})));
  this->erase({static_cast<BlobId>(3)});
  const auto replaced = this->store->recode(recodings);
  ASSERT_TRUE(replaced);
  EXPECT_EQ(*replaced, (std::vector<bool>{true, false, false}));
  this->expect_loads(smaller[0]);
  this->expect_loads(healed);
  EXPECT_EQ(this->ids_from(0), (std::vector<std::uint64_t>{1, 2}));
  EXPECT_TRUE(this->complaints().empty());
}

TYPED_TEST(BlobStoreConformance, ErasesBlobsAndTheirIndexEntries) {
  this->put({sample(1), sample(2), sample(3)});
  this->erase({static_cast<BlobId>(2), static_cast<BlobId>(77)});
  EXPECT_THAT(this->ids_from(0), ElementsAre(1, 3));
  EXPECT_EQ(*this->store->find(sample(2).record.content), std::nullopt);
  EXPECT_EQ(this->store->load(static_cast<BlobId>(2)).error().code, Code::not_found);
  EXPECT_EQ(this->store->stats()->blob_count, 2u);
}

TYPED_TEST(BlobStoreConformance, KeepsALoadedBlobAliveWhileItIsErased) {
  this->put({sample(1, 200'000)});
  const auto loaded = this->store->load(static_cast<BlobId>(1));
  ASSERT_TRUE(loaded);
  this->erase({static_cast<BlobId>(1)});
  for (std::uint64_t id = 2; id < 8; ++id) this->put({sample(id, 200'000)});
  EXPECT_TRUE(std::ranges::equal(loaded->encoded(), sample(1, 200'000).encoded));
}

TYPED_TEST(BlobStoreConformance, VisitsRecordsInOrderUntilToldToStop) {
  std::vector<Sample> samples;
  for (std::uint64_t id = 1; id <= 2500; ++id) samples.push_back(sample(id, 10));
  this->put(samples);
  EXPECT_EQ(this->ids_from(0).size(), 2500u);
  EXPECT_THAT(this->ids_from(2499), ElementsAre(2499, 2500));
  std::size_t count = 0;
  ASSERT_TRUE(this->store->for_each(BlobId::none, [&](const BlobRecord&) { return ++count < 3; }));
  EXPECT_EQ(count, 3u);
}

TYPED_TEST(BlobStoreConformance, KnowsTheGreatestId) {
  this->put({sample(5), sample(300)});
  EXPECT_EQ(this->store->last_id(), static_cast<BlobId>(300));
}

TYPED_TEST(BlobStoreConformance, TakesHintsForBlobsThatAreThereOrNot) {
  this->put({sample(1, 300'000), sample(2, 300'000), sample(3, 10)});
  this->store->will_load(std::vector<BlobId>{static_cast<BlobId>(1), static_cast<BlobId>(2),
                                             static_cast<BlobId>(3), static_cast<BlobId>(4)});
  this->expect_loads(sample(2, 300'000));
}

TYPED_TEST(BlobStoreConformance, HasNoComplaintsAfterRandomChanges) {
  std::mt19937 random(7);
  std::vector<BlobId> live;
  for (std::uint64_t id = 1; id < 200; ++id) {
    Sample one = sample(random() % 40, 50);
    one.record.id = static_cast<BlobId>(id);
    this->put({one});
    live.push_back(one.record.id);
    if (random() % 3 == 0) {
      const std::size_t victim = random() % live.size();
      this->erase({live[victim]});
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(victim));
    }
  }
  EXPECT_EQ(this->store->stats()->blob_count, live.size());
  EXPECT_TRUE(this->complaints().empty());
}

}  // namespace
}  // namespace weightfs::store
