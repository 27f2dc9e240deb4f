// The metadata of a store: inodes, directory entries, xattrs, recipes and reference counts.
//
// Typed access to kv::Buffered. Reads see every applied Change; a Change is atomic, and durable
// after the next commit(). Thread-safe; but who reads, decides and applies must see to it that
// nobody else changes the same things meanwhile: names and inodes are guarded by fs/'s locks,
// recipes and reference counts by References (below).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/kv/buffered.h"
#include "weightfs/tensor/layout.h"
#include "weightfs/tree/records.h"

namespace weightfs::tree {

// Numbers that the store goes on from, and how far blobs are known to be referred to.
struct Counters {
  std::uint64_t next_inode = kRootInode + 1;
  std::uint64_t next_recipe = 1;
  std::uint64_t next_staging = 1;
  // Blobs from this id on may be there without a reference after a crash (recovery sweeps them).
  std::uint64_t first_unsettled_blob = 1;
};

struct ListedEntry {
  std::uint64_t cookie = 0;
  CookieRecord entry;
};

// What becomes of a blob that nothing refers to.
enum class Doom : std::uint8_t {
  none,
  doomed,     // to be erased; kept if it is referred to again
  condemned,  // to be erased in any case: its base has been let go of
};

class Change;

class Tree {
 public:
  struct Options {
    std::string path;  // of the metadata environment
    bool read_only = false;
  };
  // Opens or makes the tables; a new tree has a root directory owned by the process's user, mode
  // 0755.
  static Result<std::unique_ptr<Tree>> open(const Options& options);
  ~Tree();

  Result<std::optional<InodeRecord>> inode(InodeNumber inode) const;
  Result<std::optional<EntryRecord>> entry(InodeNumber parent, std::string_view name) const;
  // Entries with a cookie >= `from_cookie`, in order.
  Result<std::vector<ListedEntry>> list(InodeNumber parent, std::uint64_t from_cookie,
                                        std::size_t limit) const;
  Result<std::optional<std::string>> xattr(InodeNumber inode, std::string_view name) const;
  Result<std::vector<std::string>> xattr_names(InodeNumber inode) const;

  Result<std::optional<RecipeHeader>> recipe(RecipeId id) const;
  Result<std::vector<RecipeEntry>> recipe_chunk(RecipeId id, std::uint64_t chunk) const;
  // The numbers of the chunks that are there, for recipes that are incomplete.
  Result<std::vector<std::uint64_t>> recipe_chunk_numbers(RecipeId id, std::size_t limit) const;
  // What the file's parser found when the recipe was sealed; nothing for recipes without a layout.
  Result<std::optional<Layout>> layout(RecipeId id) const;
  Result<std::uint64_t> blob_references(store::BlobId id) const;
  // The tensor whose first blob this is, where others may be coded against it.
  Result<std::optional<BaseRecord>> base(store::BlobId first_blob) const;

  // Whole-table walks for recovery, fsck, gc and report, in key order, in bounded pieces. `visit`
  // answers false to stop.
  Status for_each_inode(const std::function<bool(InodeNumber, const InodeRecord&)>& visit) const;
  Status for_each_entry(const std::function<bool(InodeNumber parent, const std::string& name,
                                                 const EntryRecord&)>& visit) const;
  Status for_each_cookie(
      const std::function<bool(InodeNumber parent, const ListedEntry&)>& visit) const;
  Status for_each_xattr(
      const std::function<bool(InodeNumber, const std::string& name)>& visit) const;
  Status for_each_recipe(const std::function<bool(RecipeId, const RecipeHeader&)>& visit) const;
  Status for_each_recipe_chunk(
      const std::function<bool(RecipeId, std::uint64_t chunk, const std::vector<RecipeEntry>&)>&
          visit) const;
  // The recipes that have a layout, whether it can be parsed or not.
  Status for_each_layout(const std::function<bool(RecipeId)>& visit) const;
  Status for_each_blob_reference(
      const std::function<bool(store::BlobId, std::uint64_t count)>& visit) const;
  Status for_each_base(const std::function<bool(store::BlobId, const BaseRecord&)>& visit) const;
  // Records that can't be parsed, for fsck: "inode 7: an inode record is damaged".
  Status for_each_damaged(const std::function<void(const std::string&)>& visit) const;

  Result<std::vector<InodeNumber>> orphans(std::size_t limit) const;
  Result<std::vector<RecipeId>> doomed_recipes(RecipeId after, std::size_t limit) const;
  Result<std::vector<store::BlobId>> doomed_blobs(store::BlobId after, std::size_t limit) const;
  Result<Doom> doom_of(store::BlobId id) const;
  Result<std::vector<store::BlobId>> broken_blobs() const;

  Result<Counters> counters() const;
  // How far `weightfs optimize` has come with a tier: blobs up to this id are done.
  Result<store::BlobId> optimized_until(std::string_view tier) const;
  void apply(Change&& change);
  Status commit();
  std::size_t pending_bytes() const;
  Result<kv::EnvironmentStats> stats() const;

 private:
  friend class Change;
  struct Impl;
  explicit Tree(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Changes that become visible together when they are applied to the tree that they were made for.
// Single-threaded.
class Change {
 public:
  explicit Change(Tree& tree) : tree_(&tree) {}

  void put_inode(InodeNumber inode, const InodeRecord& record);
  void erase_inode(InodeNumber inode);
  void put_entry(InodeNumber parent, std::string_view name, const EntryRecord& entry);
  void erase_entry(InodeNumber parent, std::string_view name, const EntryRecord& entry);
  void put_xattr(InodeNumber inode, std::string_view name, std::string value);
  void erase_xattr(InodeNumber inode, std::string_view name);
  // Inodes without a name, to be removed after a crash.
  void add_orphan(InodeNumber inode);
  void erase_orphan(InodeNumber inode);
  void put_counters(const Counters& counters);
  void put_optimized_until(std::string_view tier, store::BlobId id);

  void put_recipe(RecipeId id, const RecipeHeader& header);
  void put_recipe_chunk(RecipeId id, std::uint64_t chunk, const std::vector<RecipeEntry>& entries);
  void erase_recipe_chunk(RecipeId id, std::uint64_t chunk);
  void put_layout(RecipeId id, const Layout& layout);
  // The header and the layout; chunks go one by one.
  void erase_recipe(RecipeId id);
  void put_blob_references(store::BlobId id, std::uint64_t count);  // 0 erases
  // Recipes and blobs that nothing refers to, or that are being built, to be taken apart later.
  void add_doomed_recipe(RecipeId id);
  void erase_doomed_recipe(RecipeId id);
  void add_doomed_blob(store::BlobId id);
  void condemn_blob(store::BlobId id);
  void erase_doomed_blob(store::BlobId id);
  void put_base(store::BlobId first_blob, const BaseRecord& base);
  void erase_base(store::BlobId first_blob);
  void add_broken_blob(store::BlobId id);
  void erase_broken_blob(store::BlobId id);

  bool empty() const { return batch_.empty(); }
  void append(Change&& other) { batch_.append(std::move(other.batch_)); }

 private:
  friend class Tree;
  Tree* tree_;
  kv::Batch batch_;
};

}  // namespace weightfs::tree
