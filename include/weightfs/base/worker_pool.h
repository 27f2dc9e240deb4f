// A fixed number of threads and a bounded queue that pushes back on who fills it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weightfs {

struct WorkerPoolOptions {
  std::string name = "worker";  // shown by ps -L, at most 15 characters
  std::size_t thread_count = 2;
  std::size_t queue_capacity = 256;  // tasks that wait; submit() blocks above
  bool only_when_idle = false;       // run_only_when_idle() of base/priority.h, in each thread
};

// Thread-safe. Tasks must not throw. The destructor finishes what was submitted.
class WorkerPool {
 public:
  explicit WorkerPool(WorkerPoolOptions options);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Runs `task` on a worker; waits while the queue is full. Not from inside a task of the same
  // pool.
  void submit(std::function<void()> task);
  // The same, but gives up at once when the queue is full: for work that is only worth doing early.
  bool try_submit(std::function<void()> task);
  std::size_t thread_count() const { return threads_.size(); }

 private:
  void run(const WorkerPoolOptions& options);

  const std::size_t queue_capacity_;
  std::mutex mutex_;  // protects the queue and stopping_; a leaf in the lock order
  std::condition_variable work_available_;
  std::condition_variable room_available_;
  std::deque<std::function<void()>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weightfs
