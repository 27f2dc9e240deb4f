// Pickles of NumPy arrays: scikit-learn's models, joblib's files, one pickle or several in a row.
#include <string>

#include "layout_builder.h"
#include "numpy_pickle.h"
#include "parsers.h"
#include "source_io.h"

namespace weightfs::format {
namespace {

constexpr std::byte kProto{0x80};
constexpr std::byte kStop{'.'};
constexpr std::size_t kMaxPickles = 100'000;

// Protocols 0 and 1 have no mark; a dict, a list, a tuple or a global starts most of them.
bool looks_like_text_pickle(std::string_view head) {
  return head.starts_with("(dp") || head.starts_with("(lp") || head.starts_with("ccopy_reg\n") ||
         head.starts_with("cnumpy.") || head.starts_with("}q") || head.starts_with("]q");
}

bool ends_with_stop(const ByteSource& source) {
  const auto last = read_range(source, source.size_bytes() - 1, 1);
  return last && last->front() == kStop;
}

class PickleParser final : public Parser {
 public:
  std::string_view name() const override { return "pickle"; }

  Confidence detect(const ParseInput& input) const override {
    if (input.head.size() < 3) return Confidence::none;
    const auto protocol = static_cast<unsigned>(input.head[1]);
    const bool has_mark = input.head[0] == kProto && protocol >= 2 && protocol <= 5;
    if (!has_mark && !looks_like_text_pickle(text_of(input.head))) return Confidence::none;
    if (!ends_with_stop(input.source)) return has_mark ? Confidence::weak : Confidence::none;
    return has_mark ? Confidence::likely : Confidence::weak;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    SourceReader in(input.source);
    WEIGHTFS_TRY(add_numpy_pickle(in, "", builder));
    for (std::size_t i = 1; !in.at_end(); ++i) {
      if (i >= kMaxPickles) return fail(Code::invalid, "too many pickles in a row");
      const Status status = add_numpy_pickle(in, std::to_string(i), builder);
      if (status) continue;
      builder.set_opaque_reason("behind the pickle: " + status.error().message);
      break;
    }
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& pickle_parser() {
  static const PickleParser kParser;
  return kParser;
}

}  // namespace weightfs::format
