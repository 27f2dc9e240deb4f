// MNN: a flatbuffer whose operators carry their weights.
// MNN/schema/default/{MNN,CaffeOp,Tensor}.fbs.
#include <array>
#include <span>

#include "bounds.h"
#include "flatbuffer.h"
#include "layout_builder.h"
#include "parsers.h"
#include "shared_extents.h"

namespace weightfs::format {
namespace {

enum NetField : unsigned { kOps = 3, kSourceType = 6, kTensorNames = 7, kSubgraphs = 10 };
enum SubgraphField : unsigned { kNodes = 4 };
enum OpField : unsigned { kMainType = 1, kMain = 2, kOpName = 3, kOpType = 5 };

// A vector inside of an operator's parameters: its path of field numbers, and its elements.
struct WeightField {
  std::uint8_t parameter;  // number in the union OpParameter
  std::int8_t inner;       // the table that holds the vector, or -1 for the parameters themselves
  std::uint8_t field;
  Dtype dtype;
  std::string_view name;
};

constexpr std::string_view kQuantized = "quantized";
// IDSTQuan's type, and which of them is plain half floats.
constexpr unsigned kQuanType = 2;
constexpr std::uint32_t kQuanHalf = 3;

constexpr std::array kWeightFields = {
    WeightField{5, -1, 1, Dtype::f32, "slope"},     // BatchNorm
    WeightField{5, -1, 2, Dtype::f32, "mean"},      //
    WeightField{5, -1, 3, Dtype::f32, "variance"},  //
    WeightField{5, -1, 4, Dtype::f32, "bias"},      //
    WeightField{7, -1, 3, Dtype::u8, "value"},      // Blob, of constants
    WeightField{7, -1, 4, Dtype::i8, "value"},      //
    WeightField{7, -1, 5, Dtype::i32, "value"},     //
    WeightField{7, -1, 6, Dtype::i64, "value"},     //
    WeightField{7, -1, 7, Dtype::f32, "value"},     //
    WeightField{9, -1, 1, Dtype::f32, "weight"},    // Convolution2D
    WeightField{9, -1, 2, Dtype::f32, "bias"},      //
    WeightField{9, 3, 0, Dtype::i8, kQuantized},    // its IDSTQuan
    WeightField{9, 3, 1, Dtype::f32, "alpha"},      //
    WeightField{9, 4, 0, Dtype::i8, "weight"},      // its QuantizedFloatParam
    WeightField{9, 4, 1, Dtype::i32, "bias"},       //
    WeightField{9, 4, 2, Dtype::f32, "scale"},      //
    WeightField{20, -1, 3, Dtype::f32, "weight"},   // InnerProduct
    WeightField{20, -1, 4, Dtype::f32, "bias"},     //
    WeightField{20, 7, 0, Dtype::i8, kQuantized},   // its IDSTQuan
    WeightField{20, 7, 1, Dtype::f32, "alpha"},     //
    WeightField{27, -1, 3, Dtype::f32, "scale"},    // Normalize
    WeightField{32, -1, 1, Dtype::f32, "slope"},    // PRelu
    WeightField{58, -1, 1, Dtype::f32, "scale"},    // Scale
    WeightField{58, -1, 2, Dtype::f32, "bias"},     //
};

class NetReader {
 public:
  NetReader(const ByteSource& source, LayoutBuilder& builder)
      : flatbuffer_(source), builder_(builder), extents_(builder) {}

  Status read() {
    FlatTable net(flatbuffer_, flatbuffer_.root());
    read_ops(net, kOps);
    const FlatVector subgraphs = net.vector(kSubgraphs, 4);
    for (std::uint32_t i = 0; i < subgraphs.count && can_go_on(); ++i) {
      read_ops(net.element(subgraphs, i), kNodes);
    }
    if (flatbuffer_.failed()) return fail(Code::invalid, "an offset leads out of the file");
    return {};
  }

 private:
  bool can_go_on() const { return !flatbuffer_.failed() && !builder_.failed(); }

  void read_ops(FlatTable owner, unsigned field) {
    const FlatVector ops = owner.vector(field, 4);
    for (std::uint32_t i = 0; i < ops.count && can_go_on(); ++i) read_op(owner.element(ops, i));
  }

  void read_op(FlatTable op) {
    const auto parameter = op.scalar<std::uint8_t>(kMainType);
    auto main = op.table(kMain);
    if (!main) return;
    const std::string name = op.text(kOpName);
    for (const WeightField& weight : kWeightFields) {
      if (weight.parameter == parameter) read_weight(*main, weight, name);
    }
  }

  void read_weight(FlatTable main, const WeightField& weight, const std::string& op_name) {
    auto holder =
        weight.inner < 0 ? std::optional(main) : main.table(static_cast<unsigned>(weight.inner));
    if (!holder) return;
    const std::uint32_t unit_bytes = dtype_layout(weight.dtype).unit_bytes;
    const FlatVector values = holder->vector(weight.field, unit_bytes);
    if (values.count == 0) return;
    Tensor tensor;
    tensor.name = op_name + "/" + std::string(weight.name);
    tensor.dtype = weight.dtype;
    tensor.shape = {values.count};
    const bool is_quantized = weight.name == kQuantized && values.count % 2 == 0;
    if (is_quantized && holder->scalar<std::uint32_t>(kQuanType) == kQuanHalf) {
      tensor.name = op_name + "/weight";
      tensor.dtype = Dtype::f16;
      tensor.shape = {values.count / 2};
    }
    tensor.offset_bytes = values.offset_bytes;
    tensor.length_bytes = std::uint64_t{values.count} * unit_bytes;
    extents_.add_tensor(std::move(tensor));
  }

  Flatbuffer flatbuffer_;
  LayoutBuilder& builder_;
  SharedExtents extents_;
};

// MNN files have no mark of their own: the root must be a Net with operators whose types are known,
// and names for its tensors.
bool looks_like_net(const ByteSource& source) {
  Flatbuffer flatbuffer(source);
  FlatTable net(flatbuffer, flatbuffer.root());
  const FlatVector ops = net.vector(kOps, 4);
  const FlatVector names = net.vector(kTensorNames, 4);
  if (flatbuffer.failed() || ops.count == 0 || names.count == 0) return false;
  constexpr std::uint32_t kOpsChecked = 4;
  constexpr std::uint32_t kMaxOpType = 1024;
  for (std::uint32_t i = 0; i < ops.count && i < kOpsChecked; ++i) {
    FlatTable op = net.element(ops, i);
    const bool is_op = op.scalar<std::uint32_t>(kOpType) <= kMaxOpType &&
                       op.scalar<std::uint8_t>(kMainType) <= 128 && !op.text(kOpName).empty();
    if (flatbuffer.failed() || !is_op) return false;
  }
  return true;
}

class MnnParser final : public Parser {
 public:
  std::string_view name() const override { return "mnn"; }

  Confidence detect(const ParseInput& input) const override {
    constexpr std::uint32_t kMaxRootOffset = 256;
    if (input.head.size() < 32) return Confidence::none;
    const auto root = load_unaligned<std::uint32_t>(input.head.data());
    if (root < 4 || root > kMaxRootOffset) return Confidence::none;
    return looks_like_net(input.source) ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(NetReader(input.source, builder).read());
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& mnn_parser() {
  static const MnnParser kParser;
  return kParser;
}

}  // namespace weightfs::format
