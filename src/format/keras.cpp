// Keras 3's .keras: a zip of metadata.json, config.json and an HDF5 file of weights, all stored.
// https://keras.io/api/models/model_saving_apis
#include "layout_builder.h"
#include "nested.h"
#include "parsers.h"
#include "zip.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kWeights = "model.weights.h5";

class KerasParser final : public Parser {
 public:
  std::string_view name() const override { return "keras"; }

  Confidence detect(const ParseInput& input) const override {
    if (!looks_like_zip(input.head)) return Confidence::none;
    const Result<std::vector<ZipMember>> members = read_zip_directory(input.source);
    if (!members) return Confidence::none;
    const bool is_keras = find_member(*members, kWeights) != nullptr &&
                          find_member(*members, "config.json") != nullptr;
    return is_keras ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    WEIGHTFS_ASSIGN(const std::vector<ZipMember> members, read_zip_directory(input.source));
    const ZipMember* weights = find_member(members, kWeights);
    if (weights == nullptr) return fail(Code::invalid, "there are no weights");
    if (!weights->is_stored) return fail(Code::invalid, "the weights are compressed");
    const Layout nested = parse_nested(input, {.offset_bytes = weights->offset_bytes,
                                               .length_bytes = weights->length_bytes,
                                               .name = weights->name});
    LayoutBuilder builder(name(), input.source.size_bytes());
    // The weights' names are those of a .weights.h5 file of the same model.
    builder.add_nested(nested, weights->offset_bytes, {});
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& keras_parser() {
  static const KerasParser kParser;
  return kParser;
}

}  // namespace weightfs::format
