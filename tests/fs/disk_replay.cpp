#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "disk_recorder.h"

namespace weightfs::testing {
namespace {

using Kind = DiskEvent::Kind;

constexpr std::size_t kSectorBytes = 512;

// Where in the log each path's last sync that had returned began: what lies before is on the disk.
std::map<std::string, std::size_t> synced_until(const DiskLog& log, std::size_t cut) {
  std::map<std::string, std::size_t> until;
  for (std::size_t i = 0; i < cut; ++i) {
    if (log[i].kind != Kind::sync_end) continue;
    std::size_t& place = until[log[i].path];
    place = std::max<std::size_t>(place, log[i].offset_bytes);
  }
  return until;
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

bool is_name_event(const DiskEvent& event) {
  return event.kind == Kind::create || event.kind == Kind::remove || event.kind == Kind::rename;
}

class Replay {
 public:
  Replay(const DiskLog& log, const PowerCut& power_cut, const std::string& directory,
         std::mt19937_64& random)
      : log_(log),
        cut_(power_cut),
        directory_(directory),
        random_(random),
        synced_(synced_until(log, power_cut.cut)) {}

  void run() {
    for (std::size_t i = 0; i < cut_.cut; ++i) replay_content(i);
    replay_names();
  }

 private:
  bool is_synced(std::size_t at, const std::string& path) const {
    const auto found = synced_.find(path);
    return log_[at].is_synchronous || (found != synced_.end() && at < found->second);
  }

  bool is_kept() {
    if (cut_.unsynced == Unsynced::some) return random_() % 2 == 0;
    return cut_.unsynced == Unsynced::kept;
  }

  int open(const std::string& path) const {
    const int fd = ::open((directory_ + "/" + path).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) throw std::runtime_error("can't replay " + path);
    return fd;
  }

  // Files are written under their own names, whatever the disk says of names: that comes last.
  void replay_content(std::size_t at) {
    const DiskEvent& event = log_[at];
    const bool synced = is_synced(at, event.path);
    if (event.kind == Kind::write) {
      const int fd = open(event.path);
      write_sectors(fd, event, synced);
      ::close(fd);
    }
    if (event.kind == Kind::truncate && (synced || is_kept())) {
      const int fd = open(event.path);
      if (::ftruncate(fd, static_cast<off_t>(event.offset_bytes)) != 0) std::abort();
      ::close(fd);
    }
    if (event.kind == Kind::create) ::close(open(event.path));
  }

  void write_sectors(int fd, const DiskEvent& event, bool synced) {
    for (std::size_t begin = 0; begin < event.bytes.size();) {
      const std::size_t into_sector = (event.offset_bytes + begin) % kSectorBytes;
      const std::size_t length = std::min(kSectorBytes - into_sector, event.bytes.size() - begin);
      if (synced || is_kept()) {
        const auto offset = static_cast<off_t>(event.offset_bytes + begin);
        if (::pwrite(fd, event.bytes.data() + begin, length, offset) < 0) std::abort();
      }
      begin += length;
    }
  }

  // Names reach the disk in order, as in a journal.
  void replay_names() {
    std::vector<std::size_t> events;
    std::size_t durable_count = 0;
    for (std::size_t i = 0; i < cut_.cut; ++i) {
      if (!is_name_event(log_[i])) continue;
      events.push_back(i);
      if (is_synced(i, directory_of(log_[i].path))) durable_count = events.size();
    }
    std::size_t count = events.size();
    if (cut_.unsynced == Unsynced::lost) count = durable_count;
    if (cut_.unsynced == Unsynced::some) {
      count = durable_count + random_() % (events.size() - durable_count + 1);
    }
    for (std::size_t i = 0; i < events.size(); ++i) replay_name(log_[events[i]], i < count);
  }

  void replay_name(const DiskEvent& event, bool happened) const {
    const std::string path = directory_ + "/" + event.path;
    if (event.kind == Kind::create && !happened) ::unlink(path.c_str());
    if (event.kind == Kind::remove && happened) ::unlink(path.c_str());
    if (event.kind == Kind::rename && happened) {
      std::filesystem::rename(path, directory_ + "/" + event.other);
    }
  }

  const DiskLog& log_;
  const PowerCut cut_;
  const std::string& directory_;
  std::mt19937_64& random_;
  const std::map<std::string, std::size_t> synced_;
};

}  // namespace

void replay_until(const DiskLog& log, const PowerCut& power_cut, const std::string& directory,
                  std::mt19937_64& random) {
  Replay(log, power_cut, directory, random).run();
}

}  // namespace weightfs::testing
