#include "error_number.h"

#include <cerrno>

namespace weightfs::mount {

int errno_of(Code code) {
  switch (code) {
    case Code::not_found:
      return ENOENT;
    case Code::exists:
      return EEXIST;
    case Code::not_directory:
      return ENOTDIR;
    case Code::is_directory:
      return EISDIR;
    case Code::not_empty:
      return ENOTEMPTY;
    case Code::name_too_long:
      return ENAMETOOLONG;
    case Code::symlink_loop:
      return ELOOP;
    case Code::cross_device:
      return EXDEV;
    case Code::too_many_links:
      return EMLINK;
    case Code::no_attribute:
      return ENODATA;
    case Code::result_range:
      return ERANGE;
    case Code::access_denied:
      return EACCES;
    case Code::not_permitted:
      return EPERM;
    case Code::read_only:
      return EROFS;
    case Code::busy:
      return EBUSY;
    case Code::bad_handle:
      return EBADF;
    case Code::invalid:
      return EINVAL;
    case Code::unsupported:
      return EOPNOTSUPP;
    case Code::file_too_large:
      return EFBIG;
    case Code::no_such_offset:
      return ENXIO;
    case Code::io:
      return EIO;
    case Code::no_space:
      return ENOSPC;
    case Code::quota:
      return EDQUOT;
    case Code::no_memory:
      return ENOMEM;
    case Code::interrupted:
      return EINTR;
    case Code::again:
      return EAGAIN;
    case Code::corrupt:
      return EIO;
    case Code::newer_version:
      return EIO;
  }
  return EIO;
}

}  // namespace weightfs::mount
