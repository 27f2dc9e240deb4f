// What is agreed with the kernel when it connects.
#include <algorithm>

#include "channel.h"
#include "operations.h"

namespace weightfs::mount {
namespace {

// libfuse 3.14 loses the mount when it is asked for more.
constexpr unsigned kMaxWriteBytes = 1U << 20;
// Read-ahead and direct I/O that may be under way; the kernel's default is 12.
constexpr unsigned kMaxBackgroundRequests = 64;

constexpr unsigned kWanted = FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_READDIRPLUS |
                             FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_POSIX_ACL | FUSE_CAP_DONT_MASK |
                             FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_ASYNC_DIO;
constexpr unsigned kSplice = FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE;
// With ATOMIC_O_TRUNC a running program is emptied before its open fails with ETXTBSY.
// The kernel clears setuid, setgid and capabilities itself, keeps the locks itself, and need not
// look for changes of content: there are none that it did not make.
constexpr unsigned kUnwanted = FUSE_CAP_HANDLE_KILLPRIV | FUSE_CAP_POSIX_LOCKS |
                               FUSE_CAP_FLOCK_LOCKS | FUSE_CAP_AUTO_INVAL_DATA |
                               FUSE_CAP_IOCTL_DIR | FUSE_CAP_WRITEBACK_CACHE |
                               FUSE_CAP_ATOMIC_O_TRUNC | kSplice;

unsigned wanted_capabilities(const ConnectionOptions& options) {
  unsigned wanted = kWanted;
  if (options.splice) wanted |= kSplice;
  if (options.writeback) wanted |= FUSE_CAP_WRITEBACK_CACHE;
  return wanted;
}

void init(void* userdata, fuse_conn_info* connection) {
  const Context& context = *static_cast<Context*>(userdata);
  connection->want &= ~kUnwanted;
  connection->want |= wanted_capabilities(context.connection) & connection->capable;
  connection->max_write = std::min(connection->max_write, kMaxWriteBytes);
  connection->max_background = kMaxBackgroundRequests;
  connection->congestion_threshold = kMaxBackgroundRequests * 3 / 4;
  connection->time_gran = 1;
  if (context.lending.is_wanted()) offer_passthrough();
  context.on_init();
}

}  // namespace

void add_connection_operations(fuse_lowlevel_ops& table) {
  table.init = init;
}

}  // namespace weightfs::mount
