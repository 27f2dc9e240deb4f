// torch.export's archives (.pt2): a zip whose weights are a member each, without a header, and a
// JSON file that says what they are. torch/export/pt2_archive, torch/_export/serde/schema.py.
#pragma once

#include <string_view>
#include <vector>

#include "weightfs/format/format.h"
#include "zip.h"

namespace weightfs::format {

// Whether a member is a "..._weights_config.json".
bool is_torch_export(const std::vector<ZipMember>& members);

// The weights and constants, under the names that the exported program gives them. Code::invalid
// where a configuration is compressed or broken, or a weight is missing or too short.
Result<Layout> torch_export_layout(const ParseInput& input, const std::vector<ZipMember>& members);

}  // namespace weightfs::format
