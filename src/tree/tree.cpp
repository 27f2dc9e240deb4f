#include "weightfs/tree/tree.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tables.h"

namespace weightfs::tree {
namespace {

constexpr std::string_view kCountersKey = "counters";

std::string optimized_key(std::string_view tier) {
  return "optimized." + std::string(tier);
}

std::string serialize_counters(const Counters& counters) {
  ByteWriter out;
  out.u64(counters.next_inode);
  out.u64(counters.next_recipe);
  out.u64(counters.next_staging);
  out.u64(counters.first_unsettled_blob);
  return std::string(text_of(out.view()));
}

Result<Counters> parse_counters(std::string_view bytes) {
  ByteReader in(bytes_of(bytes));
  Counters counters;
  counters.next_inode = in.u64();
  counters.next_recipe = in.u64();
  counters.next_staging = in.u64();
  counters.first_unsettled_blob = in.u64();
  if (in.failed() || !in.at_end()) return fail(Code::corrupt, "the store's counters are damaged");
  return counters;
}

Status open_tables(kv::Environment& environment, Tables& tables) {
  const std::pair<kv::Table*, const char*> wanted[] = {
      {&tables.super, "super"},
      {&tables.inodes, "inodes"},
      {&tables.entries, "entries"},
      {&tables.cookies, "cookies"},
      {&tables.xattrs, "xattrs"},
      {&tables.orphans, "orphans"},
      {&tables.recipes, "recipes"},
      {&tables.recipe_chunks, "recipe_chunks"},
      {&tables.layouts, "layouts"},
      {&tables.references, "references"},
      {&tables.doomed_recipes, "doomed_recipes"},
      {&tables.doomed_blobs, "doomed_blobs"},
      {&tables.broken_blobs, "broken_blobs"},
      {&tables.bases, "bases"},
  };
  for (const auto& [table, name] : wanted) {
    WEIGHTFS_ASSIGN(*table, environment.open_table(name));
  }
  return {};
}

// The root directory and the counters of a store that has none.
Status make_root(Tree& tree) {
  InodeRecord root;
  root.mode = S_IFDIR | 0755;
  root.link_count = 2;
  root.uid = ::getuid();
  root.gid = ::getgid();
  root.parent = kRootInode;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  root.atime = root.mtime = root.ctime = root.btime = now;
  Change change(tree);
  change.put_inode(kRootInode, root);
  change.put_counters(Counters{});
  tree.apply(std::move(change));
  return tree.commit();
}

template <class Parse>
auto parse_found(Result<std::optional<std::string>> found, Parse parse)
    -> Result<std::optional<typename decltype(parse(std::string_view()))::value_type>> {
  if (!found) return tl::unexpected(std::move(found.error()));
  if (!*found) return std::nullopt;
  auto parsed = parse(**found);
  if (!parsed) return tl::unexpected(std::move(parsed.error()));
  return std::move(*parsed);
}

}  // namespace

std::uint64_t number_in_key(std::string_view key, std::size_t at) {
  if (key.size() < at + 8) return 0;
  return byte_swap(load_unaligned<std::uint64_t>(bytes_of(key).data() + at));
}

Tree::Tree(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tree::~Tree() = default;

Result<std::unique_ptr<Tree>> Tree::open(const Options& options) {
  auto impl = std::make_unique<Impl>();
  kv::EnvironmentOptions environment_options;
  environment_options.path = options.path;
  environment_options.read_only = options.read_only;
  WEIGHTFS_ASSIGN(impl->environment, kv::Environment::open(environment_options));
  WEIGHTFS_TRY(open_tables(*impl->environment, impl->tables));
  impl->buffered = std::make_unique<kv::Buffered>(*impl->environment);
  std::unique_ptr<Tree> tree(new Tree(std::move(impl)));
  WEIGHTFS_ASSIGN(const auto root, tree->inode(kRootInode));
  if (!root && !options.read_only) WEIGHTFS_TRY(make_root(*tree));
  if (!root && options.read_only) return fail(Code::corrupt, "the store has no root directory");
  return tree;
}

Result<std::optional<InodeRecord>> Tree::inode(InodeNumber inode) const {
  return parse_found(impl_->buffered->get(impl_->tables.inodes, key_of(inode)), parse_inode);
}

Result<std::optional<EntryRecord>> Tree::entry(InodeNumber parent, std::string_view name) const {
  return parse_found(impl_->buffered->get(impl_->tables.entries, key_of(parent, name)),
                     parse_entry);
}

Result<std::vector<ListedEntry>> Tree::list(InodeNumber parent, std::uint64_t from_cookie,
                                            std::size_t limit) const {
  WEIGHTFS_ASSIGN(const std::vector<kv::KeyValue> found,
                  impl_->buffered->scan(impl_->tables.cookies, key_of(parent, from_cookie),
                                        key_of(parent + 1), limit));
  std::vector<ListedEntry> entries;
  entries.reserve(found.size());
  for (const auto& [key, value] : found) {
    WEIGHTFS_ASSIGN(CookieRecord entry, parse_cookie(value));
    entries.push_back({.cookie = number_in_key(key, 8), .entry = std::move(entry)});
  }
  return entries;
}

Result<std::optional<std::string>> Tree::xattr(InodeNumber inode, std::string_view name) const {
  return impl_->buffered->get(impl_->tables.xattrs, key_of(inode, name));
}

Result<std::vector<std::string>> Tree::xattr_names(InodeNumber inode) const {
  constexpr std::size_t kMostNames = 65536;
  WEIGHTFS_ASSIGN(
      const std::vector<kv::KeyValue> found,
      impl_->buffered->scan(impl_->tables.xattrs, key_of(inode), key_of(inode + 1), kMostNames));
  std::vector<std::string> names;
  for (const auto& [key, value] : found) names.push_back(key.substr(8));
  return names;
}

Result<std::optional<RecipeHeader>> Tree::recipe(RecipeId id) const {
  return parse_found(impl_->buffered->get(impl_->tables.recipes, key_of(number(id))),
                     parse_recipe_header);
}

Result<std::vector<RecipeEntry>> Tree::recipe_chunk(RecipeId id, std::uint64_t chunk) const {
  WEIGHTFS_ASSIGN(const std::optional<std::string> found,
                  impl_->buffered->get(impl_->tables.recipe_chunks, key_of(number(id), chunk)));
  if (!found) return fail(Code::corrupt, "a part of a recipe is missing");
  return parse_recipe_chunk(*found);
}

Result<std::vector<std::uint64_t>> Tree::recipe_chunk_numbers(RecipeId id,
                                                              std::size_t limit) const {
  WEIGHTFS_ASSIGN(const std::vector<kv::KeyValue> found,
                  impl_->buffered->scan(impl_->tables.recipe_chunks, key_of(number(id)),
                                        key_of(number(id) + 1), limit));
  std::vector<std::uint64_t> numbers;
  for (const auto& [key, value] : found) numbers.push_back(number_in_key(key, 8));
  return numbers;
}

Result<std::optional<Layout>> Tree::layout(RecipeId id) const {
  return parse_found(impl_->buffered->get(impl_->tables.layouts, key_of(number(id))),
                     [](std::string_view bytes) { return parse_layout(bytes_of(bytes)); });
}

Result<std::uint64_t> Tree::blob_references(store::BlobId id) const {
  WEIGHTFS_ASSIGN(const std::optional<std::string> found,
                  impl_->buffered->get(impl_->tables.references, key_of(store::number(id))));
  if (!found) return 0;
  ByteReader in(bytes_of(*found));
  return in.varint();
}

Result<std::optional<BaseRecord>> Tree::base(store::BlobId first_blob) const {
  return parse_found(impl_->buffered->get(impl_->tables.bases, key_of(store::number(first_blob))),
                     parse_base);
}

Result<Counters> Tree::counters() const {
  WEIGHTFS_ASSIGN(const std::optional<std::string> found,
                  impl_->buffered->get(impl_->tables.super, kCountersKey));
  if (!found) return fail(Code::corrupt, "the store has no counters");
  return parse_counters(*found);
}

Result<store::BlobId> Tree::optimized_until(std::string_view tier) const {
  WEIGHTFS_ASSIGN(const std::optional<std::string> found,
                  impl_->buffered->get(impl_->tables.super, optimized_key(tier)));
  if (!found) return store::BlobId::none;
  ByteReader in(bytes_of(*found));
  const auto id = static_cast<store::BlobId>(in.u64());
  if (in.failed() || !in.at_end()) {
    return fail(Code::corrupt, "the store's note of how far it is optimized is damaged");
  }
  return id;
}

void Tree::apply(Change&& change) {
  if (!change.empty()) impl_->buffered->apply(std::move(change.batch_));
}

Status Tree::commit() {
  return impl_->buffered->commit();
}
std::size_t Tree::pending_bytes() const {
  return impl_->buffered->pending_bytes();
}
Result<kv::EnvironmentStats> Tree::stats() const {
  return impl_->environment->stats();
}

void Change::put_counters(const Counters& counters) {
  batch_.put(tree_->impl_->tables.super, std::string(kCountersKey), serialize_counters(counters));
}

void Change::put_optimized_until(std::string_view tier, store::BlobId id) {
  ByteWriter out;
  out.u64(store::number(id));
  batch_.put(tree_->impl_->tables.super, optimized_key(tier), std::string(text_of(out.view())));
}

}  // namespace weightfs::tree
