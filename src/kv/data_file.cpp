#include "data_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "weightfs/base/fd.h"

namespace weightfs::kv {
Result<std::uint64_t> check_data_file(const std::string& path, PageWalkOptions options) {
  auto fd = open_file(path, O_RDONLY);
  if (!fd && fd.error().code == Code::not_found) return 0;
  if (!fd) return tl::unexpected(std::move(fd.error()));
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return fail_errno(errno, "can't stat " + path);
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  WEIGHTFS_ASSIGN(const auto meta, read_meta(fd->get(), file_bytes, path));
  if (!meta) return 0;
  // LMDB does not write the pages that a transaction took at the end and gave up again, so a file
  // may be shorter than its meta page says. Whether it lacks more than those, only a whole walk can
  // tell.
  const bool is_short = file_bytes / meta->page_bytes <= meta->last_page;
  if (is_short) options = {.max_page_count = kEveryPage, .looks_at_values = true};
  WEIGHTFS_TRY(walk_pages(fd->get(), file_bytes, *meta, options));
  return file_bytes;
}

int cause_of_failed_write(MDB_env* env, int code, std::uint64_t wanted_bytes) {
  const char* path = nullptr;
  if (code != EIO || mdb_env_get_path(env, &path) != MDB_SUCCESS) return code;
  const UniqueFd probe(::open(path, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!probe) return errno == ENOSPC || errno == EDQUOT ? errno : code;
  // Pages are written whole, and the trees above them anew.
  const auto room = static_cast<off_t>(wanted_bytes * 2 + (1 << 20));
  if (::fallocate(probe.get(), 0, 0, room) == 0) return code;
  return errno == ENOSPC || errno == EDQUOT ? errno : code;
}

}  // namespace weightfs::kv
