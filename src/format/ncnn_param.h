// ncnn's .param, the text that says which layers a model has and which numbers they take.
// https://github.com/Tencent/ncnn/wiki/param-and-model-file-structure
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "weightfs/base/result.h"

namespace weightfs::format {

struct NcnnLayer {
  std::string type;
  std::string name;
  std::map<int, std::int64_t> numbers;  // integer parameters; others are left out

  // Absent parameters are 0, as ncnn has them.
  std::int64_t number(int key) const;
};

// The layers in file order; Code::invalid where the text is not a .param of the current kind.
Result<std::vector<NcnnLayer>> parse_ncnn_param(std::string_view text);

}  // namespace weightfs::format
