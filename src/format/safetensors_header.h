// The JSON header of a safetensors file, strictly.
//
// Format: https://huggingface.co/docs/safetensors, "Format". The header is one object; each member
// but
// "__metadata__" is a tensor {"dtype": string, "shape": [unsigned...], "data_offsets": [begin,
// end]}.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weightfs/tensor/layout.h"

namespace weightfs::format {

struct SafetensorsHeader {
  // offset_bytes counts from the first byte behind the header; length_bytes is end - begin.
  std::vector<Tensor> tensors;
  std::vector<std::pair<std::string, std::string>> metadata;
};

// Code::invalid for anything but the grammar above: other members, a member missing or twice, a
// dtype that safetensors doesn't have, begin > end, invalid UTF-8. Time and memory are linear in
// the text, whatever its nesting.
Result<SafetensorsHeader> parse_safetensors_header(std::string_view json);

}  // namespace weightfs::format
