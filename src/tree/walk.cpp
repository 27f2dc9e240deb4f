// Walks over whole tables.
#include "tables.h"
#include "weightfs/tree/tree.h"

namespace weightfs::tree {
namespace {

constexpr std::size_t kPieceEntries = 4096;

// Calls visit(key, value) for every pair of a table in key order until it answers false.
template <class Visit>
Status walk(const kv::Buffered& buffered, kv::Table table, const Visit& visit) {
  std::string from;
  for (;;) {
    WEIGHTFS_ASSIGN(const std::vector<kv::KeyValue> piece,
                    buffered.scan(table, from, {}, kPieceEntries));
    for (const auto& [key, value] : piece) {
      if (!visit(key, value)) return {};
    }
    if (piece.size() < kPieceEntries) return {};
    from = piece.back().first;
    from.push_back('\0');
  }
}

// Damaged records are left out here; for_each_damaged() tells of them.
template <class Parse, class Visit>
Status walk_parsed(const kv::Buffered& buffered, kv::Table table, Parse parse, const Visit& visit) {
  return walk(buffered, table, [&](const std::string& key, const std::string& value) {
    const auto parsed = parse(value);
    return !parsed || visit(key, *parsed);
  });
}

template <class Id>
Result<std::vector<Id>> ids_of(const kv::Buffered& buffered, kv::Table table, std::uint64_t from,
                               std::size_t limit) {
  WEIGHTFS_ASSIGN(const std::vector<kv::KeyValue> found,
                  buffered.scan(table, key_of(from), {}, limit));
  std::vector<Id> ids;
  ids.reserve(found.size());
  for (const auto& [key, value] : found) ids.push_back(static_cast<Id>(number_in_key(key)));
  return ids;
}

}  // namespace

Status Tree::for_each_inode(
    const std::function<bool(InodeNumber, const InodeRecord&)>& visit) const {
  return walk_parsed(*impl_->buffered, impl_->tables.inodes, parse_inode,
                     [&](const std::string& key, const InodeRecord& record) {
                       return visit(number_in_key(key), record);
                     });
}

Status Tree::for_each_entry(
    const std::function<bool(InodeNumber, const std::string&, const EntryRecord&)>& visit) const {
  return walk_parsed(*impl_->buffered, impl_->tables.entries, parse_entry,
                     [&](const std::string& key, const EntryRecord& record) {
                       return key.size() <= 8 || visit(number_in_key(key), key.substr(8), record);
                     });
}

Status Tree::for_each_cookie(
    const std::function<bool(InodeNumber, const ListedEntry&)>& visit) const {
  return walk_parsed(*impl_->buffered, impl_->tables.cookies, parse_cookie,
                     [&](const std::string& key, const CookieRecord& record) {
                       return visit(number_in_key(key),
                                    {.cookie = number_in_key(key, 8), .entry = record});
                     });
}

Status Tree::for_each_xattr(
    const std::function<bool(InodeNumber, const std::string&)>& visit) const {
  return walk(*impl_->buffered, impl_->tables.xattrs,
              [&](const std::string& key, const std::string&) {
                return key.size() <= 8 || visit(number_in_key(key), key.substr(8));
              });
}

Status Tree::for_each_recipe(
    const std::function<bool(RecipeId, const RecipeHeader&)>& visit) const {
  return walk_parsed(*impl_->buffered, impl_->tables.recipes, parse_recipe_header,
                     [&](const std::string& key, const RecipeHeader& record) {
                       return visit(static_cast<RecipeId>(number_in_key(key)), record);
                     });
}

Status Tree::for_each_recipe_chunk(
    const std::function<bool(RecipeId, std::uint64_t, const std::vector<RecipeEntry>&)>& visit)
    const {
  return walk_parsed(*impl_->buffered, impl_->tables.recipe_chunks, parse_recipe_chunk,
                     [&](const std::string& key, const std::vector<RecipeEntry>& entries) {
                       return visit(static_cast<RecipeId>(number_in_key(key)),
                                    number_in_key(key, 8), entries);
                     });
}

Status Tree::for_each_layout(const std::function<bool(RecipeId)>& visit) const {
  return walk(*impl_->buffered, impl_->tables.layouts,
              [&](const std::string& key, const std::string&) {
                return visit(static_cast<RecipeId>(number_in_key(key)));
              });
}

Status Tree::for_each_blob_reference(
    const std::function<bool(store::BlobId, std::uint64_t)>& visit) const {
  return walk(*impl_->buffered, impl_->tables.references,
              [&](const std::string& key, const std::string& value) {
                ByteReader in(bytes_of(value));
                return visit(static_cast<store::BlobId>(number_in_key(key)), in.varint());
              });
}

Status Tree::for_each_base(
    const std::function<bool(store::BlobId, const BaseRecord&)>& visit) const {
  return walk_parsed(*impl_->buffered, impl_->tables.bases, parse_base,
                     [&](const std::string& key, const BaseRecord& record) {
                       return visit(static_cast<store::BlobId>(number_in_key(key)), record);
                     });
}

Status Tree::for_each_damaged(const std::function<void(const std::string&)>& visit) const {
  const auto check = [&](kv::Table table, std::string_view what, auto parse) {
    return walk(*impl_->buffered, table, [&](const std::string& key, const std::string& value) {
      const auto parsed = parse(value);
      if (!parsed) {
        visit(std::string(what) + " " + std::to_string(number_in_key(key)) + ": " +
              parsed.error().message);
      }
      return true;
    });
  };
  WEIGHTFS_TRY(check(impl_->tables.inodes, "inode", parse_inode));
  WEIGHTFS_TRY(check(impl_->tables.entries, "directory", parse_entry));
  WEIGHTFS_TRY(check(impl_->tables.cookies, "directory", parse_cookie));
  WEIGHTFS_TRY(check(impl_->tables.recipes, "recipe", parse_recipe_header));
  WEIGHTFS_TRY(check(impl_->tables.recipe_chunks, "recipe", parse_recipe_chunk));
  return check(impl_->tables.layouts, "recipe",
               [](std::string_view bytes) { return parse_layout(bytes_of(bytes)); });
}

Result<std::vector<InodeNumber>> Tree::orphans(std::size_t limit) const {
  return ids_of<InodeNumber>(*impl_->buffered, impl_->tables.orphans, 0, limit);
}

Result<std::vector<RecipeId>> Tree::doomed_recipes(RecipeId after, std::size_t limit) const {
  return ids_of<RecipeId>(*impl_->buffered, impl_->tables.doomed_recipes, number(after) + 1, limit);
}

Result<std::vector<store::BlobId>> Tree::doomed_blobs(store::BlobId after,
                                                      std::size_t limit) const {
  return ids_of<store::BlobId>(*impl_->buffered, impl_->tables.doomed_blobs,
                               store::number(after) + 1, limit);
}

Result<Doom> Tree::doom_of(store::BlobId id) const {
  WEIGHTFS_ASSIGN(const auto found,
                  impl_->buffered->get(impl_->tables.doomed_blobs, key_of(store::number(id))));
  if (!found) return Doom::none;
  return *found == kCondemned ? Doom::condemned : Doom::doomed;
}

Result<std::vector<store::BlobId>> Tree::broken_blobs() const {
  return ids_of<store::BlobId>(*impl_->buffered, impl_->tables.broken_blobs, 0, 1U << 20);
}

}  // namespace weightfs::tree
