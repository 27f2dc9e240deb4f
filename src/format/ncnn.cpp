// ncnn's .bin: the weights of all layers end to end, without a header. The .param beside it says
// what they are.
// https://github.com/Tencent/ncnn/blob/master/docs/developer-guide/operation-param-weight-table.md
#include <array>

#include "bounds.h"
#include "layout_builder.h"
#include "ncnn_param.h"
#include "parsers.h"
#include "source_io.h"
#include "source_reader.h"

namespace weightfs::format {
namespace {

constexpr std::uint64_t kMaxParamBytes = 8ULL << 20;
constexpr int kAlways = -1;

// A run of weights of a layer, in the order in which ncnn loads them.
struct WeightRule {
  std::string_view layer;
  std::string_view name;
  int count_key;      // the parameter that says how many
  int condition_key;  // the parameter that says whether, or kAlways
  bool is_tagged;     // four bytes before the weights say how they are stored
};

constexpr std::array kRules = {
    WeightRule{"Convolution", "weight", 6, kAlways, true},
    WeightRule{"Convolution", "bias", 0, 5, false},
    WeightRule{"ConvolutionDepthWise", "weight", 6, kAlways, true},
    WeightRule{"ConvolutionDepthWise", "bias", 0, 5, false},
    WeightRule{"Deconvolution", "weight", 6, kAlways, true},
    WeightRule{"Deconvolution", "bias", 0, 5, false},
    WeightRule{"DeconvolutionDepthWise", "weight", 6, kAlways, true},
    WeightRule{"DeconvolutionDepthWise", "bias", 0, 5, false},
    WeightRule{"InnerProduct", "weight", 2, kAlways, true},
    WeightRule{"InnerProduct", "bias", 0, 1, false},
    WeightRule{"BatchNorm", "slope", 0, kAlways, false},
    WeightRule{"BatchNorm", "mean", 0, kAlways, false},
    WeightRule{"BatchNorm", "variance", 0, kAlways, false},
    WeightRule{"BatchNorm", "bias", 0, kAlways, false},
    WeightRule{"PReLU", "slope", 0, kAlways, false},
    WeightRule{"Scale", "scale", 0, kAlways, false},
    WeightRule{"Scale", "bias", 0, 1, false},
    WeightRule{"InstanceNorm", "gamma", 0, kAlways, false},
    WeightRule{"InstanceNorm", "beta", 0, kAlways, false},
    WeightRule{"Embed", "weight", 3, kAlways, true},
    WeightRule{"Embed", "bias", 0, 2, false},
    WeightRule{"Normalize", "scale", 3, kAlways, false},
    WeightRule{"Bias", "bias", 0, kAlways, false},
};

// What the tag before weights says of them; nothing for tables of quantized values.
std::optional<Dtype> dtype_of_tag(std::uint32_t tag) {
  switch (tag) {
    case 0:
    case 0x0002c056:
      return Dtype::f32;
    case 0x01306b47:
      return Dtype::f16;
    case 0x000d4b38:
      return Dtype::i8;
    default:
      return std::nullopt;
  }
}

class WeightReader {
 public:
  WeightReader(const ByteSource& source, LayoutBuilder& builder)
      : reader_(source), builder_(builder) {}

  // The weights must fill the file to its last byte: that is how it is known to be of this .param.
  Status read(const std::vector<NcnnLayer>& layers) {
    for (const NcnnLayer& layer : layers) {
      for (const WeightRule& rule : kRules) {
        if (rule.layer == layer.type) WEIGHTFS_TRY(read_weights(layer, rule));
      }
    }
    if (reader_.failed()) return fail(Code::invalid, "the file is shorter than its .param says");
    if (!reader_.at_end()) return fail(Code::invalid, "the file is longer than its .param says");
    return {};
  }

 private:
  Status read_weights(const NcnnLayer& layer, const WeightRule& rule) {
    if (rule.condition_key != kAlways && layer.number(rule.condition_key) == 0) return {};
    const std::int64_t count = layer.number(rule.count_key);
    if (count < 0) return fail(Code::unsupported, layer.name + " takes its weights as an input");
    const auto dtype = rule.is_tagged ? dtype_of_tag(reader_.u32()) : std::optional(Dtype::f32);
    if (!dtype) return fail(Code::unsupported, layer.name + " is quantized by a table");
    Tensor tensor;
    tensor.name = layer.name + "/" + std::string(rule.name);
    tensor.dtype = *dtype;
    tensor.shape = {static_cast<std::uint64_t>(count)};
    tensor.offset_bytes = reader_.position();
    tensor.length_bytes = tensor_bytes_of(tensor.shape, tensor.dtype).value_or(~std::uint64_t{0});
    reader_.skip(tensor.length_bytes);
    if (rule.is_tagged) reader_.skip((4 - tensor.length_bytes % 4) % 4);
    if (!reader_.failed()) builder_.add_tensor(std::move(tensor));
    return {};
  }

  SourceReader reader_;
  LayoutBuilder& builder_;
};

// The .param of the same stem.
std::shared_ptr<const ByteSource> param_beside(const ParseInput& input) {
  constexpr std::string_view kSuffix = ".bin";
  if (input.neighbours == nullptr || !input.name.ends_with(kSuffix)) return nullptr;
  std::string name(input.name.substr(0, input.name.size() - kSuffix.size()));
  return input.neighbours->open(name + ".param");
}

class NcnnParser final : public Parser {
 public:
  std::string_view name() const override { return "ncnn"; }

  Confidence detect(const ParseInput& input) const override {
    return param_beside(input) == nullptr ? Confidence::none : Confidence::likely;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const auto param = param_beside(input);
    if (param == nullptr || param->size_bytes() > kMaxParamBytes) {
      return fail(Code::invalid, "there is no .param");
    }
    WEIGHTFS_ASSIGN(const ByteVector text, read_head(*param, kMaxParamBytes));
    WEIGHTFS_ASSIGN(const std::vector<NcnnLayer> layers, parse_ncnn_param(text_of(text)));
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(WeightReader(input.source, builder).read(layers));
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& ncnn_parser() {
  static const NcnnParser kParser;
  return kParser;
}

}  // namespace weightfs::format
