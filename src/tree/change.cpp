#include "tables.h"
#include "weightfs/tree/tree.h"

namespace weightfs::tree {

void Change::put_inode(InodeNumber inode, const InodeRecord& record) {
  batch_.put(tree_->impl_->tables.inodes, key_of(inode), serialize_inode(record));
}

void Change::erase_inode(InodeNumber inode) {
  batch_.erase(tree_->impl_->tables.inodes, key_of(inode));
}

void Change::put_entry(InodeNumber parent, std::string_view name, const EntryRecord& entry) {
  const Tables& tables = tree_->impl_->tables;
  batch_.put(tables.entries, key_of(parent, name), serialize_entry(entry));
  batch_.put(tables.cookies, key_of(parent, entry.cookie),
             serialize_cookie(
                 {.inode = entry.inode, .type_mode = entry.type_mode, .name = std::string(name)}));
}

void Change::erase_entry(InodeNumber parent, std::string_view name, const EntryRecord& entry) {
  const Tables& tables = tree_->impl_->tables;
  batch_.erase(tables.entries, key_of(parent, name));
  batch_.erase(tables.cookies, key_of(parent, entry.cookie));
}

void Change::put_xattr(InodeNumber inode, std::string_view name, std::string value) {
  batch_.put(tree_->impl_->tables.xattrs, key_of(inode, name), std::move(value));
}

void Change::erase_xattr(InodeNumber inode, std::string_view name) {
  batch_.erase(tree_->impl_->tables.xattrs, key_of(inode, name));
}

void Change::add_orphan(InodeNumber inode) {
  batch_.put(tree_->impl_->tables.orphans, key_of(inode), "");
}

void Change::erase_orphan(InodeNumber inode) {
  batch_.erase(tree_->impl_->tables.orphans, key_of(inode));
}

void Change::put_recipe(RecipeId id, const RecipeHeader& header) {
  batch_.put(tree_->impl_->tables.recipes, key_of(number(id)), serialize_recipe_header(header));
}

void Change::put_recipe_chunk(RecipeId id, std::uint64_t chunk,
                              const std::vector<RecipeEntry>& entries) {
  batch_.put(tree_->impl_->tables.recipe_chunks, key_of(number(id), chunk),
             serialize_recipe_chunk(entries));
}

void Change::erase_recipe_chunk(RecipeId id, std::uint64_t chunk) {
  batch_.erase(tree_->impl_->tables.recipe_chunks, key_of(number(id), chunk));
}

void Change::put_layout(RecipeId id, const Layout& layout) {
  const ByteVector bytes = serialize_layout(layout);
  batch_.put(tree_->impl_->tables.layouts, key_of(number(id)), std::string(text_of(bytes)));
}

void Change::erase_recipe(RecipeId id) {
  batch_.erase(tree_->impl_->tables.recipes, key_of(number(id)));
  batch_.erase(tree_->impl_->tables.layouts, key_of(number(id)));
}

void Change::put_blob_references(store::BlobId id, std::uint64_t count) {
  const kv::Table table = tree_->impl_->tables.references;
  if (count == 0) {
    batch_.erase(table, key_of(store::number(id)));
    return;
  }
  ByteWriter out;
  out.varint(count);
  batch_.put(table, key_of(store::number(id)), std::string(text_of(out.view())));
}

void Change::add_doomed_recipe(RecipeId id) {
  batch_.put(tree_->impl_->tables.doomed_recipes, key_of(number(id)), "");
}

void Change::erase_doomed_recipe(RecipeId id) {
  batch_.erase(tree_->impl_->tables.doomed_recipes, key_of(number(id)));
}

void Change::add_doomed_blob(store::BlobId id) {
  batch_.put(tree_->impl_->tables.doomed_blobs, key_of(store::number(id)), "");
}

void Change::condemn_blob(store::BlobId id) {
  batch_.put(tree_->impl_->tables.doomed_blobs, key_of(store::number(id)), std::string(kCondemned));
}

void Change::erase_doomed_blob(store::BlobId id) {
  batch_.erase(tree_->impl_->tables.doomed_blobs, key_of(store::number(id)));
}

void Change::add_broken_blob(store::BlobId id) {
  batch_.put(tree_->impl_->tables.broken_blobs, key_of(store::number(id)), "");
}

void Change::erase_broken_blob(store::BlobId id) {
  batch_.erase(tree_->impl_->tables.broken_blobs, key_of(store::number(id)));
}

void Change::put_base(store::BlobId first_blob, const BaseRecord& base) {
  batch_.put(tree_->impl_->tables.bases, key_of(store::number(first_blob)), serialize_base(base));
}

void Change::erase_base(store::BlobId first_blob) {
  batch_.erase(tree_->impl_->tables.bases, key_of(store::number(first_blob)));
}

}  // namespace weightfs::tree
