#include "weightfs/base/worker_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <latch>
#include <semaphore>
#include <string>

namespace weightfs {
namespace {

TEST(WorkerPool, RunsEveryTaskBeforeItsDestructorReturns) {
  std::atomic<int> count{0};
  {
    WorkerPool pool({.thread_count = 3, .queue_capacity = 4});
    EXPECT_EQ(pool.thread_count(), 3u);
    for (int i = 0; i < 1000; ++i) pool.submit([&count] { ++count; });
  }
  EXPECT_EQ(count, 1000);
}

TEST(WorkerPool, LetsOthersFirstWhereItIsAskedTo) {
  int policy = -1;
  int own_policy = -1;
  {
    WorkerPool pool({.thread_count = 1, .only_when_idle = true});
    pool.submit([&policy] { policy = ::sched_getscheduler(0); });
  }
  {
    WorkerPool pool({.thread_count = 1});
    pool.submit([&own_policy] { own_policy = ::sched_getscheduler(0); });
  }
  EXPECT_EQ(policy, SCHED_IDLE);
  EXPECT_NE(own_policy, SCHED_IDLE);
}

TEST(WorkerPool, RunsTasksAtTheSameTime) {
  std::latch all_there(3);
  WorkerPool pool({.thread_count = 3});
  // Each waits for the others, so that one thread alone would never finish.
  for (int i = 0; i < 3; ++i) pool.submit([&all_there] { all_there.arrive_and_wait(); });
}

TEST(WorkerPool, NamesItsThreads) {
  std::string name(16, '\0');
  {
    WorkerPool pool({.name = "a name that is too long", .thread_count = 1});
    pool.submit([&name] { pthread_getname_np(pthread_self(), name.data(), name.size()); });
  }
  EXPECT_EQ(name.c_str(), std::string("a name that is "));
}

// One thread, held up, and a queue with room for one.
class FullWorkerPool : public testing::Test {
 protected:
  void fill() {
    pool.submit([this] {
      is_running.release();
      may_finish.acquire();
    });
    is_running.acquire();
    pool.submit([this] { ++count; });
  }

  std::atomic<int> count{0};
  std::binary_semaphore is_running{0};
  std::binary_semaphore may_finish{0};
  WorkerPool pool{{.thread_count = 1, .queue_capacity = 1}};
};

TEST_F(FullWorkerPool, RefusesWhatIsOnlyTried) {
  fill();
  EXPECT_FALSE(pool.try_submit([this] { ++count; }));
  may_finish.release();
}

TEST_F(FullWorkerPool, MakesTheOneWhoSubmitsWait) {
  fill();
  std::atomic<bool> is_submitted{false};
  std::jthread submitter([&] {
    pool.submit([this] { ++count; });
    is_submitted = true;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_FALSE(is_submitted);
  may_finish.release();
  submitter.join();
  EXPECT_TRUE(is_submitted);
}

TEST(WorkerPool, TakesWhatIsTriedWhileThereIsRoom) {
  std::atomic<int> count{0};
  {
    WorkerPool pool({.thread_count = 1, .queue_capacity = 8});
    EXPECT_TRUE(pool.try_submit([&count] { ++count; }));
  }
  EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace weightfs
