#include "numpy_pickle.h"

#include <set>
#include <unordered_map>

#include "bounds.h"
#include "numpy_array.h"
#include "pickle_machine.h"
#include "pickle_walk.h"

namespace weightfs::format {
namespace {

// State of an array: (version, shape, dtype, is Fortran order, bytes).
constexpr std::size_t kStateItems = 5;
// State of a dtype: (version, byte order, ...).
constexpr std::size_t kByteOrderItem = 1;

std::optional<std::vector<std::uint64_t>> shape_of(const PickleHeap& heap, PickleRef tuple) {
  const std::span<const PickleRef> items = heap.items(tuple);
  // frombuffer of one dimension may have a bare number.
  if (const auto single = heap.count(tuple)) return std::vector{*single};
  if (items.size() > kMaxDimensions) return std::nullopt;
  std::vector<std::uint64_t> shape;
  for (const PickleRef item : items) {
    const auto dimension = heap.count(item);
    if (!dimension) return std::nullopt;
    shape.push_back(*dimension);
  }
  return shape;
}

// numpy.dtype("f4", ...), whose state has the byte order.
std::optional<NumpyDtype> dtype_of(const PickleHeap& heap, PickleRef ref) {
  if (heap.callable_name(ref) != "numpy.dtype") return std::nullopt;
  const PickleObject& object = heap.object(ref);
  const std::span<const PickleRef> arguments = heap.items(object.arguments);
  if (arguments.empty()) return std::nullopt;
  // A name, or the class of a type that NumPy itself has not: ml_dtypes.bfloat16.
  std::string_view text = heap.text(arguments.front());
  if (text.starts_with("ml_dtypes.")) text.remove_prefix(text.rfind('.') + 1);
  auto dtype = parse_numpy_dtype(text);
  const std::span<const PickleRef> state = heap.items(object.state);
  if (dtype && state.size() > kByteOrderItem && heap.text(state[kByteOrderItem]) == ">") {
    dtype->is_big_endian = dtype->item_bytes > 1;
  }
  return dtype;
}

bool is_joblib_wrapper(const PickleHeap& heap, PickleRef object) {
  return heap.callable_name(object).ends_with("numpy_pickle.NumpyArrayWrapper");
}

// Skips the arrays that joblib writes behind their wrappers, and remembers where they are.
class JoblibHooks final : public PickleHooks {
 public:
  Status built(PickleHeap& heap, PickleRef object, SourceReader& in) override {
    if (!is_joblib_wrapper(heap, object)) return {};
    const PickleRef state = heap.object(object).state;
    NumpyArray array;
    const auto dtype = dtype_of(heap, heap.find(state, "dtype"));
    auto shape = shape_of(heap, heap.find(state, "shape"));
    if (!dtype || !shape) return fail(Code::invalid, "a joblib array is broken");
    if (dtype->is_object) return read_objects(heap, object, in);
    const auto length_bytes = numpy_bytes_of(*dtype, *shape);
    if (!length_bytes) return fail(Code::invalid, "a joblib array is too large");
    if (heap.count(heap.find(state, "numpy_array_alignment_bytes"))) in.skip(in.u8());
    array.dtype = *dtype;
    array.shape = *std::move(shape);
    array.is_fortran_order = heap.text(heap.find(state, "order")) == "F";
    array.offset_bytes = in.position();
    array.length_bytes = *length_bytes;
    in.skip(*length_bytes);
    arrays_.emplace(object, std::move(array));
    return {};
  }

  const NumpyArray* find(PickleRef object) const {
    const auto found = arrays_.find(object);
    return found == arrays_.end() ? nullptr : &found->second;
  }

 private:
  // An array of objects is a pickle of its own, which becomes the wrapper's state.
  Status read_objects(PickleHeap& heap, PickleRef object, SourceReader& in) {
    if (depth_ >= kMaxNesting) return fail(Code::invalid, "nested too deep");
    ++depth_;
    const Result<PickleRef> value = read_pickle(in, heap, this);
    --depth_;
    if (!value) return tl::unexpected(value.error());
    heap.set_state(object, *value);
    return {};
  }

  std::unordered_map<PickleRef, NumpyArray> arrays_;
  int depth_ = 0;
};

class ArrayFinder final : public PickleVisitor {
 public:
  ArrayFinder(const PickleHeap& heap, const JoblibHooks& joblib, std::string_view prefix,
              LayoutBuilder& builder)
      : heap_(heap), joblib_(joblib), prefix_(prefix), builder_(builder) {}

  bool visit(PickleRef object, std::string_view name) override {
    const std::string_view callable = heap_.callable_name(object);
    if (callable.ends_with("multiarray._reconstruct")) return visit_reconstructed(object, name);
    if (callable.ends_with("numeric._frombuffer")) return visit_buffer(object, name);
    if (callable == "jax._src.array._reconstruct_array") return visit_jax(object, name);
    if (const NumpyArray* array = joblib_.find(object)) {
      add(*array, name);
      return true;
    }
    return false;
  }

  bool is_broken() const { return is_broken_; }

 private:
  bool visit_reconstructed(PickleRef object, std::string_view name) {
    return visit_state(heap_.object(object).state, name);
  }

  // _reconstruct_array(function, arguments, state, ...) of NumPy's function.
  bool visit_jax(PickleRef object, std::string_view name) {
    const std::span<const PickleRef> arguments = heap_.items(heap_.object(object).arguments);
    return arguments.size() >= 3 && visit_state(arguments[2], name);
  }

  bool visit_state(PickleRef tuple, std::string_view name) {
    const std::span<const PickleRef> state = heap_.items(tuple);
    if (state.size() != kStateItems) return false;
    // An array of objects has a list here, which is visited like any other.
    if (heap_.kind(state[4]) == PickleKind::list) return false;
    add_parts({.shape = state[1], .dtype = state[2], .bytes = state[4]},
              heap_.integer(state[3]).value_or(0) != 0, name);
    return true;
  }

  // _frombuffer(buffer, dtype, shape, order)
  bool visit_buffer(PickleRef object, std::string_view name) {
    const std::span<const PickleRef> arguments = heap_.items(heap_.object(object).arguments);
    if (arguments.size() != 4) return false;
    add_parts({.shape = arguments[2], .dtype = arguments[1], .bytes = arguments[0]},
              heap_.text(arguments[3]) == "F", name);
    return true;
  }

  struct Parts {
    PickleRef shape;
    PickleRef dtype;
    PickleRef bytes;
  };

  void add_parts(const Parts& parts, bool is_fortran_order, std::string_view name) {
    const auto dtype = dtype_of(heap_, parts.dtype);
    auto shape = shape_of(heap_, parts.shape);
    // Elements of a kind that is not known have no size that could be checked.
    if (!dtype && shape) return;
    if (!shape) {
      is_broken_ = true;
      return;
    }
    NumpyArray array{
        .dtype = *dtype, .shape = *std::move(shape), .is_fortran_order = is_fortran_order};
    const auto range = heap_.range(parts.bytes);
    if (!range || heap_.kind(parts.bytes) != PickleKind::bytes) return add_escaped(array, name);
    array.offset_bytes = range->offset_bytes;
    array.length_bytes = range->length_bytes;
    is_broken_ = is_broken_ || numpy_bytes_of(array.dtype, array.shape) != array.length_bytes;
    add(array, name);
  }

  // Equal small byte strings may be stored once: the first array brings the extent.
  void add(const NumpyArray& array, std::string_view name) {
    if (offsets_.insert(array.offset_bytes).second) builder_.add_extent(numpy_extent(array));
    builder_.add_view(numpy_tensor(array, full_name(name)));
  }

  void add_escaped(const NumpyArray& array, std::string_view name) {
    Tensor tensor = numpy_tensor(array, full_name(name));
    tensor.offset_bytes = 0;
    tensor.length_bytes = 0;
    tensor.note = "encoded as text";
    builder_.add_view(std::move(tensor));
  }

  std::string full_name(std::string_view name) const {
    std::string full(prefix_);
    if (!full.empty() && !name.empty()) full.push_back('.');
    return full.append(name);
  }

  const PickleHeap& heap_;
  const JoblibHooks& joblib_;
  std::string_view prefix_;
  LayoutBuilder& builder_;
  std::set<std::uint64_t> offsets_;
  bool is_broken_ = false;
};

}  // namespace

namespace {

Status add_arrays(ArrayFinder&& finder, const PickleHeap& heap, PickleRef root) {
  walk_pickle(heap, root, finder);
  if (finder.is_broken()) return fail(Code::invalid, "an array in the pickle is broken");
  return {};
}

}  // namespace

Status add_numpy_pickle(SourceReader& in, std::string_view name, LayoutBuilder& builder) {
  PickleHeap heap;
  JoblibHooks joblib;
  WEIGHTFS_ASSIGN(const PickleRef root, read_pickle(in, heap, &joblib));
  return add_arrays(ArrayFinder(heap, joblib, name, builder), heap, root);
}

Status add_numpy_arrays(const PickleHeap& heap, PickleRef root, LayoutBuilder& builder) {
  return add_arrays(ArrayFinder(heap, JoblibHooks(), "", builder), heap, root);
}

}  // namespace weightfs::format
