// Power cuts, simulated: all that the store did to its disk is recorded, and replayed up to random
// moments with only the synced part of it, or with more. WEIGHTFS_SEED and WEIGHTFS_POWER_CUTS
// choose the run; the seed is printed.
#include <gtest/gtest.h>

#include <filesystem>

#include "../support/temporary_directory.h"
#include "crash_worker.h"
#include "disk_recorder.h"

namespace weightfs::fs {
namespace {

using testing::DiskEvent;
using testing::DiskLog;
using testing::Unsynced;

WorkerOutcome outcome_at(const DiskLog& log, std::size_t cut) {
  WorkerOutcome outcome;
  for (std::size_t i = 0; i < cut; ++i) {
    if (log[i].kind != DiskEvent::Kind::mark) continue;
    ++(log[i].letter == 'S' ? outcome.started_count : outcome.done_count);
  }
  return outcome;
}

TEST(PowerCut, LeavesWhatWasSynced) {
  const std::uint64_t seed = number_from_environment("WEIGHTFS_SEED", std::random_device{}());
  const std::uint64_t cut_count = number_from_environment("WEIGHTFS_POWER_CUTS", 90);
  std::printf("WEIGHTFS_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::mt19937_64 random(seed);
  const testing::TemporaryDirectory directory;
  const std::string store = directory / "store";
  const std::string before = directory / "before";
  const std::string replayed = directory / "replayed";
  EXPECT_TRUE(read_store(store).empty());
  std::filesystem::copy(store, before, std::filesystem::copy_options::recursive);

  const WorkerRun run{.seed = random(), .begin = {}, .operation_count = 250, .fault = {}};
  testing::start_recording(store);
  const Status worked = work(store, run, testing::record_mark);
  const DiskLog log = testing::stop_recording();
  ASSERT_TRUE(worked) << worked.error().message;
  ASSERT_GT(log.size(), 1000U);

  for (std::uint64_t i = 0; i < cut_count && !::testing::Test::HasFailure(); ++i) {
    const testing::PowerCut cut{.cut = random() % (log.size() + 1),
                                .unsynced = static_cast<Unsynced>(i % 3)};
    SCOPED_TRACE("run " + std::to_string(run.seed) + " cut at " + std::to_string(cut.cut));
    std::filesystem::remove_all(replayed);
    std::filesystem::copy(before, replayed, std::filesystem::copy_options::recursive);
    testing::replay_until(log, cut, replayed, random);
    std::filesystem::remove(replayed + "/meta/lock.mdb");
    std::filesystem::remove(replayed + "/blobs/lock.mdb");
    expect_clean(replayed);
    const Contents found = read_store(replayed);
    for (const std::string& line :
         possibilities_of(run, outcome_at(log, cut.cut)).complaints(found)) {
      const std::string name = line.substr(0, line.find(' '));
      const auto file = found.find(name);
      ADD_FAILURE() << line;
      if (file != found.end()) {
        std::printf("%s", history_of(run, outcome_at(log, cut.cut), name, file->second).c_str());
      }
    }
    expect_clean(replayed);
  }
}

}  // namespace
}  // namespace weightfs::fs
