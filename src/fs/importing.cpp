// Whole files that come in without staging.
#include <sys/stat.h>

#include "impl.h"

namespace weightfs::fs {

// Puts a new inode with this content in place of whatever file has the name.
Result<InodeNumber> Filesystem::Impl::place_import(const ImportedFile& file,
                                                   const file::SealedRecipe* sealed) {
  NodePointer replaced;
  InodeNumber number = 0;
  {
    const std::unique_lock names(names_mutex);
    WEIGHTFS_TRY(check_name(file.name));
    WEIGHTFS_ASSIGN(const NodePointer parent, nodes->get(file.parent));
    WEIGHTFS_ASSIGN(const auto existing, tree->entry(file.parent, file.name));
    if (existing) {
      WEIGHTFS_ASSIGN(replaced, nodes->get(existing->inode));
      if (replaced->is_directory()) return fail(Code::is_directory, file.name + " is a directory");
    }
    const bool replaced_first = replaced && replaced->inode < parent->inode;
    std::unique_lock<std::shared_mutex> replaced_guard;
    if (replaced_first) replaced_guard = std::unique_lock(replaced->mutex);
    const std::unique_lock guard(parent->mutex);
    if (replaced && !replaced_first) replaced_guard = std::unique_lock(replaced->mutex);
    if (!parent->is_directory()) return fail(Code::not_directory, "not a directory");
    if (parent->record.link_count == 0) return fail(Code::not_found, "the directory was removed");

    number = ids->next_inode();
    const timespec now = current_time();
    tree::InodeRecord record;
    record.mode = (file.mode & 07777) | S_IFREG;
    record.link_count = 1;
    record.uid = file.uid;
    record.gid = file.gid;
    record.atime = file.atime;
    record.mtime = file.mtime;
    record.ctime = record.btime = now;
    tree::Change change(*tree);
    if (sealed != nullptr) {
      tree::RecipeHeader header = sealed->header;
      header.reference_count = 1;
      change.put_recipe(sealed->id, header);
      change.put_layout(sealed->id, sealed->layout);
      change.erase_doomed_recipe(sealed->id);
      record.content.size_bytes = record.content.recipe_limit_bytes = header.size_bytes;
      record.content.recipe = sealed->id;
      record.content.stored_bytes =
          std::max<std::uint64_t>(header.stored_bytes, sealed->has_blobs ? 1 : 0);
    }
    if (existing) {
      change.erase_entry(file.parent, file.name, *existing);
      --parent->record.entry_count;
      drop_link(change, *replaced, now);
    }
    change.put_entry(file.parent, file.name,
                     {.inode = number, .type_mode = S_IFREG, .cookie = parent->record.next_cookie});
    ++parent->record.next_cookie;
    ++parent->record.entry_count;
    parent->record.mtime = parent->record.ctime = now;
    put_record(change, *parent);
    change.put_inode(number, record);
    for (const auto& [name, value] : file.xattrs) change.put_xattr(number, name, value);
    tree->apply(std::move(change));
  }
  if (replaced) remove_if_unknown(replaced);
  if (ChangeObserver* told = observer) told->entry_changed(file.parent, file.name);
  return number;
}

void Filesystem::import_file(const ImportedFile& file, const ByteSource& source,
                             std::function<void(Result<ImportResult>)> done) {
  if (impl_->options.read_only) return done(fail(Code::read_only, "opened read-only"));
  if (source.size_bytes() == 0) {
    const Result<InodeNumber> placed = impl_->place_import(file, nullptr);
    if (!placed) return done(tl::unexpected(placed.error()));
    return done(ImportResult{.inode = *placed, .new_stored_bytes = 0});
  }
  file::IngestFile ingested;
  ingested.source = &source;
  ingested.name = file.name;
  ingested.owner_uid = file.uid;
  ingested.done = [this, file, done](Result<file::SealedRecipe> sealed) {
    if (!sealed) return done(tl::unexpected(std::move(sealed.error())));
    const Result<InodeNumber> placed = impl_->place_import(file, &*sealed);
    impl_->references->end_building(sealed->id);
    if (!placed) return done(tl::unexpected(placed.error()));
    done(ImportResult{.inode = *placed, .new_stored_bytes = sealed->header.stored_bytes});
  };
  impl_->ingest->add(ingested);
}

void Filesystem::finish_imports() {
  impl_->ingest->flush();
}

}  // namespace weightfs::fs
