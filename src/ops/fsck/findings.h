// The parts of a store that is checked, and what was found wrong with it.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "weightfs/file/block_cache.h"
#include "weightfs/file/staging.h"
#include "weightfs/ops/fsck.h"
#include "weightfs/tree/tree.h"

namespace weightfs::ops::fsck {

struct Parts {
  tree::Tree& tree;
  store::BlobStore& blobs;
  file::BlockCache& cache;
  file::StagingArea& staging;
  const FsckOptions& options;
};

// Collects problems, and the changes that correct them. Single-threaded.
class Findings {
 public:
  Findings(tree::Tree& tree, bool repair, FsckResult& result)
      : tree_(tree), repair_(repair), result_(result) {}

  using Fix = std::function<Status(tree::Change&)>;
  // What can't be corrected.
  void problem(std::string message) { add(std::move(message), false); }
  // What `fix` corrects. It runs in apply_fixes(), when no table is being walked; what it reads of
  // the tree includes the fixes before it.
  void problem(std::string message, Fix fix);
  // A record is damaged: from now on nothing is taken for garbage.
  void damage(std::string message) {
    has_damage_ = true;
    problem(std::move(message));
  }
  bool has_damage() const { return has_damage_; }
  bool repairs() const { return repair_; }
  FsckResult& result() { return result_; }

  Status apply_fixes();

 private:
  void add(std::string message, bool corrected);

  tree::Tree& tree_;
  const bool repair_;
  FsckResult& result_;
  bool has_damage_ = false;
  std::vector<Fix> fixes_;
};

// Reads an inode's record, lets `edit` change it and puts it back.
Status edit_inode(tree::Tree& tree, tree::Change& change, tree::InodeNumber inode,
                  const std::function<void(tree::InodeRecord&)>& edit);

// What an inode's record says, and what the other tables say of it.
struct InodeFacts {
  std::uint32_t mode = 0;
  std::uint32_t link_count = 0;
  tree::InodeNumber parent = 0;
  std::uint64_t entry_count = 0;
  std::uint64_t next_cookie = 0;
  bool is_orphan = false;
  // Found.
  std::uint32_t names = 0;
  tree::InodeNumber found_parent = 0;
  std::uint32_t subdirectories = 0;
  std::uint64_t entries = 0;
  std::uint64_t cookies = 0;
  std::uint64_t greatest_cookie = 0;

  bool is_directory() const;
};

struct Facts {
  std::unordered_map<tree::InodeNumber, InodeFacts> inodes;
  std::unordered_map<tree::RecipeId, std::uint64_t> recipe_users;   // inodes with that content
  std::unordered_map<tree::StagingId, std::uint64_t> staging_ends;  // least size of a staging file
  tree::InodeNumber greatest_inode = 0;
  tree::RecipeId greatest_recipe = tree::RecipeId::none;
  tree::StagingId greatest_staging = tree::StagingId::none;
};

struct BlobFacts {
  std::uint32_t length_bytes = 0;
  std::uint32_t encoded_bytes = 0;
  store::BlobId base = store::BlobId::none;
  bool is_doomed = false;
  bool is_condemned = false;     // and no longer counted for its base
  std::uint64_t references = 0;  // found in recipes and as bases
};
using BlobTable = std::unordered_map<store::BlobId, BlobFacts>;
// Blobs that can't be read, with the reason.
using BrokenTable = std::unordered_map<store::BlobId, std::string>;

// Each checks some tables and notes what it finds; in the order in which they must run.
Status load_inodes(const Parts& parts, Findings& findings, Facts& facts);
Status load_blobs(const Parts& parts, Findings& findings, BlobTable& blobs);
Status check_recipes(const Parts& parts, Findings& findings, Facts& facts, BlobTable& blobs,
                     BrokenTable& broken);
Status check_references(const Parts& parts, Findings& findings, BlobTable& blobs);
Status check_staging(const Parts& parts, Findings& findings, const Facts& facts);
Status check_counters(const Parts& parts, Findings& findings, const Facts& facts);
Status check_names(const Parts& parts, Findings& findings, Facts& facts);
Status check_links(const Parts& parts, Findings& findings, Facts& facts);
Status check_xattrs(const Parts& parts, Findings& findings, const Facts& facts);
Status check_content(const Parts& parts, Findings& findings, const BlobTable& blobs,
                     BrokenTable& broken);
// Lists the files that have broken blobs, by path and offset.
Status name_damage(const Parts& parts, Findings& findings, const BrokenTable& broken);

// Gives each of `inodes`, which nothing names, the name /lost+found/#NUMBER.
Status put_into_lost_found(tree::Tree& tree, const std::vector<tree::InodeNumber>& inodes);

}  // namespace weightfs::ops::fsck
