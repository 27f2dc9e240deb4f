// Zarr version 2 chunks that nothing compresses: each file is one chunk, and .zarray beside it says
// of what. Older Orbax checkpoints are directories of these.
// https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html
#include <nlohmann/json.hpp>

#include <algorithm>

#include "bounds.h"
#include "layout_builder.h"
#include "numpy_dtype.h"
#include "parsers.h"
#include "source_io.h"

namespace weightfs::format {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kArrayName = ".zarray";
constexpr std::uint64_t kMaxArrayBytes = 64 << 10;

// A chunk's name is its place in the grid: "0.3", or "0" in one dimension.
bool is_chunk_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.back() != '.' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

std::shared_ptr<const ByteSource> array_beside(const ParseInput& input) {
  if (input.neighbours == nullptr || !is_chunk_name(input.name)) return nullptr;
  return input.neighbours->open(kArrayName);
}

bool is_null(const Json& object, const char* key) {
  return !object.contains(key) || object[key].is_null();
}

Result<Tensor> chunk_of(const Json& array) {
  if (!array.is_object()) return fail(Code::invalid, ".zarray is not an object");
  if (!is_null(array, "compressor") || !is_null(array, "filters")) {
    return fail(Code::unsupported, "the chunks are compressed");
  }
  if (!array.contains("chunks") || !array["chunks"].is_array() || !array.contains("dtype") ||
      !array["dtype"].is_string()) {
    return fail(Code::invalid, ".zarray has no chunks or no dtype");
  }
  const auto dtype = parse_numpy_dtype(array["dtype"].get<std::string>());
  if (!dtype || dtype->is_big_endian || dtype->dtype == Dtype::opaque) {
    return fail(Code::unsupported, "the elements are of no known type");
  }
  Tensor tensor;
  tensor.dtype = dtype->dtype;
  for (const Json& dimension : array["chunks"]) {
    if (!dimension.is_number_unsigned()) return fail(Code::invalid, "a dimension is no number");
    tensor.shape.push_back(dimension.get<std::uint64_t>());
  }
  return tensor;
}

class ZarrParser final : public Parser {
 public:
  std::string_view name() const override { return "zarr-chunk"; }

  Confidence detect(const ParseInput& input) const override {
    return array_beside(input) == nullptr ? Confidence::none : Confidence::likely;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const auto array = array_beside(input);
    if (array == nullptr) return fail(Code::invalid, "there is no .zarray");
    WEIGHTFS_ASSIGN(const ByteVector text, read_head(*array, kMaxArrayBytes));
    WEIGHTFS_ASSIGN(Tensor tensor, chunk_of(Json::parse(text_of(text), nullptr, false)));
    tensor.name = "chunk " + std::string(input.name);
    if (tensor_bytes_of(tensor.shape, tensor.dtype) != input.source.size_bytes()) {
      return fail(Code::invalid, "the chunk has another size than .zarray says");
    }
    LayoutBuilder builder(name(), input.source.size_bytes());
    builder.add_dense_tensor(std::move(tensor));
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& zarr_parser() {
  static const ZarrParser kParser;
  return kParser;
}

}  // namespace weightfs::format
