#include "store_writer.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>

#include "store_path.h"

namespace weightfs::ops::transfer {
namespace {

// Tells how much of a file has been read; never more than the file has, however often parts are
// read.
class CountingSource final : public ByteSource {
 public:
  CountingSource(const ByteSource& source, const std::function<void(std::uint64_t)>& advance)
      : source_(source), advance_(advance) {}
  ~CountingSource() override { tell(source_.size_bytes()); }

  std::uint64_t size_bytes() const override { return source_.size_bytes(); }
  Status read_at(std::uint64_t offset_bytes, MutableByteSpan target) const override {
    WEIGHTFS_TRY(source_.read_at(offset_bytes, target));
    tell(target.size());
    return {};
  }
  std::uint64_t next_data(std::uint64_t offset_bytes) const override {
    return source_.next_data(offset_bytes);
  }

 private:
  void tell(std::uint64_t bytes) const {
    const std::lock_guard guard(mutex_);
    const std::uint64_t more = std::min(bytes, source_.size_bytes() - told_);
    told_ += more;
    if (advance_ && more > 0) advance_(more);
  }

  const ByteSource& source_;
  const std::function<void(std::uint64_t)>& advance_;
  mutable std::mutex mutex_;  // protects told_, and that it is told in order
  mutable std::uint64_t told_ = 0;
};

bool is_not_found(const Error& error) {
  return error.code == Code::not_found;
}

fs::SetAttributes attributes_of(const Item& item) {
  fs::SetAttributes wanted;
  if (!S_ISLNK(item.mode)) wanted.mode = item.mode & 07777;
  wanted.uid = item.uid;
  wanted.gid = item.gid;
  wanted.atime = fs::SetAttributes::Time{.now = false, .value = item.atime};
  wanted.mtime = fs::SetAttributes::Time{.now = false, .value = item.mtime};
  return wanted;
}

bool is_same_file(const Item& item, const fs::Attributes& existing) {
  return S_ISREG(existing.mode) && existing.size_bytes == item.size_bytes &&
         same_time(existing.mtime, item.mtime);
}

}  // namespace

Status StoreWriter::add(const Item& item, UniqueFd content) {
  const std::uint64_t number = next_number_++;
  if (item.is_finish) {
    unfinished_.emplace_back(number, item);
  } else if (S_ISREG(item.mode) && item.hard_link_to.empty()) {
    place_file(item, std::move(content), number);
  } else {
    finish(number, place(item));
  }
  return {};
}

// What comes into a directory changes its times, so they are set when all of it is there.
Result<std::vector<ItemResult>> StoreWriter::flush() {
  filesystem_.finish_imports();
  for (const auto& [number, item] : unfinished_) finish(number, finish_directory(item));
  unfinished_.clear();
  const std::lock_guard guard(mutex_);
  return std::exchange(results_, {});
}

void StoreWriter::finish(std::uint64_t number, const Result<Outcome>& outcome,
                         std::uint64_t stored_bytes) {
  const std::lock_guard guard(mutex_);
  results_.push_back({.number = number,
                      .outcome = outcome ? *outcome : Outcome::failed,
                      .stored_bytes = stored_bytes,
                      .error = outcome ? "" : outcome.error().message});
}

Result<Outcome> StoreWriter::place(const Item& item) {
  const auto [directory, name] = split_path(item.path);
  if (name.empty()) return Outcome::skipped;  // the root
  WEIGHTFS_ASSIGN(const fs::Attributes parent, find_path(filesystem_, directory));
  if (S_ISDIR(item.mode)) return make_directory(item, parent.inode, name);
  if (!item.hard_link_to.empty()) return make_link(item, parent.inode, name);
  return make_special(item, parent.inode, name);
}

Result<Outcome> StoreWriter::finish_directory(const Item& item) {
  WEIGHTFS_ASSIGN(const fs::Attributes existing, find_path(filesystem_, item.path));
  WEIGHTFS_TRY(set_metadata(existing.inode, item));
  return Outcome::skipped;  // counted when it was made
}

// A directory gets its metadata when all is in it; until then its owner can write.
Result<Outcome> StoreWriter::make_directory(const Item& item, fs::InodeNumber parent,
                                            std::string_view name) {
  const auto made = filesystem_.make_directory(parent, name, 0700,
                                               {.uid = item.uid, .gid = item.gid, .umask = 0});
  if (made) {
    filesystem_.forget(made->inode, 1);
    return Outcome::copied;
  }
  if (made.error().code != Code::exists) return tl::unexpected(made.error());
  WEIGHTFS_ASSIGN(const fs::Attributes existing, find_path(filesystem_, item.path));
  if (!S_ISDIR(existing.mode)) return fail(Code::not_directory, "something else is there");
  return Outcome::skipped;
}

Status StoreWriter::remove_other(fs::InodeNumber parent, std::string_view name,
                                 const fs::Attributes& existing) {
  if (S_ISDIR(existing.mode)) return fail(Code::is_directory, "a directory is there");
  return filesystem_.unlink(parent, name);
}

Result<Outcome> StoreWriter::make_link(const Item& item, fs::InodeNumber parent,
                                       std::string_view name) {
  filesystem_.finish_imports();  // the first name may still be on its way
  WEIGHTFS_ASSIGN(const fs::Attributes first, find_path(filesystem_, item.hard_link_to));
  const auto existing = find_path(filesystem_, item.path);
  if (existing && existing->inode == first.inode) return Outcome::skipped;
  if (existing) WEIGHTFS_TRY(remove_other(parent, name, *existing));
  WEIGHTFS_ASSIGN(const fs::Attributes linked, filesystem_.link(first.inode, parent, name));
  filesystem_.forget(linked.inode, 1);
  return Outcome::copied;
}

Result<Outcome> StoreWriter::make_special(const Item& item, fs::InodeNumber parent,
                                          std::string_view name) {
  const fs::Caller caller{.uid = item.uid, .gid = item.gid, .umask = 0};
  const auto existing = find_path(filesystem_, item.path);
  if (!existing && !is_not_found(existing.error())) return tl::unexpected(existing.error());
  if (existing) WEIGHTFS_TRY(remove_other(parent, name, *existing));
  WEIGHTFS_ASSIGN(const fs::Attributes made,
                  S_ISLNK(item.mode)
                      ? filesystem_.make_symlink(parent, name, item.symlink_target, caller)
                      : filesystem_.make_node(parent, name, item.mode, item.device, caller));
  const Looked looked(filesystem_, made.inode);
  WEIGHTFS_TRY(set_metadata(made.inode, item));
  return Outcome::copied;
}

Status StoreWriter::set_metadata(fs::InodeNumber inode, const Item& item) {
  WEIGHTFS_ASSIGN(const std::vector<std::string> names, filesystem_.list_xattrs(inode));
  for (const std::string& name : names) {
    const bool wanted = std::any_of(item.xattrs.begin(), item.xattrs.end(),
                                    [&](const auto& xattr) { return xattr.first == name; });
    if (!wanted) WEIGHTFS_TRY(filesystem_.remove_xattr(inode, name));
  }
  for (const auto& [name, value] : item.xattrs) {
    WEIGHTFS_TRY(
        filesystem_.set_xattr(inode, name, bytes_of(value), fs::XattrMode::create_or_replace));
  }
  WEIGHTFS_TRY(filesystem_.set_attributes(inode, attributes_of(item)));
  return {};
}

void StoreWriter::place_file(const Item& item, UniqueFd content, std::uint64_t number) {
  const auto [directory, name] = split_path(item.path);
  const auto parent = find_path(filesystem_, directory);
  if (!parent) return finish(number, tl::unexpected(parent.error()));
  const auto existing = find_path(filesystem_, item.path);
  if (existing && is_same_file(item, *existing)) {
    if (advance_) advance_(item.size_bytes);
    const Status same = set_metadata(existing->inode, item);
    return finish(number, same ? Result<Outcome>(Outcome::skipped) : tl::unexpected(same.error()));
  }
  const FdSource source(std::move(content), item.size_bytes);
  const CountingSource counted(source, advance_);
  fs::Filesystem::ImportedFile file;
  file.parent = parent->inode;
  file.name = name;
  file.mode = item.mode;
  file.uid = item.uid;
  file.gid = item.gid;
  file.atime = item.atime;
  file.mtime = item.mtime;
  file.xattrs = item.xattrs;
  filesystem_.import_file(file, counted,
                          [this, number](Result<fs::Filesystem::ImportResult> imported) {
                            if (!imported)
                              return finish(number, tl::unexpected(std::move(imported.error())));
                            finish(number, Outcome::copied, imported->new_stored_bytes);
                          });
}

}  // namespace weightfs::ops::transfer
