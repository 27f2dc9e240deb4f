// Finds what a pickle holds, with the names that its dicts and attributes give.
#pragma once

#include <string_view>

#include "pickle_heap.h"

namespace weightfs::format {

class PickleVisitor {
 public:
  virtual ~PickleVisitor() = default;
  // `object` is of PickleKind::object, `name` the path to it: keys, attributes and indices with
  // dots between them, "state_dict.conv1.weight". True if the object is understood; what it is made
  // of is visited otherwise.
  virtual bool visit(PickleRef object, std::string_view name) = 0;
  // A persistent reference that is an item of something visited.
  virtual void visit_reference(PickleRef /*reference*/, std::string_view /*name*/) {}
};

// Visits every object that can be reached from `root`, depth first, in the pickle's order: once,
// and under each of its names what dicts and lists have more than once. Not followed are paths
// deeper than 1,000 or longer than bounds.h's kMaxNameBytes. Linear in the heap, and 1,048,576
// values besides.
void walk_pickle(const PickleHeap& heap, PickleRef root, PickleVisitor& visitor);

}  // namespace weightfs::format
