#include "weightfs/kv/buffered.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "temporary_directory.h"
#include "weightfs/base/fault.h"

namespace weightfs::kv {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class BufferedTest : public testing::Test {
 protected:
  BufferedTest() { open(); }
  ~BufferedTest() override { fault::disarm(); }

  void open() {
    auto opened = Environment::open({.path = directory.path() + "/env"});
    ASSERT_TRUE(opened) << opened.error().message;
    environment = std::move(*opened);
    table = *environment->open_table("things");
    other_table = *environment->open_table("others");
    buffered = std::make_unique<Buffered>(*environment);
  }
  // As after a crash: what was not committed is gone.
  void reopen() {
    buffered.reset();
    environment.reset();
    open();
  }
  void put(const std::string& key, const std::string& value) {
    Batch batch;
    batch.put(table, key, value);
    buffered->apply(std::move(batch));
  }
  void erase(const std::string& key) {
    Batch batch;
    batch.erase(table, key);
    buffered->apply(std::move(batch));
  }
  void commit() {
    const Status done = buffered->commit();
    ASSERT_TRUE(done) << done.error().message;
  }
  std::optional<std::string> get(std::string_view key) {
    const auto found = buffered->get(table, key);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::nullopt);
  }
  std::vector<KeyValue> scan(std::string_view from = "", std::string_view to = "",
                             std::size_t limit = 1000) {
    auto found = buffered->scan(table, from, to, limit);
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(std::vector<KeyValue>());
  }
  std::string key_before(std::string_view below) {
    const auto found = buffered->last_before(table, below);
    EXPECT_TRUE(found) << found.error().message;
    return *found ? (*found)->first : "(none)";
  }
  // Changes what is on disk behind the back of `buffered`.
  void write_raw(std::string_view key, std::string_view stored) {
    auto transaction = environment->begin_write();
    ASSERT_TRUE(transaction->put(table, key, bytes_of(stored)));
    ASSERT_TRUE(transaction->commit());
  }
  std::string read_raw(std::string_view key) {
    const auto transaction = environment->begin_read();
    return std::string(text_of(**transaction->get(table, key)));
  }

  TemporaryDirectory directory;
  std::unique_ptr<Environment> environment;
  std::unique_ptr<Buffered> buffered;
  Table table;
  Table other_table;
};

TEST_F(BufferedTest, AnswersFromMemoryBeforeTheCommit) {
  put("key", "value");
  EXPECT_EQ(get("key"), "value");
  reopen();
  EXPECT_EQ(get("key"), std::nullopt);
}

TEST_F(BufferedTest, KeepsWhatWasCommitted) {
  put("key", "value");
  commit();
  put("late", "lost");
  reopen();
  EXPECT_EQ(get("key"), "value");
  EXPECT_EQ(get("late"), std::nullopt);
}

TEST_F(BufferedTest, LetsTheLaterEntryOfABatchWin) {
  Batch batch;
  batch.put(table, "key", "first");
  Batch more;
  more.erase(table, "key");
  more.put(table, "key", "second");
  more.put(table, "gone", "x");
  more.erase(table, "gone");
  batch.append(std::move(more));
  buffered->apply(std::move(batch));
  EXPECT_THAT(scan(), ElementsAre(Pair("key", "second")));
  commit();
  EXPECT_THAT(scan(), ElementsAre(Pair("key", "second")));
}

TEST_F(BufferedTest, KeepsTablesApart) {
  Batch batch;
  batch.put(table, "key", "this");
  batch.put(other_table, "key", "that");
  buffered->apply(std::move(batch));
  commit();
  EXPECT_EQ(get("key"), "this");
  EXPECT_EQ(*buffered->get(other_table, "key"), "that");
}

TEST_F(BufferedTest, ScansMemoryAndDiskAsOne) {
  for (const char* key : {"a", "b", "c", "d"}) put(key, "disk");
  commit();
  put("b", "memory");
  erase("c");
  put("e", "memory");
  EXPECT_THAT(scan(), ElementsAre(Pair("a", "disk"), Pair("b", "memory"), Pair("d", "disk"),
                                  Pair("e", "memory")));
  EXPECT_THAT(scan("b", "e"), ElementsAre(Pair("b", "memory"), Pair("d", "disk")));
  EXPECT_THAT(scan("bb", "", 1), ElementsAre(Pair("d", "disk")));
  EXPECT_THAT(scan("f"), IsEmpty());
  EXPECT_THAT(scan("", "", 0), IsEmpty());
}

TEST_F(BufferedTest, FindsTheLastKeyBeforeAnother) {
  EXPECT_EQ(key_before(""), "(none)");
  for (const char* key : {"b", "d", "f"}) put(key, "disk");
  commit();
  put("e", "memory");
  erase("f");
  EXPECT_EQ(key_before(""), "e");
  EXPECT_EQ(key_before("e"), "d");
  EXPECT_EQ(key_before("c"), "b");
  EXPECT_EQ(key_before("b"), "(none)");
  erase("d");
  EXPECT_EQ(key_before("e"), "b");
}

TEST_F(BufferedTest, StaysReadableWhenACommitFailsAndTriesAgain) {
  put("old", "disk");
  commit();
  put("old", "memory");
  put("new", "memory");
  for (const char* point : {"kv.commit.before", "kv.commit.written"}) {
    ASSERT_TRUE(fault::arm(std::string(point) + "=enospc"));
    const Status failed = buffered->commit();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::no_space);
    EXPECT_EQ(get("old"), "memory");
    EXPECT_GT(buffered->pending_bytes(), 0u);
  }
  commit();
  EXPECT_EQ(buffered->pending_bytes(), 0u);
  reopen();
  EXPECT_EQ(get("old"), "memory");
  EXPECT_EQ(get("new"), "memory");
}

TEST_F(BufferedTest, CountsWhatWaitsForACommit) {
  EXPECT_EQ(buffered->pending_bytes(), 0u);
  put("key", std::string(10'000, 'x'));
  EXPECT_GE(buffered->pending_bytes(), 10'000u);
  put("key", "short");
  EXPECT_LT(buffered->pending_bytes(), 1'000u);
  commit();
  EXPECT_EQ(buffered->pending_bytes(), 0u);
}

TEST_F(BufferedTest, RefusesADamagedValueAndAnotherKeysValue) {
  put("a", "value of a");
  put("b", "value of b");
  commit();
  std::string flipped = read_raw("a");
  flipped[3] = static_cast<char>(flipped[3] ^ 1);
  write_raw("a", flipped);
  EXPECT_EQ(buffered->get(table, "a").error().code, Code::corrupt);
  EXPECT_EQ(buffered->scan(table, "", "", 10).error().code, Code::corrupt);
  write_raw("a", read_raw("b"));
  EXPECT_EQ(buffered->get(table, "a").error().code, Code::corrupt);
  write_raw("a", "short");
  EXPECT_EQ(buffered->last_before(table, "b").error().code, Code::corrupt);
  EXPECT_EQ(get("b"), "value of b");
}

TEST_F(BufferedTest, NamesDamagedKeysSoThatTheyCanBeErased) {
  put("a", "1");
  put("b", "2");
  commit();
  EXPECT_THAT(*buffered->damaged_keys(table), IsEmpty());
  write_raw("a", "not what was written");
  EXPECT_THAT(*buffered->damaged_keys(table), ElementsAre("a"));
  erase("a");
  EXPECT_THAT(scan(), ElementsAre(Pair("b", "2")));
  commit();
  EXPECT_THAT(*buffered->damaged_keys(table), IsEmpty());
}

// Against std::map, which is right by definition: random batches, reads, commits, failures,
// crashes.
class BufferedAgainstAModel : public BufferedTest, public testing::WithParamInterface<unsigned> {
 protected:
  std::string random_key() { return std::to_string(random() % 50); }

  void change() {
    Batch batch;
    for (std::uint64_t left = 1 + random() % 5; left > 0; --left) {
      const std::string key = random_key();
      if (random() % 3 == 0) {
        batch.erase(table, key);
        model.erase(key);
      } else {
        const std::string value(random() % 3000, static_cast<char>('a' + random() % 26));
        batch.put(table, key, value);
        model[key] = value;
      }
    }
    buffered->apply(std::move(batch));
  }

  void compare_scan() {
    std::string from = random() % 3 == 0 ? "" : random_key();
    std::string to = random() % 3 == 0 ? "" : random_key();
    const std::size_t limit = random() % 20;
    std::vector<KeyValue> expected;
    for (auto it = model.lower_bound(from); it != model.end() && expected.size() < limit; ++it) {
      if (to.empty() || it->first < to) expected.emplace_back(*it);
    }
    ASSERT_TRUE(scan(from, to, limit) == expected);
  }

  void compare_last_before() {
    const std::string below = random() % 5 == 0 ? "" : random_key();
    const auto bound = below.empty() ? model.end() : model.lower_bound(below);
    ASSERT_EQ(key_before(below), bound == model.begin() ? "(none)" : std::prev(bound)->first);
  }

  void commit_or_fail() {
    const bool is_anything_pending = buffered->pending_bytes() > 0;
    if (is_anything_pending && random() % 4 == 0) {
      ASSERT_TRUE(fault::arm("kv.commit.written=eio"));
      ASSERT_FALSE(buffered->commit());
      return;
    }
    commit();
    durable = model;
  }

  void step() {
    switch (random() % 10) {
      case 0:
        return commit_or_fail();
      case 1:
        if (random() % 10 != 0) return;
        reopen();
        model = durable;
        return;
      case 2:
      case 3:
        return compare_scan();
      case 4:
        return compare_last_before();
      case 5:
      case 6: {
        const std::string key = random_key();
        const auto expected = model.find(key);
        ASSERT_TRUE(get(key) ==
                    (expected == model.end() ? std::nullopt : std::optional(expected->second)));
        return;
      }
      default:
        change();
    }
  }

  std::mt19937 random{GetParam()};
  std::map<std::string, std::string> model;
  std::map<std::string, std::string> durable;
};

TEST_P(BufferedAgainstAModel, AnswersAsAMapDoes) {
  for (int i = 0; i < 3000 && !HasFatalFailure(); ++i) step();
}

INSTANTIATE_TEST_SUITE_P(Seeds, BufferedAgainstAModel, testing::Range(0U, 8U));

// Each writer raises a pair of counters in one batch and commits now and then; no reader ever sees
// the pair differ, go back, or be gone.
TEST_F(BufferedTest, ShowsBatchesWholeToReadersWhileManyWriteAndCommit) {
  constexpr int kRounds = 150;
  std::atomic<int> writers_left{3};
  std::vector<std::jthread> threads;
  for (int writer = 0; writer < 3; ++writer) {
    threads.emplace_back([this, writer, &writers_left] {
      const std::string key = "writer " + std::to_string(writer);
      for (int round = 0; round < kRounds; ++round) {
        Batch batch;
        batch.put(table, key + " a", std::to_string(round));
        batch.put(table, key + " b", std::to_string(round));
        buffered->apply(std::move(batch));
        if (round % 5 == 0) {
          ASSERT_TRUE(buffered->commit());
        }
      }
      --writers_left;
    });
  }
  for (int reader = 0; reader < 2; ++reader) {
    threads.emplace_back([this, &writers_left] {
      std::map<std::string, int> seen;
      while (writers_left > 0) {
        const auto pairs = scan();
        ASSERT_EQ(pairs.size() % 2, 0u);
        for (std::size_t i = 0; i < pairs.size(); i += 2) {
          ASSERT_EQ(pairs[i].second, pairs[i + 1].second);
          const int now = std::stoi(pairs[i].second);
          ASSERT_GE(now, seen[pairs[i].first]);
          seen[pairs[i].first] = now;
          ASSERT_GE(std::stoi(*get(pairs[i].first)), now);
        }
      }
    });
  }
  threads.clear();
  commit();
  reopen();
  EXPECT_EQ(scan().size(), 6u);
}

TEST_F(BufferedTest, MakesDurableWhatEachCommitterHadApplied) {
  std::vector<std::jthread> threads;
  for (int writer = 0; writer < 8; ++writer) {
    threads.emplace_back([this, writer] {
      for (int round = 0; round < 10; ++round) {
        const std::string key = std::to_string(writer) + "." + std::to_string(round);
        put(key, key);
        ASSERT_TRUE(buffered->commit());
        const auto transaction = environment->begin_read();
        ASSERT_TRUE(*transaction->get(table, key)) << key << " is not on disk";
      }
    });
  }
}

}  // namespace
}  // namespace weightfs::kv
