// Loops over independent pieces, spread over a pool and the calling thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <latch>

#include "weightfs/base/worker_pool.h"

namespace weightfs {

// Calls body(i) for every i in [0, count), in no order, and returns when all have returned. Not
// from inside a task of the same pool. `body` must not throw.
template <class Body>
void parallel_for(WorkerPool& pool, std::size_t count, const Body& body) {
  if (count <= 1 || pool.thread_count() == 0) {
    for (std::size_t i = 0; i < count; ++i) body(i);
    return;
  }
  const std::size_t helper_count = std::min(pool.thread_count(), count - 1);
  std::atomic<std::size_t> next{0};
  std::latch done(static_cast<std::ptrdiff_t>(helper_count));
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) body(i);
  };
  for (std::size_t helper = 0; helper < helper_count; ++helper) {
    pool.submit([&] {
      work();
      done.count_down();
    });
  }
  work();
  done.wait();
}

}  // namespace weightfs
