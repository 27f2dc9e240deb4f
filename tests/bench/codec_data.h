// What codec_bench measures: tensors of the corpus, and synthetic ones, each as one run of bytes.
#pragma once

#include <filesystem>
#include <string>
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

// The rows of the last table of CODECS.md whose data lies in `trained` (the corpus's folder of that
// name), and the synthetic ones of about `synthetic_bytes` each. Throws std::runtime_error where a
// file is missing or not what it should be.
std::vector<DataSet> load_data_sets(const std::filesystem::path& trained,
                                    std::size_t synthetic_bytes);

}  // namespace weightfs::bench
