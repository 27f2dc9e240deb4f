// The values of a pickle, as data: nothing is imported, called or constructed.
//
// One arena of small nodes that refer to each other by number, so that a pickle of 100,000 tensors
// takes some tens of megabytes. Numbers stay valid for the heap's life; spans and views until the
// next value is made. Single-threaded.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"

namespace weightfs::format {

using PickleRef = std::uint32_t;

enum class PickleKind : std::uint8_t {
  none,
  boolean,
  integer,
  other,  // a float, an integer of more than 64 bits, an extension, a buffer out of band
  text,   // str
  bytes,  // bytes, bytearray, Python 2's str
  tuple,
  list,        // and set
  dict,        // items are keys and values by turns
  global,      // a class or function: text() is "module.name"
  object,      // what a call would have made
  persistent,  // a reference to something outside of the pickle; items are the one id
};

struct PickleObject {
  PickleRef callable = 0;
  PickleRef arguments = 0;
  PickleRef state = 0;      // what BUILD gave it; none otherwise
  std::uint32_t items = 0;  // index of its sequence; 0 if it has none
  bool items_are_pairs = false;
};

// Where a string's bytes lie in the source that the pickle was read from.
struct PickleRange {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};

class PickleHeap {
 public:
  static constexpr PickleRef kNone = 0;
  static constexpr PickleRef kFalse = 1;
  static constexpr PickleRef kTrue = 2;
  // Longer strings are known by their range only.
  static constexpr std::size_t kMaxTextBytes = 1024;

  PickleHeap();

  PickleKind kind(PickleRef ref) const { return nodes_[ref].kind; }
  // The value of an integer or a boolean.
  std::optional<std::int64_t> integer(PickleRef ref) const;
  // A non-negative integer.
  std::optional<std::uint64_t> count(PickleRef ref) const;
  // Of text, bytes and globals; empty for strings that are too long, and for everything else.
  std::string_view text(PickleRef ref) const;
  // Of text and bytes that lie in the source unescaped; nothing for anything else.
  std::optional<PickleRange> range(PickleRef ref) const;
  // Of tuples, lists, dicts, objects and persistent references; empty for everything else.
  std::span<const PickleRef> items(PickleRef ref) const;
  // Only for PickleKind::object.
  const PickleObject& object(PickleRef ref) const { return objects_[nodes_[ref].index]; }
  // "module.name" of the callable of an object; empty for everything else.
  std::string_view callable_name(PickleRef ref) const;
  // The value of a dict's key, or none.
  PickleRef find(PickleRef dict, std::string_view key) const;
  std::size_t size() const { return nodes_.size(); }
  // Whether a bound was reached (docs/file-formats.md, "pickle"): what was made since is none.
  bool is_full() const { return is_full_; }

  PickleRef make_integer(std::int64_t value);
  PickleRef make_other();
  // `text` may be empty where the string is long; no range where it is escaped in the source.
  PickleRef make_string(PickleKind kind, std::string_view text, std::optional<PickleRange> range);
  PickleRef make_global(std::string_view module, std::string_view name);
  PickleRef make_tuple(std::span<const PickleRef> items);
  PickleRef make_container(PickleKind kind);
  PickleRef make_object(PickleRef callable, PickleRef arguments);
  PickleRef make_persistent(PickleRef id);
  // Adds to a list, dict or object; false for anything else.
  bool append(PickleRef container, std::span<const PickleRef> items, bool are_pairs);
  // false for what is not an object.
  bool set_state(PickleRef object, PickleRef state);

 private:
  // `index` says where in texts_, pool_, sequences_ or objects_ the value lies; `a` and `b` are an
  // integer, a string's range, or a tuple's place in the pool.
  struct Node {
    PickleKind kind = PickleKind::none;
    std::uint16_t text_bytes = 0;
    std::uint32_t index = 0;
    std::uint64_t a = 0;
    std::uint64_t b = 0;
  };

  PickleRef push(const Node& node);
  bool count_items(std::size_t count);

  std::vector<Node> nodes_;
  std::string texts_;
  std::vector<PickleRef> pool_;
  std::vector<std::vector<PickleRef>> sequences_;
  std::vector<PickleObject> objects_;
  std::size_t item_count_ = 0;
  bool is_full_ = false;
};

}  // namespace weightfs::format
