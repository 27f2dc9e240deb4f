// dlib's networks. Each float is a mantissa and an exponent of variable length
// (dlib/float_details.h, dlib/serialize.h), so there is no run of elements to find: the file is
// known, and opaque.
#include "parsers.h"

namespace weightfs::format {
namespace {

// A network starts with its loss layer's version and name, both as dlib writes integers and text: a
// byte that says how many bytes follow, then these. "\1\1" is the number 1.
constexpr std::string_view kVersions = "\1\1\1";
constexpr std::string_view kLossPrefix = "loss_";

class DlibParser final : public Parser {
 public:
  std::string_view name() const override { return "dlib"; }

  Confidence detect(const ParseInput& input) const override {
    const std::string_view head = text_of(input.head);
    const bool is_network = head.starts_with(kVersions) && head.size() > 16 &&
                            head.substr(kVersions.size() + 1).starts_with(kLossPrefix);
    return is_network ? Confidence::certain : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    Layout layout =
        opaque_layout(input.source.size_bytes(), "dlib writes each float with a length of its own");
    layout.format = name();
    return layout;
  }
};

}  // namespace

const Parser& dlib_parser() {
  static const DlibParser kParser;
  return kParser;
}

}  // namespace weightfs::format
