// From a complete file to its layout.
//
// A parser only suggests where to cut. It reads, never executes, and copies nothing but what it
// needs to understand; a file that lies costs bounded time and memory (docs/file-formats.md has the
// bounds), and ends up as opaque bytes with a reason. All functions here are thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"
#include "weightfs/base/source.h"
#include "weightfs/tensor/layout.h"

namespace weightfs::format {

// Files that lie beside the one that is parsed (an ONNX model's external data, the .index of a
// TensorFlow shard, *.safetensors.index.json). May be asked from any thread.
class Neighbours {
 public:
  virtual ~Neighbours() = default;
  // The file `name` (no slash, not "..") in the same directory, or nullptr.
  virtual std::shared_ptr<const ByteSource> open(std::string_view name) const = 0;
  virtual std::vector<std::string> names() const = 0;
};

struct ParseInput {
  const ByteSource& source;
  // The file's first bytes, up to kHeadBytes, already read for all parsers' detection.
  ByteSpan head;
  // The file's name without its directory; a hint that may break a tie and nothing more.
  std::string_view name;
  const Neighbours* neighbours = nullptr;  // nullptr where there are none
  int nesting = 0;                         // in how many files this one lies
};

constexpr std::size_t kHeadBytes = 4096;

// How sure detect() is. A parser of higher confidence is tried first.
enum class Confidence { none, weak, likely, certain };

class Parser {
 public:
  virtual ~Parser() = default;
  // What inspect shows: "safetensors", "gguf", "pytorch-zip", ...
  virtual std::string_view name() const = 0;
  // By content: from the head alone, or with a few small reads where a format's mark lies
  // elsewhere.
  virtual Confidence detect(const ParseInput& input) const = 0;
  // The layout, which satisfies validated(); Code::invalid with a reason where the file is not what
  // it seemed. Must not throw.
  virtual Result<Layout> parse(const ParseInput& input) const = 0;
};

// All parsers, in the order in which they are asked.
std::span<const Parser* const> all_parsers();

// The layout by the first parser that understands the file; opaque, with the reason of the one that
// was surest, where none does. Never fails; a read error of the source gives an opaque layout too.
Layout detect_layout(const ByteSource& source, std::string_view name,
                     const Neighbours* neighbours = nullptr);

}  // namespace weightfs::format
