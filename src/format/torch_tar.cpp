// What torch.save wrote before 0.1.10: a tar file of "storages", "tensors" and "pickle".
// torch/serialization.py, legacy_load.
//
// "storages" is a pickled count, then for each storage the pickle (key, location, class), a 64-bit
// count and the elements, then a pickled list of views. "tensors" is a pickled count, then for each
// tensor the pickle (key, storage key, class), and as 64-bit numbers its dimension count (of which
// only the low half counts), sizes, strides and offset. "pickle" refers to tensors by key.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "bounds.h"
#include "layout_builder.h"
#include "parsers.h"
#include "pickle_machine.h"
#include "pickle_walk.h"
#include "tar.h"
#include "torch_dtype.h"
#include "torch_tensors.h"

namespace weightfs::format {
namespace {

struct Storage {
  ByteRange bytes;
  Dtype dtype = Dtype::u8;
};

const TarMember* find_member(const std::vector<TarMember>& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const TarMember& member) { return member.name == name; });
  return found == members.end() ? nullptr : &*found;
}

SourceReader reader_of(const ByteSource& source, const TarMember& member) {
  return {source, member.offset_bytes, member.offset_bytes + member.length_bytes};
}

Result<std::uint64_t> read_count(SourceReader& in) {
  PickleHeap heap;
  WEIGHTFS_ASSIGN(const PickleRef value, read_pickle(in, heap));
  const auto count = heap.count(value);
  if (!count || *count > kMaxTensors) return fail(Code::invalid, "an impossible count");
  return *count;
}

using Storages = std::unordered_map<std::int64_t, Storage>;

Result<Storages> read_storages(SourceReader in) {
  WEIGHTFS_ASSIGN(const std::uint64_t count, read_count(in));
  Storages storages;
  for (std::uint64_t i = 0; i < count; ++i) {
    PickleHeap heap;
    WEIGHTFS_ASSIGN(const PickleRef value, read_pickle(in, heap));
    const std::span<const PickleRef> fields = heap.items(value);
    const auto key = fields.size() == 3 ? heap.integer(fields[0]) : std::nullopt;
    const auto dtype = key ? dtype_of_torch_storage(heap.text(fields[2])) : std::nullopt;
    const auto length_bytes = dtype ? dtype_bytes(*dtype, in.u64()) : std::nullopt;
    if (!length_bytes) return fail(Code::invalid, "a storage is broken");
    storages[*key] = {.bytes = {.offset_bytes = in.position(), .length_bytes = *length_bytes},
                      .dtype = *dtype};
    in.skip(*length_bytes);
    if (in.failed()) return fail(Code::invalid, "a storage is cut off");
  }
  return storages;
}

struct TarTensor {
  std::int64_t key = 0;
  TorchTensor tensor;
};

void read_geometry(SourceReader& in, TorchTensor& tensor) {
  const std::uint32_t dimension_count = in.u32();
  in.skip(4);
  if (dimension_count > kMaxDimensions) return in.set_failed();
  std::vector<std::uint64_t> strides;
  for (std::uint32_t i = 0; i < dimension_count; ++i) tensor.shape.push_back(in.u64());
  for (std::uint32_t i = 0; i < dimension_count; ++i) strides.push_back(in.u64());
  tensor.offset_elements = in.u64();
  set_strides(tensor, strides);
}

Result<std::vector<TarTensor>> read_tensors(SourceReader in, const Storages& storages) {
  WEIGHTFS_ASSIGN(const std::uint64_t count, read_count(in));
  std::vector<TarTensor> tensors;
  for (std::uint64_t i = 0; i < count; ++i) {
    PickleHeap heap;
    WEIGHTFS_ASSIGN(const PickleRef value, read_pickle(in, heap));
    const std::span<const PickleRef> fields = heap.items(value);
    const auto key = fields.size() == 3 ? heap.integer(fields[0]) : std::nullopt;
    const auto storage_key = key ? heap.integer(fields[1]) : std::nullopt;
    const auto storage = storage_key ? storages.find(*storage_key) : storages.end();
    if (storage == storages.end()) return fail(Code::invalid, "a tensor has no storage");
    TarTensor tensor{.key = *key, .tensor = {}};
    tensor.tensor.dtype = storage->second.dtype;
    tensor.tensor.storage = {.key = std::to_string(*storage_key), .dtype = storage->second.dtype};
    read_geometry(in, tensor.tensor);
    if (in.failed()) return fail(Code::invalid, "a tensor is cut off");
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// What the object calls each tensor: the path to the persistent reference that is its key.
class ReferenceNames final : public PickleVisitor {
 public:
  explicit ReferenceNames(const PickleHeap& heap) : heap_(heap) {}
  bool visit(PickleRef, std::string_view) override { return false; }
  void visit_reference(PickleRef reference, std::string_view name) override {
    const PickleRef id = heap_.items(reference).front();
    std::int64_t key = heap_.integer(id).value_or(-1);
    if (!heap_.text(id).empty()) key = std::atoll(std::string(heap_.text(id)).c_str());
    names_.emplace(key, name);
  }
  std::string name_of(std::int64_t key) const {
    const auto found = names_.find(key);
    return found == names_.end() ? std::to_string(key) : found->second;
  }

 private:
  const PickleHeap& heap_;
  std::map<std::int64_t, std::string> names_;
};

Status name_tensors(SourceReader in, std::vector<TarTensor>& tensors) {
  PickleHeap heap;
  WEIGHTFS_ASSIGN(const PickleRef root, read_pickle(in, heap));
  ReferenceNames names(heap);
  walk_pickle(heap, root, names);
  for (TarTensor& tensor : tensors) tensor.tensor.name = names.name_of(tensor.key);
  return {};
}

class TorchTarParser final : public Parser {
 public:
  std::string_view name() const override { return "pytorch-tar"; }

  Confidence detect(const ParseInput& input) const override {
    if (!looks_like_tar(input.head)) return Confidence::none;
    const auto members = read_tar_directory(input.source);
    const bool is_torch = members && find_member(*members, "storages") != nullptr &&
                          find_member(*members, "tensors") != nullptr &&
                          find_member(*members, "pickle") != nullptr;
    return is_torch ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(const std::vector<TarMember> members, read_tar_directory(input.source));
    const TarMember* storage_member = find_member(members, "storages");
    const TarMember* tensor_member = find_member(members, "tensors");
    const TarMember* pickle_member = find_member(members, "pickle");
    if (storage_member == nullptr || tensor_member == nullptr || pickle_member == nullptr) {
      return fail(Code::invalid, "a member is missing");
    }
    WEIGHTFS_ASSIGN(const Storages storages,
                    read_storages(reader_of(input.source, *storage_member)));
    WEIGHTFS_ASSIGN(std::vector<TarTensor> tensors,
                    read_tensors(reader_of(input.source, *tensor_member), storages));
    WEIGHTFS_TRY(name_tensors(reader_of(input.source, *pickle_member), tensors));
    return layout_of(input, storages, std::move(tensors));
  }

 private:
  Result<Layout> layout_of(const ParseInput& input, const Storages& storages,
                           std::vector<TarTensor> tensors) const {
    std::unordered_map<std::string, ByteRange> ranges;
    for (const auto& [key, storage] : storages) ranges[std::to_string(key)] = storage.bytes;
    std::vector<TorchTensor> plain;
    for (TarTensor& tensor : tensors) plain.push_back(std::move(tensor.tensor));
    LayoutBuilder builder(name(), input.source.size_bytes());
    const auto locate = [&](std::string_view key) {
      const auto found = ranges.find(std::string(key));
      return found == ranges.end() ? nullptr : &found->second;
    };
    WEIGHTFS_TRY(add_torch_tensors(std::move(plain), locate, builder));
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& torch_tar_parser() {
  static const TorchTarParser kParser;
  return kParser;
}

}  // namespace weightfs::format
