// Zarr chunks that nothing compresses: each file is one chunk, and .zarray (version 2) or zarr.json
// (version 3) beside it says of what. Older Orbax checkpoints are directories of these. Version 3
// has its chunks in directories of their own by default: those are not found.
// https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html, .../v3/core/index.html
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
constexpr std::string_view kArrayName3 = "zarr.json";
constexpr std::uint64_t kMaxArrayBytes = 64 << 10;

// A chunk's name is its place in the grid: "0.3", or "0" in one dimension; version 3 has "c.0.3",
// and "c" for a scalar.
bool is_chunk_name(std::string_view name) {
  if (name == "c") return true;
  if (name.starts_with("c.")) name.remove_prefix(2);
  return !name.empty() && name.front() != '.' && name.back() != '.' &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return c == '.' || (c >= '0' && c <= '9'); });
}

std::shared_ptr<const ByteSource> array_beside(const ParseInput& input) {
  if (input.neighbours == nullptr || !is_chunk_name(input.name)) return nullptr;
  const bool is_version_3 = input.name.starts_with('c');
  auto array = is_version_3 ? nullptr : input.neighbours->open(kArrayName);
  return array == nullptr ? input.neighbours->open(kArrayName3) : array;
}

bool is_null(const Json& object, const char* key) {
  return !object.contains(key) || object[key].is_null();
}

Result<std::vector<std::uint64_t>> shape_of(const Json& dimensions) {
  if (!dimensions.is_array() || dimensions.size() > kMaxDimensions) {
    return fail(Code::invalid, "the array has no chunks");
  }
  std::vector<std::uint64_t> shape;
  for (const Json& dimension : dimensions) {
    if (!dimension.is_number_unsigned()) return fail(Code::invalid, "a dimension is no number");
    shape.push_back(dimension.get<std::uint64_t>());
  }
  return shape;
}

const Json& member(const Json& object, const char* key) {
  static const Json kNull;
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? kNull : *found;
}

// The one codec of version 3 that stores elements as they are: "bytes", little-endian.
bool is_plain(const Json& codecs) {
  if (!codecs.is_array() || codecs.size() != 1) return false;
  const Json& codec = codecs.front();
  return member(codec, "name") == "bytes" &&
         member(member(codec, "configuration"), "endian") != "big";
}

Result<Tensor> chunk_of_version_3(const Json& array) {
  if (member(array, "node_type") != "array") return fail(Code::invalid, "zarr.json is no array's");
  if (!is_plain(member(array, "codecs"))) {
    return fail(Code::unsupported, "the chunks are compressed");
  }
  const Json& type = member(array, "data_type");
  const auto dtype = type.is_string() ? parse_numpy_dtype(type.get<std::string>()) : std::nullopt;
  if (!dtype || dtype->dtype == Dtype::opaque) {
    return fail(Code::unsupported, "the elements are of no known type");
  }
  Tensor tensor;
  tensor.dtype = dtype->dtype;
  const Json& grid = member(member(array, "chunk_grid"), "configuration");
  WEIGHTFS_ASSIGN(tensor.shape, shape_of(member(grid, "chunk_shape")));
  return tensor;
}

Result<Tensor> chunk_of(const Json& array) {
  if (!array.is_object()) return fail(Code::invalid, ".zarray is not an object");
  if (member(array, "zarr_format") == 3) return chunk_of_version_3(array);
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
  WEIGHTFS_ASSIGN(tensor.shape, shape_of(array["chunks"]));
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
