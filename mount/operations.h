// The table of operations that libfuse calls, one function of this header for each file that fills
// in its part of it. An operation gets its request as a Reply and the Context; what it does itself
// is to translate types, the semantics are fs::Filesystem's.
#pragma once

#include "context.h"
#include "fuse.h"
#include "reply.h"
#include "weightfs/base/log.h"

namespace weightfs::mount {

void add_connection_operations(fuse_lowlevel_ops& table);
void add_name_operations(fuse_lowlevel_ops& table);
void add_attribute_operations(fuse_lowlevel_ops& table);
void add_xattr_operations(fuse_lowlevel_ops& table);
void add_file_operations(fuse_lowlevel_ops& table);
void add_data_operations(fuse_lowlevel_ops& table);
void add_directory_operations(fuse_lowlevel_ops& table);

// Makes a libfuse callback of `operation(Reply, Context&, arguments...)`. An exception ends here:
// the Reply that is dropped on its way answers EIO.
template <auto operation>
struct Callback;

template <class... Arguments, void (*operation)(Reply, Context&, Arguments...)>
struct Callback<operation> {
  static void call(fuse_req_t request, Arguments... arguments) noexcept {
    Context& context = *static_cast<Context*>(fuse_req_userdata(request));
    try {
      operation(Reply(request), context, arguments...);
    } catch (const std::exception& exception) {
      log::error("a request failed: {}", exception.what());
    }
  }
};

template <auto operation>
constexpr auto callback = &Callback<operation>::call;

}  // namespace weightfs::mount
