// POSIX file semantics over a store, without a FUSE type in sight.
//
// A Filesystem owns everything that an open store needs: metadata, blobs, staging, the threads that
// seal and commit. All functions are thread-safe and answer from memory where they can; none calls
// back. Each is atomic: after an error nothing has changed. What a crash can lose is in
// docs/consistency.md.
//
// An inode stays known as long as it is looked up: every function that says "counts a lookup" adds
// one, forget() takes them away, and an unlinked inode goes when the last one and the last handle
// have gone (FUSE's lookup count).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/base/source.h"
#include "weightfs/codec/codec.h"
#include "weightfs/fs/types.h"

namespace weightfs::store {
class BlobStore;
}
namespace weightfs::tree {
class Tree;
}
namespace weightfs::file {
class BlockCache;
}

namespace weightfs::fs {

enum class VerifyReads : std::uint8_t { always, sampled, off };

struct FilesystemOptions {
  bool create = true;      // make the store where there is none
  bool read_only = false;  // nothing is written, not even a recovery
  bool no_directory_atime = false;
  bool no_atime = false;      // reading leaves the access time as it is
  bool strict_atime = false;  // every read that comes here moves it; otherwise as relatime says
  codec::Tier tier = codec::Tier::default_tier;
  bool portable = false;
  VerifyReads verify = VerifyReads::always;
  bool verify_dedup = false;  // compare the bytes on every dedup hit, not only across owners
  std::size_t cache_bytes = std::size_t{96} << 20;  // decoded blocks
  std::size_t worker_count = 0;                     // 0: one per core
  unsigned commit_interval_ms = 5000;
  unsigned seal_delay_ms = 200;  // how long a closed file stays quiet before it is sealed
};

// Told, with no lock held, of changes that the kernel can't know: those that did not come through
// it (import into a mounted store), from the file system's own threads, and those that follow from
// what it asked for (drop_setgid() of an open file), from the caller's.
class ChangeObserver {
 public:
  virtual ~ChangeObserver() = default;
  virtual void entry_changed(InodeNumber parent, const std::string& name) = 0;
  virtual void attributes_changed(InodeNumber inode) = 0;
};

class Filesystem {
 public:
  // Opens the store at `path`, taking its lock, and recovers it where the last daemon was killed.
  // Code::busy: another process has it (the message says which). Code::newer_version,
  // Code::corrupt: the message says what to do. Not before a fork.
  static Result<std::unique_ptr<Filesystem>> open(const std::string& path,
                                                  const FilesystemOptions& options);
  // Seals and commits everything, then gives the lock back.
  ~Filesystem();
  Filesystem(const Filesystem&) = delete;
  Filesystem& operator=(const Filesystem&) = delete;

  void set_observer(ChangeObserver* observer);

  // Names. lookup(), make_*() and link() count a lookup of what they answer.
  Result<Attributes> lookup(InodeNumber parent, std::string_view name);
  void forget(InodeNumber inode, std::uint64_t count);
  // Counts a lookup (for entries that readdirplus answered).
  Result<Attributes> remember(InodeNumber inode);
  // A regular file, fifo, socket or device.
  Result<Attributes> make_node(InodeNumber parent, std::string_view name, std::uint32_t mode,
                               std::uint64_t device, const Caller& caller);
  Result<Attributes> make_directory(InodeNumber parent, std::string_view name, std::uint32_t mode,
                                    const Caller& caller);
  Result<Attributes> make_symlink(InodeNumber parent, std::string_view name,
                                  std::string_view target, const Caller& caller);
  Result<std::string> read_symlink(InodeNumber inode);
  Result<Attributes> link(InodeNumber inode, InodeNumber new_parent, std::string_view new_name);
  Status unlink(InodeNumber parent, std::string_view name);
  Status remove_directory(InodeNumber parent, std::string_view name);
  Status rename(const RenameOptions& options);

  // Attributes. get_attributes() does not count.
  Result<Attributes> get_attributes(InodeNumber inode);
  Result<Attributes> set_attributes(InodeNumber inode, const SetAttributes& changes);
  Result<std::string> get_xattr(InodeNumber inode, std::string_view name);
  // `drops_setgid`: an access ACL takes the setgid bit away, since the caller is not in the group.
  Status set_xattr(InodeNumber inode, std::string_view name, ByteSpan value, XattrMode mode,
                   bool drops_setgid = false);
  Result<std::vector<std::string>> list_xattrs(InodeNumber inode);
  Status remove_xattr(InodeNumber inode, std::string_view name);

  // Files. `flags` are open(2)'s. create() counts a lookup and opens.
  Result<Handle> open_file(InodeNumber inode, int flags);
  struct Created {
    Attributes attributes;
    Handle handle;
  };
  Result<Created> create(InodeNumber parent, std::string_view name, std::uint32_t mode, int flags,
                         const Caller& caller);
  // An unlinked regular file in `parent`'s file system (O_TMPFILE).
  Result<Created> create_unnamed(InodeNumber parent, std::uint32_t mode, int flags,
                                 const Caller& caller);
  // Whether the next read moves the access time of this file, and is worth to come here for that
  // instead of being answered from a cache: with strict_atime, or where the file is small.
  bool awaits_first_read(Handle handle);
  Result<ReadResult> read(Handle handle, std::uint64_t offset_bytes, std::size_t size_bytes);
  // Writes all of `data` or nothing; at the end of the file if the handle was opened with O_APPEND.
  Result<std::size_t> write(Handle handle, std::uint64_t offset_bytes, ByteSpan data);
  // The same for bytes that `fill` moves into the descriptor it is given, at the offset it is given
  // (splice); it answers how many.
  using FillDescriptor = std::function<Result<std::size_t>(int fd, std::uint64_t offset_bytes)>;
  Result<std::size_t> write_from(Handle handle, std::uint64_t offset_bytes, std::size_t size_bytes,
                                 const FillDescriptor& fill);
  Status allocate(Handle handle, AllocateKind kind, std::uint64_t offset_bytes,
                  std::uint64_t length_bytes);
  // The group of a file that has the setgid bit. Who changed the content without being in that
  // group takes the bit away with drop_setgid(), as write(2) has it.
  std::optional<std::uint32_t> setgid_group(Handle handle);
  void drop_setgid(Handle handle);
  Result<std::uint64_t> seek(Handle handle, std::uint64_t offset_bytes, SeekKind kind);
  Result<std::uint64_t> copy_range(const CopyRange& range);
  // close(2): reports an error that a background seal or commit met since the last report.
  Status flush(Handle handle);
  // fsync: content and metadata of the file are durable when it returns.
  Status sync(Handle handle);
  void release(Handle handle);

  // Lends the file's descriptor, so that the kernel moves bytes to and from it by itself and nobody
  // is told (FUSE passthrough); nothing where the file is not lent. To be asked for each handle,
  // right after it was opened: as long as one handle of a file is lent, all must be. The descriptor
  // is the file system's, and open until the last lent handle of the file is released.
  std::optional<int> lend(Handle handle);
  // The handle will be served by read() and write() after all. Only for the first that was lent.
  void take_back(Handle handle);

  // Directories. Cookies are stable while the directory changes: 0 is the start, every entry has
  // the cookie of what follows it, and entries that stay are seen exactly once.
  Result<Handle> open_directory(InodeNumber inode, int flags = 0);
  Result<std::vector<DirectoryEntry>> read_directory(Handle handle, std::uint64_t cookie,
                                                     std::size_t limit);
  Status sync_directory(Handle handle);

  // The whole store.
  Result<Statistics> statistics();
  // Everything written before the call is sealed and durable when it returns.
  Status sync_all();
  // Counted for tests and for report: files waiting for their seal.
  std::size_t unsealed_file_count() const;

  // Takes apart what nothing refers to, now; the same happens by itself in the background.
  struct CollectResult {
    std::uint64_t recipes = 0;
    std::uint64_t blobs = 0;
    std::uint64_t encoded_bytes = 0;
  };
  Result<CollectResult> collect_garbage(bool dry_run);

  // Gives the disk back what replaced blobs took; erased ones do so by themselves.
  Status release_space();

  // The parts, for ops/ (report, stat, fsck). Owned by this.
  tree::Tree& tree();
  store::BlobStore& blobs();
  file::BlockCache& cache();
  const std::string& store_path() const;
  const FilesystemOptions& options() const;

  // Puts a whole file in place without staging (import): content from `source`, everything else
  // from the arguments; replaces a regular file of that name. Atomic, and durable at the next
  // commit.
  struct ImportedFile {
    InodeNumber parent = kRootInode;
    std::string name;
    std::uint32_t mode = 0100644;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    timespec atime{};
    timespec mtime{};
    std::vector<std::pair<std::string, std::string>> xattrs;
  };
  struct ImportResult {
    InodeNumber inode = 0;
    std::uint64_t new_stored_bytes = 0;
  };
  // `done` is called from another thread or this one, at the latest in finish_imports(). `source`
  // must live until import_file() returns.
  void import_file(const ImportedFile& file, const ByteSource& source,
                   std::function<void(Result<ImportResult>)> done);
  void finish_imports();

  struct Impl;  // src/fs/impl.h

 private:
  explicit Filesystem(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weightfs::fs
