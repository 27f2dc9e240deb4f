#include "free_pages.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <vector>

#include "lmdb_error.h"
#include "weightfs/base/fault.h"

namespace weightfs::kv {
namespace {

constexpr MDB_dbi kFreeTable = 0;  // of freed pages: transaction id -> count, page numbers
// Single pages are those of the trees, which the next commits use again.
constexpr std::uint64_t kShortestRunBytes = 16 << 10;
// Bounds how long writers wait.
constexpr std::size_t kRunsPerStep = 512;

struct PageRun {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// The oldest transaction whose pages a reader may see; `newest` where nobody reads.
std::uint64_t oldest_reader(MDB_env* env, std::uint64_t newest) {
  struct Search {
    std::uint64_t oldest;
  } search{newest};
  // LMDB tells of readers in lines "pid thread transaction" only; "-" is one that reads nothing.
  const auto read_line = [](const char* line, void* context) {
    int pid = 0;
    unsigned long long thread = 0;
    unsigned long long transaction = 0;
    if (std::sscanf(line, "%d %llx %llu", &pid, &thread, &transaction) == 3) {
      auto& oldest = static_cast<Search*>(context)->oldest;
      oldest = std::min<std::uint64_t>(oldest, transaction);
    }
    return 0;
  };
  mdb_reader_list(env, read_line, &search);
  return search.oldest;
}

std::vector<PageRun> runs_of(std::vector<std::uint64_t> pages) {
  std::sort(pages.begin(), pages.end());
  std::vector<PageRun> runs;
  for (const std::uint64_t page : pages) {
    if (!runs.empty() && runs.back().end == page) {
      ++runs.back().end;
    } else {
      runs.push_back({page, page + 1});
    }
  }
  return runs;
}

void append_pages(ByteSpan list, std::vector<std::uint64_t>& pages) {
  const std::uint64_t room = list.size() / sizeof(std::uint64_t) - 1;
  const std::uint64_t count = std::min(load_unaligned<std::uint64_t>(list.data()), room);
  for (std::uint64_t i = 1; i <= count; ++i) {
    pages.push_back(load_unaligned<std::uint64_t>(list.data() + i * sizeof(std::uint64_t)));
  }
}

Status punch(int fd, std::uint64_t begin_bytes, std::uint64_t size_bytes) {
  WEIGHTFS_FAULT_POINT("kv.punch");
  constexpr int kMode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  while (::fallocate(fd, kMode, static_cast<off_t>(begin_bytes), static_cast<off_t>(size_bytes)) !=
         0) {
    if (errno == EINTR) continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS) return fail(Code::unsupported, "no holes here");
    return fail_errno(errno, "can't give back free pages");
  }
  return {};
}

}  // namespace

Status for_each_free_list(MDB_txn* reader, std::uint64_t from_transaction,
                          const FreeListVisitor& visit) {
  MDB_cursor* opened = nullptr;
  if (const int rc = mdb_cursor_open(reader, kFreeTable, &opened); rc != MDB_SUCCESS) {
    return fail_lmdb(rc, "can't read the free pages");
  }
  const CursorHandle cursor(opened);
  MDB_val key{.mv_size = sizeof from_transaction, .mv_data = &from_transaction};
  MDB_val value{};
  int rc = mdb_cursor_get(cursor.get(), &key, &value, MDB_SET_RANGE);
  for (; rc == MDB_SUCCESS; rc = mdb_cursor_get(cursor.get(), &key, &value, MDB_NEXT)) {
    const bool is_entry =
        key.mv_size == sizeof(std::uint64_t) && value.mv_size >= sizeof(std::uint64_t);
    if (!is_entry) return fail(Code::corrupt, "a list of free pages is damaged");
    if (!visit(load_unaligned<std::uint64_t>(to_span(key).data()), to_span(value))) return {};
  }
  if (rc != MDB_NOTFOUND) return fail_lmdb(rc, "can't read the free pages");
  return {};
}

Result<std::uint64_t> free_page_count(MDB_env* env) {
  WEIGHTFS_ASSIGN(const TxnHandle reader, begin(env, MDB_RDONLY));
  std::uint64_t count = 0;
  WEIGHTFS_TRY(for_each_free_list(reader.get(), 0, [&](std::uint64_t, ByteSpan list) {
    count += load_unaligned<std::uint64_t>(list.data());
    return true;
  }));
  return count;
}

Result<PunchProgress> FreePagePuncher::step() {
  MDB_stat stat{};
  mdb_env_stat(env_, &stat);
  int fd = -1;
  mdb_env_get_fd(env_, &fd);
  const std::uint64_t page_bytes = stat.ms_psize;
  // While this one is there nobody takes free pages.
  WEIGHTFS_ASSIGN(const TxnHandle writer, begin(env_, 0));
  WEIGHTFS_ASSIGN(const TxnHandle reader, begin(env_, MDB_RDONLY));
  const std::uint64_t newest = mdb_txn_id(reader.get());
  const std::uint64_t oldest = oldest_reader(env_, newest);
  PunchProgress progress;
  std::vector<std::uint64_t> pages;
  std::uint64_t until = punched_until_;
  const std::size_t most_pages = kRunsPerStep * kShortestRunBytes / page_bytes;
  WEIGHTFS_TRY(for_each_free_list(
      reader.get(), punched_until_ + 1, [&](std::uint64_t freed_by, ByteSpan list) {
        progress.waits_for_commit = freed_by >= oldest;
        progress.more = !progress.waits_for_commit && pages.size() > most_pages;
        if (progress.waits_for_commit || progress.more) return false;
        append_pages(list, pages);
        until = freed_by;
        return true;
      }));
  for (const PageRun& run : runs_of(std::move(pages))) {
    const std::uint64_t size_bytes = (run.end - run.begin) * page_bytes;
    if (size_bytes < kShortestRunBytes) continue;
    WEIGHTFS_TRY(punch(fd, run.begin * page_bytes, size_bytes));
  }
  punched_until_ = until;
  return progress;
}

}  // namespace weightfs::kv
