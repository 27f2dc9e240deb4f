// A process that performs a script on a store until it is killed, and what its store holds
// afterwards.
#pragma once

#include <functional>
#include <string>

#include "crash_model.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::fs {

// Commits and seals come quickly, so that a crash meets them.
FilesystemOptions crash_options();

struct WorkerRun {
  std::uint64_t seed = 0;
  Contents begin;
  std::size_t operation_count = 0;
  std::string fault;           // as WEIGHTFS_FAULT; empty for none
  unsigned kill_after_us = 0;  // 0: not killed from outside
};

struct WorkerOutcome {
  std::size_t started_count = 0;
  std::size_t done_count = 0;
  bool closed = false;  // it came to its end, and closed the store
  std::string error;    // of an operation that failed, which none should
};

// Forks the worker, kills it, and tells how far it came. No store may be open in this process.
WorkerOutcome run_worker(const std::string& store_path, const WorkerRun& run);

// Performs the operations in this process: `say` is told 'S' before each and 'D' behind it.
Status work(const std::string& store_path, const WorkerRun& run,
            const std::function<void(char)>& say);

// What may be found when a run was cut off there.
Possibilities possibilities_of(const WorkerRun& run, const WorkerOutcome& outcome);

// A line for each operation on a file, and for each piece of what was found in it the operation
// after which some file held it there: for finding out why that is not possible.
std::string history_of(const WorkerRun& run, const WorkerOutcome& outcome, const std::string& name,
                       const std::string& found);

// Every file of the store's root, as read by a file system that recovers it.
Contents read_store(const std::string& store_path);
// A test failure for each thing in which the store's tables disagree.
void expect_clean(const std::string& store_path);
// Removes everything and expects that nothing is left: no blob, no recipe.
void expect_empty_when_emptied(const std::string& store_path);

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise);

}  // namespace weightfs::fs
