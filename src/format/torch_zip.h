// PyTorch's zip files (torch.save since 1.6, TorchScript): a pickle that refers to one member for
// each storage. Layout: caffe2/serialize/inline_container.h, torch/serialization.py.
#pragma once

#include "weightfs/format/format.h"
#include "zip.h"

namespace weightfs::format {

// Whether there is a member "<archive name>/data.pkl".
bool is_torch_archive(const std::vector<ZipMember>& members);

// Code::invalid where the pickle is compressed or broken, or a storage is missing or too short.
Result<Layout> torch_zip_layout(const ParseInput& input, const std::vector<ZipMember>& members);

}  // namespace weightfs::format
