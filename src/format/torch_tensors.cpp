#include "torch_tensors.h"

#include <unordered_map>

#include "bounds.h"
#include "pickle_walk.h"
#include "torch_dtype.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

// The arguments of _rebuild_tensor, _rebuild_tensor_v2, _v3 and _rebuild_qtensor begin alike.
constexpr std::size_t kStorageArgument = 0;
constexpr std::size_t kOffsetArgument = 1;
constexpr std::size_t kShapeArgument = 2;
constexpr std::size_t kStridesArgument = 3;
// Only _rebuild_tensor_v3, whose storages are untyped.
constexpr std::size_t kDtypeArgument = 6;

bool rebuilds_tensor(std::string_view callable) {
  return callable == "torch._utils._rebuild_tensor" ||
         callable == "torch._utils._rebuild_tensor_v2" ||
         callable == "torch._utils._rebuild_tensor_v3" ||
         callable == "torch._utils._rebuild_qtensor" ||
         callable == "torch._utils._rebuild_tensor_v0";
}

std::string text_or_number(const PickleHeap& heap, PickleRef ref) {
  if (const auto number = heap.integer(ref)) return std::to_string(*number);
  return std::string(heap.text(ref));
}

std::optional<std::vector<std::uint64_t>> counts(const PickleHeap& heap, PickleRef tuple) {
  std::vector<std::uint64_t> values;
  const std::span<const PickleRef> items = heap.items(tuple);
  if (items.size() > kMaxDimensions) return std::nullopt;
  for (const PickleRef item : items) {
    const auto value = heap.count(item);
    if (!value) return std::nullopt;
    values.push_back(*value);
  }
  return values;
}

// Row-major without gaps; the strides of dimensions of one element don't matter.
bool is_dense(const std::vector<std::uint64_t>& shape, const std::vector<std::uint64_t>& strides) {
  std::uint64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] != 1 && strides[i] != expected) return false;
    const auto next = checked_multiply(expected, shape[i]);
    if (!next) return false;
    expected = *next;
  }
  return true;
}

class TensorFinder final : public PickleVisitor {
 public:
  explicit TensorFinder(const PickleHeap& heap) : heap_(heap) {}

  bool visit(PickleRef object, std::string_view name) override {
    std::string_view callable = heap_.callable_name(object);
    std::span<const PickleRef> arguments = heap_.items(heap_.object(object).arguments);
    // _rebuild_from_type_v2(function, type, arguments, state) wraps the call of a subclass.
    if (callable == "torch._tensor._rebuild_from_type_v2" && arguments.size() >= 3) {
      callable = heap_.text(arguments[0]);
      arguments = heap_.items(arguments[2]);
    }
    const bool is_meta = callable == "torch._utils._rebuild_meta_tensor_no_storage";
    if (!is_meta && !rebuilds_tensor(callable)) return false;
    if (tensors_.size() >= kMaxTensors) is_broken_ = true;
    if (!is_broken_) is_broken_ = is_meta ? !add_meta(arguments, name) : !add(arguments, name);
    return true;
  }

  bool is_broken() const { return is_broken_; }
  std::vector<TorchTensor> take() { return std::move(tensors_); }

 private:
  bool add(std::span<const PickleRef> arguments, std::string_view name) {
    if (arguments.size() <= kStridesArgument) return false;
    auto storage = torch_storage(heap_, arguments[kStorageArgument]);
    const auto offset = heap_.count(arguments[kOffsetArgument]);
    auto shape = counts(heap_, arguments[kShapeArgument]);
    const auto strides = counts(heap_, arguments[kStridesArgument]);
    if (!storage || !offset || !shape || !strides || shape->size() != strides->size()) return false;
    TorchTensor tensor{.name = std::string(name),
                       .storage = *std::move(storage),
                       .offset_elements = *offset,
                       .shape = *std::move(shape),
                       .strides_elements = {}};
    tensor.dtype = tensor.storage.dtype;
    if (arguments.size() > kDtypeArgument) set_element(tensor, arguments[kDtypeArgument]);
    set_strides(tensor, *strides);
    tensors_.push_back(std::move(tensor));
    return true;
  }

  // _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad): a shape without bytes.
  bool add_meta(std::span<const PickleRef> arguments, std::string_view name) {
    auto shape = arguments.size() < 2 ? std::nullopt : counts(heap_, arguments[1]);
    if (!shape) return false;
    TorchTensor tensor;
    tensor.name = name;
    tensor.shape = *std::move(shape);
    tensor.has_storage = false;
    set_element(tensor, arguments[0]);
    tensors_.push_back(std::move(tensor));
    return true;
  }

  void set_element(TorchTensor& tensor, PickleRef dtype) const {
    const std::string_view name = heap_.text(dtype);
    // The calls before _v3 have something else here.
    if (!name.starts_with("torch.")) return;
    const TorchElement element = torch_element(name);
    tensor.dtype = element.dtype;
    tensor.item_bytes = element.item_bytes;
  }

  const PickleHeap& heap_;
  std::vector<TorchTensor> tensors_;
  bool is_broken_ = false;
};

// One more than the largest index that the tensor touches in its storage, from its own offset on.
std::optional<std::uint64_t> span_elements(const TorchTensor& tensor) {
  if (tensor.strides_elements.empty()) return element_count_of(tensor.shape);
  std::uint64_t last = 0;
  for (std::size_t i = 0; i < tensor.shape.size(); ++i) {
    if (tensor.shape[i] == 0) return 0;
    const auto step = checked_multiply<std::uint64_t>(
        tensor.shape[i] - 1, static_cast<std::uint64_t>(tensor.strides_elements[i]));
    const auto sum = step ? checked_add(last, *step) : std::nullopt;
    if (!sum) return std::nullopt;
    last = *sum;
  }
  return checked_add<std::uint64_t>(last, 1);
}

// The tensor's bytes within its storage, or nothing where they are more than it has.
std::optional<ByteRange> range_in_storage(const TorchTensor& tensor, std::uint64_t storage_bytes) {
  const std::uint64_t item_bytes =
      tensor.item_bytes == 0 ? dtype_layout(tensor.dtype).unit_bytes : tensor.item_bytes;
  const auto elements = span_elements(tensor);
  const auto offset = checked_add(tensor.storage.view_offset, tensor.offset_elements);
  if (!elements || !offset) return std::nullopt;
  const auto offset_bytes = checked_multiply<std::uint64_t>(*offset, item_bytes);
  const auto length_bytes = checked_multiply<std::uint64_t>(*elements, item_bytes);
  if (!offset_bytes || !length_bytes) return std::nullopt;
  // An empty tensor may lie anywhere; it touches nothing.
  if (*length_bytes == 0) return ByteRange{};
  if (!range_fits(*offset_bytes, *length_bytes, storage_bytes)) return std::nullopt;
  return ByteRange{.offset_bytes = *offset_bytes, .length_bytes = *length_bytes};
}

// A storage's extent has rows where its first tensor fills it densely.
Extent storage_extent(const TorchTensor& first, const ByteRange& bytes, const ByteRange& tensor) {
  const bool is_typed = !bytes.is_big_endian && !bytes.is_opaque &&
                        bytes.length_bytes % dtype_layout(first.dtype).unit_bytes == 0;
  const bool is_filled =
      first.strides_elements.empty() && tensor.length_bytes == bytes.length_bytes;
  return {.offset_bytes = bytes.offset_bytes,
          .length_bytes = bytes.length_bytes,
          .dtype = is_typed ? first.dtype : Dtype::opaque,
          .row_bytes = is_typed && is_filled ? row_bytes_of(first.shape, first.dtype) : 0};
}

const char* note_of(const TorchTensor& tensor, const ByteRange& bytes) {
  if (bytes.is_opaque) return "compressed";
  if (bytes.is_big_endian) return "big-endian";
  return tensor.strides_elements.empty() ? "" : "strided";
}

}  // namespace

void set_strides(TorchTensor& tensor, const std::vector<std::uint64_t>& strides) {
  if (is_dense(tensor.shape, strides)) return;
  tensor.strides_elements.assign(strides.begin(), strides.end());
}

std::optional<TorchStorage> torch_storage(const PickleHeap& heap, PickleRef reference) {
  if (heap.kind(reference) != PickleKind::persistent) return std::nullopt;
  const std::span<const PickleRef> id = heap.items(heap.items(reference).front());
  if (id.size() < 5 || heap.text(id[0]) != "storage") return std::nullopt;
  const auto dtype = dtype_of_torch_storage(heap.text(id[1]));
  const auto element_count = heap.count(id[4]);
  if (!dtype || !element_count) return std::nullopt;
  TorchStorage storage{
      .key = text_or_number(heap, id[2]), .dtype = *dtype, .element_count = *element_count};
  // Legacy files: (view key, offset, count) of a part of the storage, or None.
  const std::span<const PickleRef> view = id.size() > 5 ? heap.items(id[5]) : id.first(0);
  if (view.size() == 3) storage.view_offset = heap.count(view[1]).value_or(0);
  return storage;
}

Result<std::vector<TorchTensor>> find_torch_tensors(const PickleHeap& heap, PickleRef root) {
  TensorFinder finder(heap);
  walk_pickle(heap, root, finder);
  if (finder.is_broken()) return fail(Code::invalid, "a tensor in the pickle is broken");
  return finder.take();
}

Status add_torch_tensors(std::vector<TorchTensor> tensors,
                         const std::function<const ByteRange*(std::string_view key)>& locate,
                         LayoutBuilder& builder) {
  std::unordered_map<const ByteRange*, bool> is_added;
  for (TorchTensor& tensor : tensors) {
    if (!tensor.has_storage) {
      builder.add_view({.name = std::move(tensor.name),
                        .dtype = tensor.dtype,
                        .shape = std::move(tensor.shape),
                        .strides_elements = {},
                        .note = "no data: on the meta device"});
      continue;
    }
    const ByteRange* bytes = locate(tensor.storage.key);
    if (bytes == nullptr) return fail(Code::invalid, "a storage is missing: " + tensor.storage.key);
    const auto declared = dtype_bytes(tensor.storage.dtype, tensor.storage.element_count);
    if (!bytes->is_opaque && (!declared || *declared > bytes->length_bytes)) {
      return fail(Code::invalid, "a storage is too short: " + tensor.storage.key);
    }
    const auto range =
        range_in_storage(tensor, bytes->is_opaque ? declared.value_or(0) : bytes->length_bytes);
    if (!range) return fail(Code::invalid, "tensor " + tensor.name + " is not in its storage");
    if (!std::exchange(is_added[bytes], true)) {
      builder.add_extent(storage_extent(tensor, *bytes, *range));
    }
    builder.add_view({.name = std::move(tensor.name),
                      .dtype = tensor.dtype,
                      .shape = std::move(tensor.shape),
                      .strides_elements = std::move(tensor.strides_elements),
                      .offset_bytes = bytes->is_opaque ? bytes->offset_bytes
                                                       : bytes->offset_bytes + range->offset_bytes,
                      .length_bytes = bytes->is_opaque ? bytes->length_bytes : range->length_bytes,
                      .note = note_of(tensor, *bytes)});
  }
  return {};
}

}  // namespace weightfs::format
