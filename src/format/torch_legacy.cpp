// What torch.save wrote before 1.6: the pickles of a magic number, a protocol version, the
// machine's type sizes, the object, and the list of storage keys; then each storage, an element
// count and the elements. torch/serialization.py, _legacy_save.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "layout_builder.h"
#include "numpy_pickle.h"
#include "parsers.h"
#include "pickle_machine.h"
#include "torch_tensors.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

// LONG1 of 10 bytes: 0x1950a86a20f9469cfc6c, STOP. Before it PROTO and the protocol, and from
// protocol 4 on FRAME and a length.
constexpr std::array<unsigned char, 13> kMagic = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9,
                                                  0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e};
constexpr std::size_t kMagicOffset = 2;
constexpr std::size_t kFramedMagicOffset = 11;

bool has_magic(ByteSpan head, std::size_t offset_bytes) {
  if (head.size() < offset_bytes + kMagic.size()) return false;
  const ByteSpan magic = std::as_bytes(std::span(kMagic));
  return std::ranges::equal(head.subspan(offset_bytes, kMagic.size()), magic);
}

struct Prologue {
  PickleRef object = PickleHeap::kNone;
  PickleRef keys = PickleHeap::kNone;
  bool is_big_endian = false;
};

Result<Prologue> read_prologue(SourceReader& in, PickleHeap& heap) {
  WEIGHTFS_TRY(read_pickle(in, heap));  // magic number
  WEIGHTFS_TRY(read_pickle(in, heap));  // protocol version
  WEIGHTFS_ASSIGN(const PickleRef system, read_pickle(in, heap));
  Prologue prologue;
  prologue.is_big_endian = heap.find(system, "little_endian") == PickleHeap::kFalse;
  WEIGHTFS_ASSIGN(prologue.object, read_pickle(in, heap));
  WEIGHTFS_ASSIGN(prologue.keys, read_pickle(in, heap));
  return prologue;
}

// Every storage that the object refers to, also those that no tensor has: their sizes say where the
// next one starts.
std::unordered_map<std::string, Dtype> storage_dtypes(const PickleHeap& heap) {
  std::unordered_map<std::string, Dtype> dtypes;
  for (PickleRef ref = 0; ref < heap.size(); ++ref) {
    if (const auto storage = torch_storage(heap, ref)) dtypes.emplace(storage->key, storage->dtype);
  }
  return dtypes;
}

using Storages = std::unordered_map<std::string, ByteRange>;

Result<Storages> read_storages(SourceReader& in, const PickleHeap& heap, const Prologue& prologue) {
  const auto dtypes = storage_dtypes(heap);
  Storages storages;
  for (const PickleRef key_ref : heap.items(prologue.keys)) {
    const auto integer = heap.integer(key_ref);
    std::string key = integer ? std::to_string(*integer) : std::string(heap.text(key_ref));
    const auto dtype = dtypes.find(key);
    if (dtype == dtypes.end()) return fail(Code::invalid, "a storage has no known type: " + key);
    const std::uint64_t count = prologue.is_big_endian ? in.big_endian<std::uint64_t>() : in.u64();
    const auto length_bytes = dtype_bytes(dtype->second, count);
    const ByteRange range{.offset_bytes = in.position(),
                          .length_bytes = length_bytes.value_or(0),
                          .is_big_endian = prologue.is_big_endian};
    in.skip(range.length_bytes);
    if (!length_bytes || in.failed()) return fail(Code::invalid, "a storage is cut off: " + key);
    storages.emplace(std::move(key), range);
  }
  return storages;
}

class TorchLegacyParser final : public Parser {
 public:
  std::string_view name() const override { return "pytorch-legacy"; }

  Confidence detect(const ParseInput& input) const override {
    const bool is_mine =
        has_magic(input.head, kMagicOffset) || has_magic(input.head, kFramedMagicOffset);
    return is_mine ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    SourceReader in(input.source);
    PickleHeap heap;
    WEIGHTFS_ASSIGN(const Prologue prologue, read_prologue(in, heap));
    WEIGHTFS_ASSIGN(const Storages storages, read_storages(in, heap, prologue));
    WEIGHTFS_ASSIGN(std::vector<TorchTensor> tensors, find_torch_tensors(heap, prologue.object));
    LayoutBuilder builder(name(), input.source.size_bytes());
    const auto locate = [&](std::string_view key) {
      const auto found = storages.find(std::string(key));
      return found == storages.end() ? nullptr : &found->second;
    };
    WEIGHTFS_TRY(add_torch_tensors(std::move(tensors), locate, builder));
    WEIGHTFS_TRY(add_numpy_arrays(heap, prologue.object, builder));
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& torch_legacy_parser() {
  static const TorchLegacyParser kParser;
  return kParser;
}

}  // namespace weightfs::format
