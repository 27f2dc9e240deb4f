// What codec_bench measures: tensors of the corpus, and synthetic ones, each as one run of bytes.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/bytes.h"
#include "weightfs/tensor/dtype.h"

namespace weightfs::bench {

struct DataSet {
  std::string name;
  Dtype dtype;
  ByteVector bytes;
  ByteVector base = {};  // of the same length, where the row is about a delta
};

// The data of the rows of the last table of CODECS.md, made or read one after another as they are
// asked for. Not thread-safe.
class DataSets {
 public:
  // `trained` is the corpus's folder of that name; synthetic sets have about `synthetic_bytes`
  // each.
  DataSets(std::filesystem::path trained, std::size_t synthetic_bytes);
  ~DataSets();

  static std::span<const std::string_view> names();
  // Throws std::runtime_error where a file is missing or not what it should be.
  DataSet load(std::string_view name);

 private:
  struct Sources;
  std::unique_ptr<Sources> sources_;
};

}  // namespace weightfs::bench
