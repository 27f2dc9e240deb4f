// Damage anywhere in a data file: an error or the right bytes, and never the end of the process.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "temporary_directory.h"
#include "weightfs/base/fd.h"
#include "weightfs/kv/buffered.h"
#include "weightfs/kv/environment.h"

namespace weightfs::kv {
namespace {

constexpr std::uint64_t kPageBytes = 4096;

std::string key_of(std::uint64_t number) {
  std::string key;
  append_big_endian(key, number);
  return key;
}

// Mostly small, some with pages of their own.
std::string value_of(std::uint64_t number) {
  const std::size_t size = number % 17 == 0 ? 6000 : 20 + number % 300;
  return std::string(size, static_cast<char>('a' + number % 26));
}

// A closed environment with two tables whose trees have three levels, and with free pages.
class DamageTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kCount = 600;

  DamageTest() {
    open();
    fill(kCount * 2);
    shrink();
    close();
    whole = *read_whole_file(data_path());
  }

  void open() {
    auto opened = Environment::open({.path = path()});
    ASSERT_TRUE(opened) << opened.error().message;
    environment = std::move(*opened);
    use_tables();
  }
  void use_tables() {
    table = *environment->open_table("things");
    other_table = *environment->open_table("others");
    buffered = std::make_unique<Buffered>(*environment);
  }
  void close() {
    buffered.reset();
    environment.reset();
  }
  void fill(std::uint64_t count) {
    Batch batch;
    for (std::uint64_t i = 0; i < count; ++i) {
      batch.put(table, key_of(i), value_of(i));
      batch.put(other_table, key_of(i * 7919 % 10007), value_of(i));
    }
    buffered->apply(std::move(batch));
    ASSERT_TRUE(buffered->commit());
  }
  void shrink() {
    Batch batch;
    for (std::uint64_t i = kCount; i < kCount * 2; ++i) batch.erase(table, key_of(i));
    buffered->apply(std::move(batch));
    ASSERT_TRUE(buffered->commit());
  }

  std::string path() const { return directory.path() + "/env"; }
  std::string data_path() const { return path() + "/data.mdb"; }
  void overwrite(std::uint64_t offset, std::string_view bytes) {
    const UniqueFd fd = *open_file(data_path(), O_WRONLY);
    ASSERT_TRUE(write_exactly(fd.get(), offset, bytes_of(bytes)));
  }
  void restore() {
    std::filesystem::resize_file(data_path(), whole.size());
    overwrite(0, whole);
  }
  void flip(std::uint64_t bit) {
    const char flipped = static_cast<char>(whole[bit / 8] ^ (1 << bit % 8));
    overwrite(bit / 8, {&flipped, 1});
  }

  // Uses a store that may be damaged as weightfs does; what it reads is right, or it is an error.
  void use_all() {
    auto opened = Environment::open({.path = path()});
    if (!opened) return;
    environment = std::move(*opened);
    const auto first = environment->open_table("things");
    const auto second = environment->open_table("others");
    if (first && second) {
      use_tables();
      read_all();
      write_some();
      read_all();
    }
    close();
  }
  void read_all() {
    for (std::uint64_t i = 0; i < kCount; ++i) {
      const auto found = buffered->get(table, key_of(i));
      if (found && *found) {
        ASSERT_TRUE(**found == value_of(i));
      }
    }
    for (const Table each : {table, other_table}) {
      (void)buffered->scan(each, "", "", 10'000);
      (void)buffered->last_before(each, key_of(500));
      (void)buffered->damaged_keys(each);
    }
    (void)environment->stats();
  }
  void write_some() {
    Batch batch;
    for (std::uint64_t i = 0; i < kCount; i += 3) {
      batch.erase(other_table, key_of(i));
      batch.put(table, key_of(i), value_of(i));
    }
    buffered->apply(std::move(batch));
    (void)buffered->commit();
  }

  TemporaryDirectory directory;
  std::unique_ptr<Environment> environment;
  std::unique_ptr<Buffered> buffered;
  Table table;
  Table other_table;
  std::string whole;
};

TEST_F(DamageTest, IsNotSeenWhereThereIsNone) {
  EXPECT_TRUE(Environment::verify(path()));
  open();
  read_all();
}

TEST_F(DamageTest, OfOneBitIsAnErrorOrHarmless) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 150 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(i);
    flip(random() % (whole.size() * 8));
    use_all();
    restore();
  }
}

// Where LMDB keeps what it follows: page headers and the offsets behind them.
TEST_F(DamageTest, OfTheFirstBytesOfAPageIsAnErrorOrHarmless) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 150 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(i);
    const std::uint64_t page = 2 + random() % (whole.size() / kPageBytes - 2);
    flip((page * kPageBytes + random() % 64) * 8 + random() % 8);
    use_all();
    restore();
  }
}

TEST_F(DamageTest, OfWholePagesIsAnErrorOrHarmless) {
  std::mt19937_64 random(3);
  const std::uint64_t page_count = whole.size() / kPageBytes;
  for (int i = 0; i < 150 && !HasFatalFailure(); ++i) {
    SCOPED_TRACE(i);
    const std::uint64_t source = random() % page_count;
    overwrite(random() % page_count * kPageBytes,
              std::string_view(whole).substr(source * kPageBytes, kPageBytes));
    use_all();
    restore();
  }
}

TEST_F(DamageTest, ByCuttingTheFileIsAnErrorOrHarmless) {
  for (std::uint64_t size = 0; size < whole.size(); size += 23 * kPageBytes / 2) {
    SCOPED_TRACE(size);
    std::filesystem::resize_file(data_path(), size);
    use_all();
    restore();
  }
}

TEST_F(DamageTest, IsFoundByAWholeWalkInAValuesHeader) {
  // The first page of a big value is the one whose header has the overflow flag.
  std::uint64_t page = 2;
  while (page * kPageBytes < whole.size() && whole[page * kPageBytes + 10] != 4) ++page;
  ASSERT_LT(page * kPageBytes, whole.size());
  overwrite(page * kPageBytes + 12, std::string("\xFF\xFF\0\0", 4));
  const Status found = Environment::verify(path());
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::corrupt);
}

}  // namespace
}  // namespace weightfs::kv
