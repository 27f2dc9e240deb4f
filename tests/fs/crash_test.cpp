// A worker that is killed at random moments and at every named fault point, hundreds of times on
// one store. WEIGHTFS_SEED and WEIGHTFS_CRASH_ROUNDS choose the run; the seed is printed.
#include <gtest/gtest.h>

#include <random>

#include "../support/temporary_directory.h"
#include "crash_worker.h"

namespace weightfs::fs {
namespace {

class CrashTest : public ::testing::Test {
 protected:
  void SetUp() override {
    seed_ = number_from_environment("WEIGHTFS_SEED", std::random_device{}());
    std::printf("WEIGHTFS_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    random_.seed(seed_);
  }

  // One run of the worker; afterwards the store's content is what the next run begins with.
  void crash(const std::string& fault, unsigned kill_after_us) {
    const WorkerRun run{.seed = random_(),
                        .begin = contents_,
                        .operation_count = 120,
                        .fault = fault,
                        .kill_after_us = kill_after_us};
    const WorkerOutcome outcome = run_worker(store_path(), run);
    SCOPED_TRACE("run " + std::to_string(run.seed) + " fault '" + fault + "' after " +
                 std::to_string(outcome.done_count) + " operations");
    ASSERT_EQ(outcome.error, "");
    if (outcome.closed) ++closed_count_;
    if (outcome.started_count > 0) expect_clean(store_path());
    contents_ = read_store(store_path());
    for (const std::string& line : possibilities_of(run, outcome).complaints(contents_)) {
      ADD_FAILURE() << line;
    }
    expect_clean(store_path());
  }

  std::string store_path() const { return directory_ / "store"; }

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
  testing::TemporaryDirectory directory_;
  Contents contents_;
  std::size_t closed_count_ = 0;
};

TEST_F(CrashTest, LeavesWhatWasSyncedWhenKilledAtAnyMoment) {
  const std::uint64_t rounds = number_from_environment("WEIGHTFS_CRASH_ROUNDS", 60);
  for (std::uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
    crash("", static_cast<unsigned>(1 + random_() % 300'000));
  }
  expect_empty_when_emptied(store_path());
}

// Every point in src/ that a run of the worker passes.
constexpr std::array kFaultPoints{
    "staging.create",      "staging.write",      "staging.sync",        "commit.before",
    "commit.after",        "kv.commit.before",   "kv.commit.written",   "kv.commit.after",
    "seal.before_put",     "seal.after_put",     "seal.before_publish", "store.put.before",
    "store.put.written",   "store.put.after",    "store.erase.before",  "store.erase.after",
    "reaper.before_erase", "reaper.after_erase",
};

TEST_F(CrashTest, LeavesWhatWasSyncedWhenKilledAtEachFaultPoint) {
  const std::uint64_t rounds = number_from_environment("WEIGHTFS_CRASH_ROUNDS", 60) / 30;
  for (const char* point : kFaultPoints) {
    const std::size_t closed_before = closed_count_;
    for (std::uint64_t round = 0; round < rounds && !HasFailure(); ++round) {
      crash(std::string(point) + ":" + std::to_string(1 + random_() % (1 + 3 * round)), 0);
    }
    EXPECT_LT(closed_count_ - closed_before, rounds) << point << " was never passed";
  }
  expect_empty_when_emptied(store_path());
}

}  // namespace
}  // namespace weightfs::fs
