// Tensors in the pickles that torch.save and TorchScript write.
//
// A tensor is a call of torch._utils._rebuild_tensor* on a storage, and a storage is a persistent
// reference ("storage", class, key, location, element count[, view]); see torch/serialization.py.
// Where a key's bytes lie is the container's to say.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "layout_builder.h"
#include "pickle_heap.h"

namespace weightfs::format {

struct TorchStorage {
  std::string key;
  Dtype dtype = Dtype::u8;  // u8 for an untyped storage
  std::uint64_t element_count = 0;
  // In elements of the storage; not 0 only for views of legacy files.
  std::uint64_t view_offset = 0;
};

struct TorchTensor {
  std::string name;
  TorchStorage storage;
  Dtype dtype = Dtype::u8;
  std::uint64_t offset_elements = 0;
  std::vector<std::uint64_t> shape;
  std::vector<std::int64_t> strides_elements;
  std::uint32_t item_bytes = 0;  // of an element that Dtype lacks; 0 for dtype's own
  bool has_storage = true;       // false on the meta device
};

// Notes the strides where they are not those of a dense, row-major tensor. As many as dimensions.
void set_strides(TorchTensor& tensor, const std::vector<std::uint64_t>& strides);

// The storage that a persistent reference names, or nothing.
std::optional<TorchStorage> torch_storage(const PickleHeap& heap, PickleRef reference);

// Every tensor that can be reached from `root`. Code::invalid where one is not what it should be.
Result<std::vector<TorchTensor>> find_torch_tensors(const PickleHeap& heap, PickleRef root);

struct ByteRange {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
  bool is_opaque = false;  // compressed: there is nothing to see in it
  bool is_big_endian = false;
};

// Adds the tensors of one file, one extent for each storage that has a tensor. `locate` gives the
// bytes of a storage's key, nullptr if there are none. Code::invalid where a storage or a view is
// larger than its bytes, or a key has none.
Status add_torch_tensors(std::vector<TorchTensor> tensors,
                         const std::function<const ByteRange*(std::string_view key)>& locate,
                         LayoutBuilder& builder);

}  // namespace weightfs::format
