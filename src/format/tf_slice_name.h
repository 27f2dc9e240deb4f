// The keys under which a TensorFlow bundle keeps the parts of a partitioned variable:
// tensorflow/core/util/saved_tensor_slice_util.cc, core/lib/strings/ordered_code.cc.
#pragma once

#include <string>
#include <string_view>

namespace weightfs::format {

// "w[0:4,:]" for the key of a part: its tensor's name, and from where to where it reaches in each
// dimension. Any other key as it is.
std::string tf_tensor_name(std::string_view key);

}  // namespace weightfs::format
