// Darknet's .weights: major, minor and revision, the images seen, and floats in the order of the
// .cfg file (parser.c, load_weights_upto). Which float belongs to which layer only the .cfg knows.
#include <cmath>

#include "layout_builder.h"
#include "parsers.h"
#include "source_io.h"

namespace weightfs::format {
namespace {

constexpr std::uint32_t kMaxMinor = 9;
constexpr std::uint32_t kMaxRevision = 99;
constexpr std::size_t kMinSample = 64;
constexpr float kMaxWeight = 1e4F;
constexpr float kMinWeight = 1e-12F;

// The bytes before the floats, or 0 for what is no header. `seen` is 64 bits wide since 0.2.
std::uint64_t header_bytes(ByteSpan head) {
  ByteReader in(head);
  const std::uint32_t major = in.u32();
  const std::uint32_t minor = in.u32();
  const std::uint32_t revision = in.u32();
  if (in.failed() || major > 1 || minor > kMaxMinor || revision > kMaxRevision) return 0;
  if (major == 0 && minor == 0) return 0;
  return major * 10 + minor >= 2 ? 20 : 16;
}

// Nearly every float of the sample has the magnitude of a weight, and they are not all alike.
bool looks_like_weights(ByteSpan bytes) {
  ByteReader in(bytes);
  std::size_t plausible = 0;
  std::size_t distinct = 0;
  std::size_t total = 0;
  for (float last = 0; in.remaining() >= sizeof(float); ++total) {
    const auto value = std::bit_cast<float>(in.u32());
    const float magnitude = std::fabs(value);
    if (value == 0 || (magnitude < kMaxWeight && magnitude > kMinWeight)) ++plausible;
    if (value != last) ++distinct;
    last = value;
  }
  return total >= kMinSample && plausible * 100 >= total * 98 && distinct * 2 >= total;
}

class DarknetParser final : public Parser {
 public:
  std::string_view name() const override { return "darknet"; }

  Confidence detect(const ParseInput& input) const override {
    const std::uint64_t begin = header_bytes(input.head);
    if (begin == 0 || input.head.size() <= begin || input.source.size_bytes() % 4 != 0) {
      return Confidence::none;
    }
    if (!looks_like_weights(input.head.subspan(begin))) return Confidence::none;
    return input.name.ends_with(".weights") ? Confidence::likely : Confidence::weak;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const std::uint64_t begin = header_bytes(input.head);
    if (begin == 0 || begin > input.source.size_bytes()) {
      return fail(Code::invalid, "the header is broken");
    }
    LayoutBuilder builder(name(), input.source.size_bytes());
    Tensor tensor;
    tensor.name = "weights";
    tensor.dtype = Dtype::f32;
    tensor.shape = {(input.source.size_bytes() - begin) / sizeof(float)};
    tensor.offset_bytes = begin;
    builder.add_dense_tensor(std::move(tensor));
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& darknet_parser() {
  static const DarknetParser kParser;
  return kParser;
}

}  // namespace weightfs::format
