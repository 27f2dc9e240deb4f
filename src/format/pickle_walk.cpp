#include "pickle_walk.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "bounds.h"

namespace weightfs::format {
namespace {

constexpr std::size_t kMaxDepth = 1000;

// The attributes under which torch.nn.Module keeps its children are no part of their names.
constexpr std::array<std::string_view, 3> kUnnamed = {"_modules", "_parameters", "_buffers"};

// How a value's items are named: by index, by key, or not at all.
enum class Naming { indices, keys, none };

struct Frame {
  std::vector<PickleRef> items;
  Naming naming = Naming::indices;
  std::size_t next = 0;
  std::size_t name_bytes = 0;  // of the path that leads here
};

class Walk {
 public:
  Walk(const PickleHeap& heap, PickleVisitor& visitor)
      : heap_(heap), visitor_(visitor), seen_(heap.size()) {}

  void run(PickleRef root) {
    enter(root);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      name_.resize(frame.name_bytes);
      if (frame.next >= frame.items.size()) {
        frames_.pop_back();
        continue;
      }
      step(frame);
    }
  }

 private:
  void step(Frame& frame) {
    const std::size_t index = frame.next++;
    PickleRef item = frame.items[index];
    if (frame.naming == Naming::indices) add_name(std::to_string(index));
    if (frame.naming == Naming::keys) {
      add_key(item, index / 2);
      if (frame.next >= frame.items.size()) return;
      item = frame.items[frame.next++];
    }
    enter(item);
  }

  void add_name(std::string_view part) {
    if (!name_.empty()) name_.push_back('.');
    name_.append(part);
  }

  void add_key(PickleRef key, std::size_t index) {
    const std::string_view text = heap_.text(key);
    if (std::find(kUnnamed.begin(), kUnnamed.end(), text) != kUnnamed.end()) return;
    if (!text.empty()) return add_name(text);
    add_name(std::to_string(heap_.integer(key).value_or(static_cast<std::int64_t>(index))));
  }

  void enter(PickleRef ref) {
    if (seen_[ref] || frames_.size() >= kMaxDepth || name_.size() > kMaxNameBytes) return;
    switch (heap_.kind(ref)) {
      case PickleKind::tuple:
      case PickleKind::list:
        return push(ref, heap_.items(ref), Naming::indices);
      case PickleKind::dict:
        return push(ref, heap_.items(ref), Naming::keys);
      case PickleKind::object:
        return enter_object(ref);
      case PickleKind::persistent:
        return visitor_.visit_reference(ref, name_);
      default:
        return;
    }
  }

  void push(PickleRef ref, std::span<const PickleRef> items, Naming naming) {
    seen_[ref] = true;
    frames_.push_back({.items = {items.begin(), items.end()},
                       .naming = naming,
                       .next = 0,
                       .name_bytes = name_.size()});
  }

  // What an object was made of comes before its state and its items, whose frame is pushed first.
  void enter_object(PickleRef ref) {
    seen_[ref] = true;
    if (visitor_.visit(ref, name_)) return;
    const PickleObject& object = heap_.object(ref);
    push(ref, heap_.items(ref), object.items_are_pairs ? Naming::keys : Naming::indices);
    push_parts(ref, object.state);
    push_parts(ref, object.arguments);
  }

  // A tuple's own items, so that its indices don't show; anything else as the only item.
  void push_parts(PickleRef ref, PickleRef part) {
    if (heap_.kind(part) == PickleKind::tuple) {
      push(ref, heap_.items(part), Naming::none);
    } else {
      push(ref, std::span(&part, 1), Naming::none);
    }
  }

  const PickleHeap& heap_;
  PickleVisitor& visitor_;
  std::vector<bool> seen_;
  std::vector<Frame> frames_;
  std::string name_;
};

}  // namespace

void walk_pickle(const PickleHeap& heap, PickleRef root, PickleVisitor& visitor) {
  Walk(heap, visitor).run(root);
}

}  // namespace weightfs::format
