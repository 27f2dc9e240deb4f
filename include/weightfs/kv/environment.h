// LMDB, behind move-only handles. The only module that sees lmdb.h.
//
// An Environment is opened once per process and path, after any fork. Read transactions may be used
// by one thread at a time and don't block anything; hold them for microseconds, since pages that
// they can see are not reused. There is one write transaction at a time, used by the thread that
// began it; begin_write() waits for the one before. Nothing is durable before commit() has
// returned, and everything is after it. Keys are 1 to 511 bytes long; others are Code::invalid.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "weightfs/base/bytes.h"
#include "weightfs/base/result.h"

namespace weightfs::kv {

struct EnvironmentOptions {
  std::string path;  // a directory, which is made when it is not there
  // Address space to reserve, not disk: halved by itself until the system grants it.
  std::uint64_t map_size_bytes = std::uint64_t{1} << 43;
  unsigned max_tables = 32;
  unsigned max_readers = 512;
  bool read_only = false;
  // Tree pages that open() looks at before it trusts the file: 256 MiB, the trees of some 400 GB of
  // blobs. A damaged page that it did not look at can end the process when it is used.
  std::uint64_t max_checked_pages = std::uint64_t{1} << 16;
  // Look also at the first page of each value that has pages of its own: a read each. Where this is
  // off, such a page is looked at before it is freed.
  bool checks_value_pages = true;
};

// A named table, opened once; a plain value, valid as long as its environment.
struct Table {
  unsigned dbi = 0;
};

struct TableStats {
  std::uint64_t entries = 0;
  std::uint64_t pages = 0;  // of the environment's page size
};

struct EnvironmentStats {
  std::uint64_t page_bytes = 0;
  std::uint64_t file_bytes = 0;  // of data.mdb
  std::uint64_t free_bytes = 0;  // pages that later commits may reuse
};

// What one step of giving free pages back to the disk left.
struct PunchProgress {
  bool more = false;              // the next step has something to do
  bool waits_for_commit = false;  // or will have, when something was committed or a reader is done
};

class Environment;

class ReadTransaction {
 public:
  ReadTransaction(ReadTransaction&&) noexcept;
  ReadTransaction& operator=(ReadTransaction&&) noexcept;
  ~ReadTransaction();

  // The value, borrowed until this transaction ends; nothing where the key is not there.
  Result<std::optional<ByteSpan>> get(Table table, std::string_view key) const;
  Result<TableStats> stats(Table table) const;

 private:
  friend class Environment;
  friend class Cursor;
  struct Impl;
  explicit ReadTransaction(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Aborted by its destructor unless committed.
class WriteTransaction {
 public:
  WriteTransaction(WriteTransaction&&) noexcept;
  WriteTransaction& operator=(WriteTransaction&&) noexcept;
  ~WriteTransaction();

  Result<std::optional<ByteSpan>> get(Table table, std::string_view key) const;
  Status put(Table table, std::string_view key, ByteSpan value);
  // A put of a key above all others in the table: fills pages fully. Falls back to put().
  Status append(Table table, std::string_view key, ByteSpan value);
  // Room for a value of `size_bytes` that the caller fills before the next call on this
  // transaction.
  Result<MutableByteSpan> reserve(Table table, std::string_view key, std::size_t size_bytes);
  // False where the key was not there. This and put() are Code::corrupt, and change nothing, where
  // the old value's pages are damaged so that they can't be freed.
  Result<bool> erase(Table table, std::string_view key);
  // Durable on success; Code::no_space or Code::io otherwise, and nothing has changed.
  Status commit();

 private:
  friend class Environment;
  friend class Cursor;
  struct Impl;
  explicit WriteTransaction(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Walks a table in key order. Lives no longer than its transaction.
class Cursor {
 public:
  static Result<Cursor> open(const ReadTransaction& transaction, Table table);
  static Result<Cursor> open(const WriteTransaction& transaction, Table table);
  Cursor(Cursor&&) noexcept;
  Cursor& operator=(Cursor&&) noexcept;
  ~Cursor();

  // Positions at the first key >= `key`; false at the end.
  Result<bool> seek(std::string_view key);
  Result<bool> next();
  Result<bool> last();
  // One back, or from the end when there is no position; false before the first.
  Result<bool> previous();
  // Both are valid after a call that answered true, until the next one.
  std::string_view key() const;
  ByteSpan value() const;

 private:
  struct Impl;
  explicit Cursor(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class Environment {
  struct Impl;

 public:
  // Code::corrupt for a truncated or foreign file, Code::newer_version for one of another LMDB,
  // Code::not_found where read_only and not there, Code::busy where this process has it open.
  static Result<std::unique_ptr<Environment>> open(const EnvironmentOptions& options);
  // Looks at every page of the trees and at every value's first page, of an environment that nobody
  // has open: Code::corrupt where one is damaged. For fsck.
  static Status verify(const std::string& path);
  explicit Environment(std::unique_ptr<Impl> impl);  // for open()
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // Opens (or, unless read-only, makes) a table. Once at start, before other threads.
  Result<Table> open_table(const std::string& name);
  Result<ReadTransaction> begin_read() const;
  Result<WriteTransaction> begin_write();
  Result<EnvironmentStats> stats() const;
  // Gives the disk back the space of free pages: a bounded step, to be repeated while there is
  // `more`. Holds begin_write() up meanwhile. Code::unsupported where the file system has no holes
  // in files. One thread at a time.
  Result<PunchProgress> punch_free_pages();
  // Starts reading the pages of a value that a transaction returned, without waiting for them.
  static void will_need(ByteSpan value);
  // Gives back the physical memory that reads through the map have made count as this process's.
  // The pages stay in the page cache, and come back when they are read. Thread-safe; nothing is
  // invalidated.
  void drop_resident() const;
  // The data file's descriptor; owned by this.
  int data_fd() const;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace weightfs::kv
