#include "weightfs/kv/environment.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <filesystem>

#include "data_file.h"
#include "free_pages.h"
#include "lmdb_error.h"
#include "mapping.h"
#include "open_once.h"
#include "transaction_impl.h"
#include "weightfs/base/fd.h"

namespace weightfs::kv {

struct Environment::Impl {
  OpenOnce claim;  // released last
  EnvHandle env;
  bool read_only = false;
  std::unique_ptr<ReaderPool> readers;  // its transactions end before the environment does
  std::unique_ptr<FreePagePuncher> puncher;
  std::optional<MutableByteSpan> mapping;  // of the data file
};

namespace {

constexpr std::uint64_t kMinMapBytes = std::uint64_t{1} << 28;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
// The sanitizers' shadow takes most of the address space.
constexpr std::uint64_t kMaxMapBytes = std::uint64_t{1} << 36;
#else
constexpr std::uint64_t kMaxMapBytes = std::uint64_t{1} << 46;
#endif

std::string data_path(const EnvironmentOptions& options) {
  return options.path + "/data.mdb";
}

Result<EnvHandle> open_with_map(const EnvironmentOptions& options, std::uint64_t map_bytes) {
  MDB_env* created = nullptr;
  if (const int rc = mdb_env_create(&created); rc != MDB_SUCCESS) {
    return fail_lmdb(rc, "can't create an environment");
  }
  EnvHandle env(created);
  mdb_env_set_maxdbs(env.get(), options.max_tables);
  mdb_env_set_maxreaders(env.get(), options.max_readers);
  mdb_env_set_mapsize(env.get(), map_bytes);
  const unsigned flags = MDB_NOTLS | (options.read_only ? MDB_RDONLY : 0U);
  const int rc = mdb_env_open(env.get(), options.path.c_str(), flags, 0600);
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't open " + data_path(options));
  return env;
}

Result<EnvHandle> open_with_largest_map(const EnvironmentOptions& options) {
  std::uint64_t map_bytes = std::min(options.map_size_bytes, kMaxMapBytes);
  for (;;) {
    auto env = open_with_map(options, map_bytes);
    if (env || env.error().code != Code::no_memory || map_bytes / 2 < kMinMapBytes) return env;
    map_bytes /= 2;
  }
}

int data_fd_of(MDB_env* env) {
  int fd = -1;
  mdb_env_get_fd(env, &fd);
  return fd;
}

Status make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0) {
    return sync_directory(std::filesystem::path(path) / "..");
  }
  if (errno == EEXIST) return {};
  return fail_errno(errno, "can't make " + path);
}

Result<EnvHandle> open_checked(const EnvironmentOptions& options) {
  WEIGHTFS_ASSIGN(
      const std::uint64_t file_bytes,
      check_data_file(data_path(options), {.max_page_count = options.max_checked_pages,
                                           .looks_at_values = options.checks_value_pages}));
  if (options.read_only && file_bytes == 0) {
    return fail(Code::not_found, data_path(options) + " is not there");
  }
  WEIGHTFS_ASSIGN(EnvHandle env, open_with_largest_map(options));
  if (file_bytes == 0) WEIGHTFS_TRY(sync_directory(options.path));
  return env;
}

}  // namespace

Environment::Environment(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Environment::~Environment() = default;

Result<std::unique_ptr<Environment>> Environment::open(const EnvironmentOptions& options) {
  if (!options.read_only) WEIGHTFS_TRY(make_directory(options.path));
  auto impl = std::make_unique<Impl>();
  WEIGHTFS_ASSIGN(impl->claim, OpenOnce::claim(options.path));
  WEIGHTFS_ASSIGN(impl->env, open_checked(options));
  impl->read_only = options.read_only;
  impl->readers = std::make_unique<ReaderPool>(impl->env.get());
  impl->puncher = std::make_unique<FreePagePuncher>(impl->env.get());
  impl->mapping = find_mapping(data_fd_of(impl->env.get()));
  int dead_count = 0;
  mdb_reader_check(impl->env.get(), &dead_count);
  return std::make_unique<Environment>(std::move(impl));
}

Status Environment::verify(const std::string& path) {
  WEIGHTFS_ASSIGN(const OpenOnce claim, OpenOnce::claim(path));
  WEIGHTFS_TRY(
      check_data_file(path + "/data.mdb", {.max_page_count = kEveryPage, .looks_at_values = true}));
  return {};
}

namespace {

// Opens a table in a transaction of its own; `flags` is 0 or MDB_CREATE.
Result<std::optional<Table>> open_table_with(MDB_env* env, const std::string& name,
                                             unsigned flags) {
  WEIGHTFS_ASSIGN(TxnHandle txn, begin(env, flags == 0 ? MDB_RDONLY : 0U));
  MDB_dbi dbi = 0;
  int rc = mdb_dbi_open(txn.get(), name.c_str(), flags, &dbi);
  if (rc == MDB_NOTFOUND) return std::nullopt;
  if (rc == MDB_SUCCESS) rc = mdb_txn_commit(txn.release());
  if (rc != MDB_SUCCESS) return fail_lmdb(rc, "can't open table " + name);
  return Table{dbi};
}

}  // namespace

Result<Table> Environment::open_table(const std::string& name) {
  // Only a table that is not there needs a transaction that writes, and waits for the disk.
  WEIGHTFS_ASSIGN(auto table, open_table_with(impl_->env.get(), name, 0));
  if (!table && !impl_->read_only) {
    WEIGHTFS_ASSIGN(table, open_table_with(impl_->env.get(), name, MDB_CREATE));
  }
  if (!table) return fail(Code::corrupt, "there is no table " + name + " in this store");
  return *table;
}

Result<ReadTransaction> Environment::begin_read() const {
  WEIGHTFS_ASSIGN(TxnHandle txn, impl_->readers->take());
  return ReadTransaction(std::make_unique<ReadTransaction::Impl>(*impl_->readers, std::move(txn)));
}

Result<WriteTransaction> Environment::begin_write() {
  if (impl_->read_only) return fail(Code::read_only, "the store is open for reading only");
  WEIGHTFS_ASSIGN(TxnHandle txn, begin(impl_->env.get(), 0));
  auto transaction = std::make_unique<WriteTransaction::Impl>();
  transaction->env = impl_->env.get();
  transaction->readers = impl_->readers.get();
  transaction->txn = std::move(txn);
  MDB_stat stat{};
  mdb_env_stat(impl_->env.get(), &stat);
  transaction->page_bytes = stat.ms_psize;
  return WriteTransaction(std::move(transaction));
}

Result<EnvironmentStats> Environment::stats() const {
  MDB_stat stat{};
  mdb_env_stat(impl_->env.get(), &stat);
  struct stat file {};
  if (::fstat(data_fd(), &file) != 0) return fail_errno(errno, "can't stat data.mdb");
  WEIGHTFS_ASSIGN(const std::uint64_t free_count, free_page_count(impl_->env.get()));
  return EnvironmentStats{.page_bytes = stat.ms_psize,
                          .file_bytes = static_cast<std::uint64_t>(file.st_size),
                          .free_bytes = free_count * stat.ms_psize};
}

Result<PunchProgress> Environment::punch_free_pages() {
  if (impl_->read_only) return fail(Code::read_only, "the store is open for reading only");
  return impl_->puncher->step();
}

void Environment::will_need(ByteSpan value) {
  if (value.empty()) return;
  static const auto page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  // madvise wants a page's start; what lies before the value in its first page comes with it
  // anyway.
  const std::uintptr_t into_page = std::bit_cast<std::uintptr_t>(value.data()) % page_bytes;
  std::byte* start = const_cast<std::byte*>(value.data()) - into_page;
  (void)::madvise(start, value.size() + into_page, MADV_WILLNEED);
}

void Environment::drop_resident() const {
  struct stat file {};
  if (!impl_->mapping || ::fstat(data_fd(), &file) != 0) return;
  const auto used = std::min(impl_->mapping->size(), static_cast<std::size_t>(file.st_size));
  // A hint: where it fails, the memory is counted, and nothing else is different.
  (void)::madvise(impl_->mapping->data(), used, MADV_DONTNEED);
}

int Environment::data_fd() const {
  return data_fd_of(impl_->env.get());
}

}  // namespace weightfs::kv
