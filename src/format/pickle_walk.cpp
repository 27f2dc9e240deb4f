#include "pickle_walk.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "bounds.h"

namespace weightfs::format {
namespace {

constexpr std::size_t kMaxDepth = 1000;

// What is reached a second time has a second name, but only so often: lists that contain each other
// twice, a few dozen deep, would have more names than there is time for.
constexpr std::size_t kMaxRevisits = 1 << 20;

// The attributes under which torch.nn.Module keeps its children are no part of their names.
constexpr std::array<std::string_view, 3> kUnnamed = {"_modules", "_parameters", "_buffers"};

// Calls that make no more than a container of what they are given.
constexpr std::array<std::string_view, 5> kContainers = {
    "collections.OrderedDict", "collections.defaultdict", "collections.deque",
    "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"};

// How a value's items are named: by index, by key, or not at all.
enum class Naming { indices, keys, none };

struct Frame {
  std::span<const PickleRef> items;
  Naming naming = Naming::indices;
  std::size_t next = 0;
  std::size_t name_bytes = 0;        // of the path that leads here
  PickleRef of = PickleHeap::kNone;  // what ends with this frame
};

class Walk {
 public:
  Walk(const PickleHeap& heap, PickleVisitor& visitor)
      : heap_(heap), visitor_(visitor), seen_(heap.size(), Seen::no) {}

  void run(PickleRef root) {
    enter(root);
    while (!frames_.empty()) {
      Frame& frame = frames_.back();
      name_.resize(frame.name_bytes);
      if (frame.next >= frame.items.size()) {
        leave(frame.of);
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

  // `open` while the value is on the path to what is visited.
  enum class Seen : std::uint8_t { no, open, closed, leaf };

  void leave(PickleRef ref) {
    if (seen_[ref] != Seen::open) return;
    seen_[ref] = Seen::closed;
    if (is_instance(ref)) --open_instances_;
  }

  // Of a class that is no container: what is met again in it is an attribute of its own, like the
  // flat weights of a recurrent layer, and no tensor that anybody saved.
  bool is_instance(PickleRef ref) const {
    return heap_.kind(ref) == PickleKind::object && !is_container(heap_.callable_name(ref));
  }

  // Whether what was visited before is visited again under another name.
  bool may_revisit(PickleRef ref) {
    if (seen_[ref] == Seen::open || revisits_left_ == 0 || open_instances_ > 0) return false;
    if (seen_[ref] != Seen::leaf && is_instance(ref)) return false;
    revisits_left_ -= std::min(revisits_left_, heap_.items(ref).size() + 1);
    return true;
  }

  static bool is_container(std::string_view callable) {
    return std::find(kContainers.begin(), kContainers.end(), callable) != kContainers.end();
  }

  void enter(PickleRef ref) {
    if (frames_.size() >= kMaxDepth || name_.size() > kMaxNameBytes) return;
    if (seen_[ref] != Seen::no && !may_revisit(ref)) return;
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
    seen_[ref] = Seen::open;
    frames_.push_back(
        {.items = items, .naming = naming, .next = 0, .name_bytes = name_.size(), .of = ref});
  }

  // What an object was made of comes before its state and its items, whose frame is pushed first
  // and ends last.
  void enter_object(PickleRef ref) {
    seen_[ref] = Seen::leaf;
    if (visitor_.visit(ref, name_)) return;
    if (is_instance(ref)) ++open_instances_;
    const PickleObject& object = heap_.object(ref);
    push(ref, heap_.items(ref), object.items_are_pairs ? Naming::keys : Naming::indices);
    push_parts(object.state);
    push_parts(object.arguments);
  }

  // A tuple's own items, so that its indices don't show; anything else as the only item.
  void push_parts(const PickleRef& part) {
    const bool is_tuple = heap_.kind(part) == PickleKind::tuple;
    frames_.push_back({.items = is_tuple ? heap_.items(part) : std::span(&part, 1),
                       .naming = Naming::none,
                       .next = 0,
                       .name_bytes = name_.size()});
  }

  const PickleHeap& heap_;
  PickleVisitor& visitor_;
  std::vector<Seen> seen_;
  std::size_t revisits_left_ = kMaxRevisits;
  std::size_t open_instances_ = 0;
  std::vector<Frame> frames_;
  std::string name_;
};

}  // namespace

void walk_pickle(const PickleHeap& heap, PickleRef root, PickleVisitor& visitor) {
  Walk(heap, visitor).run(root);
}

}  // namespace weightfs::format
