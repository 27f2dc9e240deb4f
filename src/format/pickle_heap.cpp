#include "pickle_heap.h"

namespace weightfs::format {
namespace {

// docs/file-formats.md, "pickle": at most some 400 MiB in the worst case, which takes a hostile
// file of that order to reach.
constexpr std::size_t kMaxNodes = 8U << 20;
constexpr std::size_t kMaxItems = 16U << 20;
constexpr std::size_t kMaxTotalTextBytes = 64U << 20;
constexpr std::size_t kMaxContainers = 2U << 20;

constexpr std::uint64_t kNoRange = ~std::uint64_t{0};
constexpr std::int64_t kSmallIntegers = 256;
constexpr PickleRef kFirstSmallInteger = 3;

}  // namespace

PickleHeap::PickleHeap() {
  nodes_.push_back({.kind = PickleKind::none});
  nodes_.push_back({.kind = PickleKind::boolean, .a = 0});
  nodes_.push_back({.kind = PickleKind::boolean, .a = 1});
  for (std::int64_t i = 0; i < kSmallIntegers; ++i) {
    nodes_.push_back({.kind = PickleKind::integer, .a = static_cast<std::uint64_t>(i)});
  }
  sequences_.emplace_back();
}

std::optional<std::int64_t> PickleHeap::integer(PickleRef ref) const {
  const Node& node = nodes_[ref];
  if (node.kind != PickleKind::integer && node.kind != PickleKind::boolean) return std::nullopt;
  return static_cast<std::int64_t>(node.a);
}

std::optional<std::uint64_t> PickleHeap::count(PickleRef ref) const {
  const auto value = integer(ref);
  if (!value || *value < 0) return std::nullopt;
  return static_cast<std::uint64_t>(*value);
}

std::string_view PickleHeap::text(PickleRef ref) const {
  const Node& node = nodes_[ref];
  return std::string_view(texts_).substr(node.text_bytes == 0 ? 0 : node.index, node.text_bytes);
}

std::optional<PickleRange> PickleHeap::range(PickleRef ref) const {
  const Node& node = nodes_[ref];
  const bool is_string = node.kind == PickleKind::text || node.kind == PickleKind::bytes;
  if (!is_string || node.a == kNoRange) return std::nullopt;
  return PickleRange{.offset_bytes = node.a, .length_bytes = node.b};
}

std::span<const PickleRef> PickleHeap::items(PickleRef ref) const {
  const Node& node = nodes_[ref];
  switch (node.kind) {
    case PickleKind::tuple:
    case PickleKind::persistent:
      return std::span(pool_).subspan(node.a, node.b);
    case PickleKind::list:
    case PickleKind::dict:
      return sequences_[node.index];
    case PickleKind::object:
      return sequences_[objects_[node.index].items];
    default:
      return {};
  }
}

std::string_view PickleHeap::callable_name(PickleRef ref) const {
  return kind(ref) == PickleKind::object ? text(object(ref).callable) : std::string_view();
}

PickleRef PickleHeap::find(PickleRef dict, std::string_view key) const {
  const std::span<const PickleRef> pairs = items(dict);
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    if (text(pairs[i]) == key) return pairs[i + 1];
  }
  return kNone;
}

PickleRef PickleHeap::push(const Node& node) {
  if (nodes_.size() >= kMaxNodes) is_full_ = true;
  if (is_full_) return kNone;
  nodes_.push_back(node);
  return static_cast<PickleRef>(nodes_.size() - 1);
}

bool PickleHeap::count_items(std::size_t count) {
  item_count_ += count;
  if (item_count_ > kMaxItems) is_full_ = true;
  return !is_full_;
}

PickleRef PickleHeap::make_integer(std::int64_t value) {
  if (value >= 0 && value < kSmallIntegers) {
    return kFirstSmallInteger + static_cast<PickleRef>(value);
  }
  return push({.kind = PickleKind::integer, .a = static_cast<std::uint64_t>(value)});
}

PickleRef PickleHeap::make_other() {
  return push({.kind = PickleKind::other});
}

PickleRef PickleHeap::make_string(PickleKind kind, std::string_view text,
                                  std::optional<PickleRange> range) {
  if (texts_.size() + text.size() > kMaxTotalTextBytes) is_full_ = true;
  if (is_full_ || text.size() > kMaxTextBytes) text = {};
  const auto index = static_cast<std::uint32_t>(texts_.size());
  texts_.append(text);
  return push({.kind = kind,
               .text_bytes = static_cast<std::uint16_t>(text.size()),
               .index = index,
               .a = range ? range->offset_bytes : kNoRange,
               .b = range ? range->length_bytes : 0});
}

PickleRef PickleHeap::make_global(std::string_view module, std::string_view name) {
  return make_string(PickleKind::global, std::string(module).append(".").append(name),
                     std::nullopt);
}

PickleRef PickleHeap::make_tuple(std::span<const PickleRef> items) {
  if (!count_items(items.size())) return kNone;
  const std::size_t at = pool_.size();
  pool_.insert(pool_.end(), items.begin(), items.end());
  return push({.kind = PickleKind::tuple, .a = at, .b = items.size()});
}

PickleRef PickleHeap::make_container(PickleKind kind) {
  if (sequences_.size() >= kMaxContainers) is_full_ = true;
  if (is_full_) return kNone;
  const auto index = static_cast<std::uint32_t>(sequences_.size());
  sequences_.emplace_back();
  return push({.kind = kind, .index = index});
}

PickleRef PickleHeap::make_object(PickleRef callable, PickleRef arguments) {
  const auto index = static_cast<std::uint32_t>(objects_.size());
  const PickleRef ref = push({.kind = PickleKind::object, .index = index});
  if (!is_full_) objects_.push_back({.callable = callable, .arguments = arguments});
  return ref;
}

PickleRef PickleHeap::make_persistent(PickleRef id) {
  if (!count_items(1)) return kNone;
  pool_.push_back(id);
  return push({.kind = PickleKind::persistent, .a = pool_.size() - 1, .b = 1});
}

bool PickleHeap::append(PickleRef container, std::span<const PickleRef> items, bool are_pairs) {
  if (!count_items(items.size())) return true;
  const Node& node = nodes_[container];
  std::uint32_t index = node.index;
  if (node.kind == PickleKind::object) {
    PickleObject& object = objects_[node.index];
    if (object.items == 0) {
      if (sequences_.size() >= kMaxContainers) return is_full_ = true;
      object.items = static_cast<std::uint32_t>(sequences_.size());
      object.items_are_pairs = are_pairs;
      sequences_.emplace_back();
    }
    if (object.items_are_pairs != are_pairs) return false;
    index = object.items;
  } else if (node.kind != (are_pairs ? PickleKind::dict : PickleKind::list)) {
    return false;
  }
  sequences_[index].insert(sequences_[index].end(), items.begin(), items.end());
  return true;
}

bool PickleHeap::set_state(PickleRef object, PickleRef state) {
  if (kind(object) != PickleKind::object) return false;
  objects_[nodes_[object].index].state = state;
  return true;
}

}  // namespace weightfs::format
