#include "weightfs/file/staging.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "weightfs/base/fault.h"

namespace weightfs::file {
namespace {

constexpr std::size_t kReservedDescriptors = 128;
constexpr std::uint64_t kLargestReserveBytes = std::uint64_t{64} << 20;

constexpr std::uint64_t kLeastReserveBytes = std::uint64_t{1} << 20;
constexpr const char* kReserveName = "/reserve";

struct Room {
  std::uint64_t available_bytes = 0;
  std::uint64_t reserve_bytes = 0;  // that metadata should find
};

Result<Room> room_on(const std::string& path) {
  struct statvfs status {};
  if (::statvfs(path.c_str(), &status) != 0) return fail_errno(errno, "statvfs " + path);
  const std::uint64_t total = static_cast<std::uint64_t>(status.f_blocks) * status.f_frsize;
  return Room{.available_bytes = static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize,
              .reserve_bytes = std::min(kLargestReserveBytes, total / 50)};
}

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// A staging file's name is its id in decimal.
bool parse_name(const char* name, std::uint64_t& id) {
  const char* end = name + std::strlen(name);
  const auto [stop, error] = std::from_chars(name, end, id);
  return error == std::errc() && stop == end;
}

// Of what the process may have, a quarter is left for everything else, or more where that is
// little: each thread that serves requests has two of its own.
std::size_t most_open_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  const std::size_t most = limit.rlim_cur;
  const std::size_t reserve = std::max(most / 4, kReservedDescriptors);
  return most - std::min(reserve, most / 4 * 3);
}

}  // namespace

StagingArea::StagingArea(std::string path, bool read_only)
    : path_(std::move(path)), read_only_(read_only), most_open_(most_open_files()) {}

Result<std::unique_ptr<StagingArea>> StagingArea::open(const std::string& path, bool read_only) {
  if (!read_only && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno(errno, "can't make " + path);
  }
  if (!read_only) ::unlink((path + kReserveName).c_str());  // of a daemon that was killed
  return std::unique_ptr<StagingArea>(new StagingArea(path, read_only));
}

std::string StagingArea::path_of(tree::StagingId id) const {
  return path_ + "/" + std::to_string(number(id));
}

Result<std::shared_ptr<StagedFile>> StagingArea::create(tree::StagingId id) {
  WEIGHTFS_TRY(fault::check("staging.create"));
  WEIGHTFS_ASSIGN(UniqueFd fd, open_file(path_of(id), O_RDWR | O_CREAT | O_EXCL, 0600));
  has_new_names_ = true;
  return std::make_shared<StagedFile>(id, std::move(fd), open_count_);
}

Result<std::shared_ptr<StagedFile>> StagingArea::open_existing(tree::StagingId id) const {
  WEIGHTFS_ASSIGN(UniqueFd fd, open_file(path_of(id), read_only_ ? O_RDONLY : O_RDWR));
  auto staged = std::make_shared<StagedFile>(id, std::move(fd), open_count_);
  staged->note_committed();
  return staged;
}

Status StagingArea::remove(tree::StagingId id) {
  if (::unlink(path_of(id).c_str()) != 0 && errno != ENOENT) {
    return fail_errno(errno, "can't remove " + path_of(id));
  }
  return {};
}

Result<std::vector<tree::StagingId>> StagingArea::list() const {
  std::vector<tree::StagingId> ids;
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(path_.c_str()));
  if (!directory) {
    if (errno == ENOENT) return ids;
    return fail_errno(errno, "can't list " + path_);
  }
  while (const dirent* entry = ::readdir(directory.get())) {
    std::uint64_t id = 0;
    if (parse_name(entry->d_name, id)) ids.push_back(static_cast<tree::StagingId>(id));
  }
  return ids;
}

Status StagingArea::sync_names() {
  const std::lock_guard guard(sync_mutex_);
  if (!has_new_names_.exchange(false)) return {};
  Status synced = sync_directory(path_);
  if (!synced) has_new_names_ = true;
  return synced;
}

Result<std::uint64_t> StagingArea::free_bytes() const {
  struct statvfs status {};
  if (::statvfs(path_.c_str(), &status) != 0) return fail_errno(errno, "statvfs " + path_);
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Status StagingArea::check_room(std::uint64_t wanted_bytes) const {
  WEIGHTFS_ASSIGN(const Room room, room_on(path_));
  if (room.available_bytes < room.reserve_bytes ||
      room.available_bytes - room.reserve_bytes < wanted_bytes) {
    return fail(Code::no_space, "the store's disk is full");
  }
  return {};
}

Status StagingArea::keep_reserve() {
  const std::lock_guard guard(reserve_mutex_);
  WEIGHTFS_ASSIGN(const Room room, room_on(path_));
  if (reserve_bytes_ >= room.reserve_bytes) return {};
  if (room.available_bytes < room.reserve_bytes * 2) {
    return fail(Code::no_space, "the store's disk is full");
  }
  if (!reserve_) {
    WEIGHTFS_ASSIGN(reserve_, open_file(path_ + kReserveName, O_RDWR | O_CREAT, 0600));
  }
  const int refused = ::posix_fallocate(reserve_.get(), 0, static_cast<off_t>(room.reserve_bytes));
  if (refused != 0) return fail_errno(refused, "can't keep room for the metadata");
  reserve_bytes_ = room.reserve_bytes;
  return {};
}

bool StagingArea::yield_reserve() {
  const std::lock_guard guard(reserve_mutex_);
  if (reserve_bytes_ == 0) return false;
  reserve_bytes_ = reserve_bytes_ > kLeastReserveBytes ? reserve_bytes_ / 2 : 0;
  return ::ftruncate(reserve_.get(), static_cast<off_t>(reserve_bytes_)) == 0;
}

void StagingArea::drop_reserve() {
  const std::lock_guard guard(reserve_mutex_);
  if (!reserve_) return;
  reserve_ = UniqueFd();
  reserve_bytes_ = 0;
  ::unlink((path_ + kReserveName).c_str());
}

}  // namespace weightfs::file
