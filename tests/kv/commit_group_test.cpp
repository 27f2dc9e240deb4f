#include "../../src/kv/commit_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <semaphore>
#include <thread>
#include <vector>

namespace weightfs::kv {
namespace {

TEST(CommitGroup, DoesNothingForWhatIsDurable) {
  CommitGroup group;
  ASSERT_TRUE(group.commit(3, [] { return CommitGroup::Outcome{5, {}}; }));
  EXPECT_TRUE(group.commit(5, []() -> CommitGroup::Outcome {
    ADD_FAILURE() << "a commit for nothing";
    return {5, {}};
  }));
}

TEST(CommitGroup, GivesTheErrorToTheOneWhoCommittedAndTriesAgainLater) {
  CommitGroup group;
  const Status failed = group.commit(1, [] {
    return CommitGroup::Outcome{1, fail(Code::io, "broken")};
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::io);
  EXPECT_TRUE(group.commit(1, [] { return CommitGroup::Outcome{1, {}}; }));
}

// One commit is held up; those who come meanwhile share the next.
class SharedCommit : public testing::Test {
 protected:
  static constexpr int kWaiters = 6;

  Status commit(std::uint64_t wanted) {
    return group.commit(wanted, [this] {
      if (commit_count++ == 0) {
        first_is_running.count_down();
        may_finish.acquire();
        return CommitGroup::Outcome{1, {}};
      }
      return CommitGroup::Outcome{1 + kWaiters, second_status};
    });
  }

  // Returns what the waiters got.
  std::vector<Status> run() {
    std::vector<Status> results(kWaiters);
    std::jthread first([this] { EXPECT_TRUE(commit(1)); });
    first_is_running.wait();
    std::vector<std::jthread> waiters;
    std::latch all_there(kWaiters);
    for (int i = 0; i < kWaiters; ++i) {
      waiters.emplace_back([&, i] {
        all_there.count_down();
        results[static_cast<std::size_t>(i)] = commit(2 + static_cast<std::uint64_t>(i));
      });
    }
    all_there.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    may_finish.release();
    waiters.clear();
    return results;
  }

  CommitGroup group;
  Status second_status;
  std::atomic<int> commit_count{0};
  std::latch first_is_running{1};
  std::binary_semaphore may_finish{0};
};

TEST_F(SharedCommit, IsOneForAllWhoWait) {
  for (const Status& result : run()) EXPECT_TRUE(result);
  EXPECT_EQ(commit_count, 2);
}

TEST_F(SharedCommit, TellsAllWhoWaitThatItFailed) {
  second_status = fail(Code::no_space, "full");
  for (const Status& result : run()) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::no_space);
  }
}

}  // namespace
}  // namespace weightfs::kv
