// Reads a pickle of any protocol (0 to 5) into a PickleHeap, opcode by opcode. Nothing is executed:
// a call becomes an object that remembers what would have been called.
//
// The opcodes are those of CPython's Lib/pickletools.py; PEP 307, PEP 3154 and PEP 574 describe
// them.
#pragma once

#include "pickle_heap.h"
#include "source_reader.h"

namespace weightfs::format {

// For formats that put bytes of their own into the middle of a pickle.
class PickleHooks {
 public:
  virtual ~PickleHooks() = default;
  // `object` has got its state; the reader stands behind the opcode and may be moved on.
  virtual Status built(PickleHeap& heap, PickleRef object, SourceReader& in) = 0;
};

// The value of the pickle at the reader's position, which is left behind it. Code::invalid where it
// is cut off, pops what is not there, or exceeds a bound (docs/file-formats.md, "pickle"). Strings'
// ranges are positions in the reader's source. Time is linear in the pickle without its long
// strings.
Result<PickleRef> read_pickle(SourceReader& in, PickleHeap& heap, PickleHooks* hooks = nullptr);

}  // namespace weightfs::format
