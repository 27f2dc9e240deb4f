#include "weightfs/base/worker_pool.h"

#include <pthread.h>

#include "weightfs/base/priority.h"

namespace weightfs {

WorkerPool::WorkerPool(WorkerPoolOptions options) : queue_capacity_(options.queue_capacity) {
  threads_.reserve(options.thread_count);
  for (std::size_t i = 0; i < options.thread_count; ++i) {
    threads_.emplace_back([this, options] { run(options); });
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_available_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::submit(std::function<void()> task) {
  {
    std::unique_lock lock(mutex_);
    room_available_.wait(lock, [this] { return queue_.size() < queue_capacity_; });
    queue_.push_back(std::move(task));
  }
  work_available_.notify_one();
}

bool WorkerPool::try_submit(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_capacity_) return false;
    queue_.push_back(std::move(task));
  }
  work_available_.notify_one();
  return true;
}

void WorkerPool::run(const WorkerPoolOptions& options) {
  pthread_setname_np(pthread_self(), options.name.substr(0, 15).c_str());
  if (options.only_when_idle) run_only_when_idle();
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      work_available_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    room_available_.notify_one();
    task();
  }
}

}  // namespace weightfs
