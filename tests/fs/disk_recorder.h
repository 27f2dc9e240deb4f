// Every change that this process makes to the files below one directory, in order, and what a disk
// may hold of them when the power is cut.
//
// The recorder stands in front of the C library's calls (it defines them), for one directory at a
// time.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace weightfs::testing {

struct DiskEvent {
  enum class Kind : std::uint8_t {
    write,
    truncate,
    create,
    remove,
    rename,
    sync_begin,
    sync_end,
    mark
  };
  Kind kind = Kind::mark;
  std::string path;   // below the directory
  std::string other;  // of rename: the new path
  std::uint64_t offset_bytes =
      0;  // of truncate: the new size; of sync_end: the begin's place in the log
  std::string bytes;
  bool is_synchronous = false;  // O_DSYNC
  char letter = 0;              // of mark
};

using DiskLog = std::vector<DiskEvent>;

// From here to stop_recording(), what happens below `directory` is logged.
void start_recording(const std::string& directory);
DiskLog stop_recording();
// Puts a mark into the log, to tell what had happened when the power was cut.
void record_mark(char letter);

// What became of writes that were not synced.
enum class Unsynced : std::uint8_t { lost, kept, some };

// Brings `directory`, a copy of what the recorded one was at the start, to what a disk may hold
// when the power is cut before log[cut]: everything that was synced, a part of everything else, and
// names up to some moment behind the last sync of their directory.
struct PowerCut {
  std::size_t cut = 0;
  Unsynced unsynced = Unsynced::lost;
};
void replay_until(const DiskLog& log, const PowerCut& power_cut, const std::string& directory,
                  std::mt19937_64& random);

}  // namespace weightfs::testing
