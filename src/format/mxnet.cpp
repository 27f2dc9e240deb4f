// MXNet's .params: a list of NDArrays and a list of their names, little-endian.
// mxnet/src/ndarray/ndarray.cc (NDArray::Save), include/mxnet/tuple.h.
#include <array>

#include "bounds.h"
#include "layout_builder.h"
#include "parsers.h"
#include "source_reader.h"

namespace weightfs::format {
namespace {

constexpr std::uint64_t kListMagic = 0x112;
constexpr std::uint32_t kMagicV1 = 0xf993fac8;  // 64-bit shapes
constexpr std::uint32_t kMagicV2 = 0xf993fac9;  // and a storage type
constexpr std::uint32_t kMagicV3 = 0xf993faca;  // and NumPy's notion of a shape

// mshadow's type flags, in their order.
constexpr std::array kDtypes = {
    Dtype::f32,     Dtype::f64, Dtype::f16, Dtype::u8,  Dtype::i32, Dtype::i8,   Dtype::i64,
    Dtype::boolean, Dtype::i16, Dtype::u16, Dtype::u32, Dtype::u64, Dtype::bf16,
};

// A number of dimensions, of the width that the version gives.
std::vector<std::uint64_t> read_shape(SourceReader& reader, std::uint32_t rank, bool is_wide) {
  std::vector<std::uint64_t> shape;
  if (rank > kMaxDimensions) reader.set_failed();
  for (std::uint32_t i = 0; i < rank && !reader.failed(); ++i) {
    shape.push_back(is_wide ? reader.u64() : reader.u32());
  }
  return shape;
}

class ListReader {
 public:
  explicit ListReader(const ByteSource& source) : reader_(source) {}

  Result<std::vector<Tensor>> read() {
    reader_.skip(16);  // magic, reserved
    const std::uint64_t array_count = reader_.u64();
    for (std::uint64_t i = 0; i < array_count && !reader_.failed(); ++i) {
      if (tensors_.size() >= kMaxTensors) return fail(Code::invalid, "too many arrays");
      WEIGHTFS_TRY(read_array());
    }
    read_names();
    if (reader_.failed()) return fail(Code::invalid, "the list of arrays is broken");
    if (!reader_.at_end()) return fail(Code::invalid, "there is more than a list of arrays");
    return std::move(tensors_);
  }

 private:
  Status read_array() {
    const std::uint32_t magic = reader_.u32();
    const bool has_storage_type = magic == kMagicV2 || magic == kMagicV3;
    if (has_storage_type && reader_.u32() != 0) {
      return fail(Code::unsupported, "an array is sparse");
    }
    const bool is_wide = has_storage_type || magic == kMagicV1;
    Tensor tensor;
    const std::uint32_t rank = is_wide ? reader_.u32() : magic;  // first there was no magic
    const bool is_none = magic == kMagicV3 ? rank == ~std::uint32_t{0} : rank == 0;
    if (!is_none) {
      tensor.shape = read_shape(reader_, rank, is_wide);
      reader_.skip(8);  // device type and number
      read_data(tensor);
    }
    tensors_.push_back(std::move(tensor));
    return {};
  }

  void read_data(Tensor& tensor) {
    const std::uint32_t flag = reader_.u32();
    if (flag >= kDtypes.size()) return reader_.set_failed();
    tensor.dtype = kDtypes[flag];
    const auto length_bytes = tensor_bytes_of(tensor.shape, tensor.dtype);
    if (!length_bytes) return reader_.set_failed();
    tensor.offset_bytes = reader_.position();
    tensor.length_bytes = *length_bytes;
    reader_.skip(*length_bytes);
  }

  // There are as many names as arrays, or none.
  void read_names() {
    const std::uint64_t name_count = reader_.u64();
    if (name_count != 0 && name_count != tensors_.size()) return reader_.set_failed();
    for (std::uint64_t i = 0; i < tensors_.size() && !reader_.failed(); ++i) {
      tensors_[i].name = name_count == 0 ? std::to_string(i) : reader_.text(reader_.u64());
    }
  }

  SourceReader reader_;
  std::vector<Tensor> tensors_;
};

class MxnetParser final : public Parser {
 public:
  std::string_view name() const override { return "mxnet"; }

  Confidence detect(const ParseInput& input) const override {
    ByteReader in(input.head);
    const bool is_list = in.u64() == kListMagic && in.u64() == 0;
    return is_list && !in.failed() ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(std::vector<Tensor> tensors, ListReader(input.source).read());
    LayoutBuilder builder(name(), input.source.size_bytes());
    for (Tensor& tensor : tensors) builder.add_tensor(std::move(tensor));
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& mxnet_parser() {
  static const MxnetParser kParser;
  return kParser;
}

}  // namespace weightfs::format
