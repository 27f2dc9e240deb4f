#include "weightfs/kv/environment.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "temporary_directory.h"
#include "weightfs/base/fd.h"

namespace weightfs::kv {
namespace {

std::string key_of(std::uint64_t number) {
  std::string key;
  append_big_endian(key, number);
  return key;
}

class EnvironmentTest : public testing::Test {
 protected:
  void open() {
    auto opened = Environment::open({.path = path()});
    ASSERT_TRUE(opened) << opened.error().message;
    environment = std::move(*opened);
    const auto opened_table = environment->open_table("things");
    ASSERT_TRUE(opened_table) << opened_table.error().message;
    table = *opened_table;
  }
  void put(std::string_view key, std::string_view value) {
    auto transaction = environment->begin_write();
    ASSERT_TRUE(transaction);
    ASSERT_TRUE(transaction->put(table, key, bytes_of(value)));
    ASSERT_TRUE(transaction->commit());
  }
  std::optional<std::string> get(std::string_view key) {
    const auto transaction = environment->begin_read();
    EXPECT_TRUE(transaction);
    const auto found = transaction->get(table, key);
    EXPECT_TRUE(found);
    if (!*found) return std::nullopt;
    return std::string(text_of(**found));
  }
  std::string path() const { return directory.path() + "/env"; }
  std::string data_path() const { return path() + "/data.mdb"; }
  Code code_of_open() {
    environment.reset();
    const auto opened = Environment::open({.path = path()});
    return opened ? Code::exists : opened.error().code;
  }
  // A store of a few pages, closed.
  void fill_and_close() {
    open();
    for (std::uint64_t i = 0; i < 100; ++i) put(key_of(i), std::string(5000, 'x'));
    environment.reset();
  }
  void overwrite(std::uint64_t offset, std::string_view bytes) {
    const UniqueFd fd(::open(data_path().c_str(), O_WRONLY));
    ASSERT_TRUE(write_exactly(fd.get(), offset, bytes_of(bytes)));
  }

  TemporaryDirectory directory;
  std::unique_ptr<Environment> environment;
  Table table;
};

TEST_F(EnvironmentTest, KeepsWhatWasCommitted) {
  open();
  put("key", "value");
  environment.reset();
  open();
  EXPECT_EQ(get("key"), "value");
  EXPECT_EQ(get("other"), std::nullopt);
}

TEST_F(EnvironmentTest, ForgetsATransactionThatWasNotCommitted) {
  open();
  {
    auto transaction = environment->begin_write();
    ASSERT_TRUE(transaction->put(table, "key", bytes_of("value")));
  }
  EXPECT_EQ(get("key"), std::nullopt);
}

TEST_F(EnvironmentTest, ReadsAStateThatDoesNotChange) {
  open();
  put("key", "old");
  const auto before = environment->begin_read();
  put("key", "new");
  EXPECT_EQ(text_of(**before->get(table, "key")), "old");
  EXPECT_EQ(get("key"), "new");
}

TEST_F(EnvironmentTest, SeesNewCommitsInATransactionThatIsUsedAgain) {
  open();
  for (int i = 0; i < 10; ++i) {
    put("key", std::to_string(i));
    EXPECT_EQ(get("key"), std::to_string(i));
  }
}

TEST_F(EnvironmentTest, ReservesRoomThatTheCallerFills) {
  open();
  auto transaction = environment->begin_write();
  const auto room = transaction->reserve(table, "key", 300'000);
  ASSERT_TRUE(room);
  ASSERT_EQ(room->size(), 300'000u);
  std::fill(room->begin(), room->end(), std::byte{'r'});
  ASSERT_TRUE(transaction->commit());
  EXPECT_TRUE(get("key") == std::string(300'000, 'r'));
}

TEST_F(EnvironmentTest, AppendsInOrderAndFallsBackOutOfOrder) {
  open();
  auto transaction = environment->begin_write();
  ASSERT_TRUE(transaction->append(table, "b", bytes_of("1")));
  ASSERT_TRUE(transaction->append(table, "c", bytes_of("2")));
  ASSERT_TRUE(transaction->append(table, "a", bytes_of("3")));
  ASSERT_TRUE(transaction->append(table, "c", bytes_of("4")));
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(get("a"), "3");
  EXPECT_EQ(get("c"), "4");
}

TEST_F(EnvironmentTest, GivesBackPagesWhenAValueBecomesShorterInOneTransaction) {
  open();
  auto transaction = environment->begin_write();
  for (const std::size_t size : {400'000u, 9'000u, 2'100u, 2'020u, 1u, 50'000u, 20'000u}) {
    ASSERT_TRUE(transaction->put(table, "key", bytes_of(std::string(size, 'x'))));
  }
  ASSERT_TRUE(transaction->commit());
  EXPECT_TRUE(get("key") == std::string(20'000, 'x'));
  auto next = environment->begin_write();
  EXPECT_EQ(next->erase(table, "key"), true);
  ASSERT_TRUE(next->commit());
  environment.reset();
  EXPECT_TRUE(Environment::verify(path()));
}

TEST_F(EnvironmentTest, ErasesAndSaysWhetherItWasThere) {
  open();
  put("key", "value");
  auto transaction = environment->begin_write();
  EXPECT_EQ(transaction->erase(table, "key"), true);
  EXPECT_EQ(transaction->erase(table, "key"), false);
  ASSERT_TRUE(transaction->commit());
  EXPECT_EQ(get("key"), std::nullopt);
}

TEST_F(EnvironmentTest, TakesKeysOfOneTo511Bytes) {
  open();
  put(std::string(511, 'k'), "long");
  EXPECT_EQ(get(std::string(511, 'k')), "long");
  auto transaction = environment->begin_write();
  EXPECT_EQ(transaction->put(table, std::string(512, 'k'), {}).error().code, Code::invalid);
  EXPECT_EQ(transaction->put(table, "", {}).error().code, Code::invalid);
}

TEST_F(EnvironmentTest, WalksATableBothWays) {
  open();
  for (const char* key : {"a", "c", "e"}) put(key, key);
  const auto transaction = environment->begin_read();
  auto cursor = Cursor::open(*transaction, table);
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->seek("b"), true);
  EXPECT_EQ(cursor->key(), "c");
  EXPECT_EQ(cursor->next(), true);
  EXPECT_EQ(cursor->key(), "e");
  EXPECT_EQ(cursor->next(), false);
  EXPECT_EQ(cursor->last(), true);
  EXPECT_EQ(cursor->previous(), true);
  EXPECT_EQ(cursor->key(), "c");
  EXPECT_EQ(text_of(cursor->value()), "c");
  EXPECT_EQ(cursor->previous(), true);
  EXPECT_EQ(cursor->previous(), false);
  EXPECT_EQ(cursor->seek("f"), false);
}

TEST_F(EnvironmentTest, CountsEntriesAndFreePages) {
  open();
  for (std::uint64_t i = 0; i < 50; ++i) put(key_of(i), std::string(10'000, 'x'));
  const auto full = environment->stats();
  EXPECT_EQ(environment->begin_read()->stats(table)->entries, 50u);
  auto transaction = environment->begin_write();
  for (std::uint64_t i = 0; i < 50; ++i) ASSERT_TRUE(transaction->erase(table, key_of(i)));
  ASSERT_TRUE(transaction->commit());
  const auto empty = environment->stats();
  EXPECT_EQ(environment->begin_read()->stats(table)->entries, 0u);
  EXPECT_GE(empty->free_bytes, full->free_bytes + 50 * 10'000);
  EXPECT_LE(empty->free_bytes, empty->file_bytes);
}

TEST_F(EnvironmentTest, ServesManyReadersWhileOneWrites) {
  open();
  put("counter", "0");
  std::jthread writer([this] {
    for (int i = 1; i <= 50; ++i) put("counter", std::to_string(i));
  });
  std::vector<std::jthread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([this] {
      int last = 0;
      while (last < 50) {
        const int now = std::stoi(*get("counter"));
        ASSERT_GE(now, last);
        last = now;
      }
    });
  }
}

TEST_F(EnvironmentTest, LetsOneWriterAtATimeThrough) {
  open();
  put("counter", "0");
  std::vector<std::jthread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([this] {
      for (int round = 0; round < 10; ++round) {
        auto transaction = environment->begin_write();
        const int now = std::stoi(std::string(text_of(**transaction->get(table, "counter"))));
        ASSERT_TRUE(transaction->put(table, "counter", bytes_of(std::to_string(now + 1))));
        ASSERT_TRUE(transaction->commit());
      }
    });
  }
  writers.clear();
  EXPECT_EQ(get("counter"), "40");
}

TEST_F(EnvironmentTest, IsNotOpenedTwiceInOneProcess) {
  open();
  const auto second = Environment::open({.path = path() + "/../env"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  environment.reset();
  open();
}

TEST_F(EnvironmentTest, ReadsOnlyWhereToldTo) {
  EXPECT_EQ(Environment::open({.path = path(), .read_only = true}).error().code, Code::not_found);
  EXPECT_FALSE(std::filesystem::exists(path()));
  open();
  put("key", "value");
  environment.reset();
  auto opened = Environment::open({.path = path(), .read_only = true});
  ASSERT_TRUE(opened) << opened.error().message;
  environment = std::move(*opened);
  table = *environment->open_table("things");
  EXPECT_EQ(get("key"), "value");
  EXPECT_EQ(environment->begin_write().error().code, Code::read_only);
  EXPECT_EQ(environment->open_table("others").error().code, Code::corrupt);
}

TEST_F(EnvironmentTest, StartsAnewInAnEmptyFile) {
  std::filesystem::create_directory(path());
  std::ofstream(data_path()).close();
  open();
  put("key", "value");
}

TEST_F(EnvironmentTest, RefusesAFileThatIsNotADatabase) {
  fill_and_close();
  std::ofstream(data_path()) << "not a database";
  EXPECT_EQ(code_of_open(), Code::corrupt);
  std::ofstream(data_path()) << std::string(100'000, 'x');
  EXPECT_EQ(code_of_open(), Code::corrupt);
}

TEST_F(EnvironmentTest, RefusesATruncatedFileAndLeavesItAsItIs) {
  fill_and_close();
  const auto whole = std::filesystem::file_size(data_path());
  for (const std::uintmax_t size : {whole - 4096, whole / 2, std::uintmax_t{8192}}) {
    std::filesystem::resize_file(data_path(), size);
    EXPECT_EQ(code_of_open(), Code::corrupt) << size;
    EXPECT_EQ(std::filesystem::file_size(data_path()), size);
  }
  for (const std::uintmax_t size : {5000, 100, 1}) {
    std::filesystem::resize_file(data_path(), size);
    EXPECT_EQ(code_of_open(), Code::corrupt) << size;
  }
}

// With freed pages at hand for its small pages, a transaction takes new ones only for the big value
// that it gives up again: LMDB then leaves a file that is shorter than its meta page says.
TEST_F(EnvironmentTest, AcceptsAFileThatLacksOnlyFreePages) {
  open();
  for (int i = 0; i < 5; ++i) put("first", "some");
  environment.reset();
  const std::uintmax_t before = std::filesystem::file_size(data_path());
  open();
  auto transaction = environment->begin_write();
  ASSERT_TRUE(transaction->put(table, "big", bytes_of(std::string(400'000, 'y'))));
  ASSERT_TRUE(transaction->erase(table, "big"));
  ASSERT_TRUE(transaction->commit());
  environment.reset();
  EXPECT_EQ(std::filesystem::file_size(data_path()), before);
  open();
  EXPECT_EQ(get("first"), "some");
  put("again", std::string(400'000, 'z'));
  EXPECT_TRUE(get("again") == std::string(400'000, 'z'));
}

TEST_F(EnvironmentTest, RefusesAnotherVersionOfTheFormat) {
  fill_and_close();
  for (const std::uint64_t page : {0, 1}) overwrite(page * 4096 + 20, std::string("\x02\0\0\0", 4));
  EXPECT_EQ(code_of_open(), Code::newer_version);
}

TEST_F(EnvironmentTest, SurvivesEveryFlippedBitOfTheMetaPages) {
  fill_and_close();
  const auto whole = read_whole_file(data_path());
  ASSERT_TRUE(whole);
  for (std::size_t bit = 0; bit < 152 * 8 * 2; ++bit) {
    const std::size_t at = bit / 2 / 8 + (bit % 2) * 4096;
    const char flipped = static_cast<char>((*whole)[at] ^ (1 << (bit / 2 % 8)));
    overwrite(at, {&flipped, 1});
    (void)code_of_open();
    overwrite(at, std::string_view(*whole).substr(at, 1));
    std::filesystem::resize_file(data_path(), whole->size());
  }
  open();
  EXPECT_TRUE(get(key_of(7)) == std::string(5000, 'x'));
}

TEST_F(EnvironmentTest, HintsAtValuesOfAnySize) {
  open();
  for (const std::size_t size : {0u, 1u, 4096u, 300'000u}) {
    put("key", std::string(size, 'x'));
    const auto transaction = environment->begin_read();
    Environment::will_need(**transaction->get(table, "key"));
  }
  EXPECT_TRUE(get("key") == std::string(300'000, 'x'));
}

// Resident pages of mapped files, of this process.
std::uint64_t mapped_resident_pages() {
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  std::uint64_t shared = 0;
  std::ifstream("/proc/self/statm") >> size >> resident >> shared;
  return shared;
}

TEST_F(EnvironmentTest, GivesMappedMemoryBack) {
  constexpr std::size_t kValueBytes = std::size_t{32} << 20;
  open();
  put("large", std::string(kValueBytes, 'x'));
  const std::uint64_t before = mapped_resident_pages();
  const auto transaction = environment->begin_read();
  const ByteSpan value = **transaction->get(table, "large");
  const auto count_of_x = [&] { return std::ranges::count(value, std::byte{'x'}); };
  EXPECT_EQ(count_of_x(), kValueBytes);
  EXPECT_GT(mapped_resident_pages(), before + kValueBytes / 4096 / 2);
  environment->drop_resident();
  EXPECT_LT(mapped_resident_pages(), before + kValueBytes / 4096 / 4);
  EXPECT_EQ(count_of_x(), kValueBytes);  // it comes back when it is read
}

}  // namespace
}  // namespace weightfs::kv
