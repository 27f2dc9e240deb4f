#include "weightfs/base/result.h"

#include <cerrno>
#include <system_error>

namespace weightfs {
namespace {

Code code_of_errno(int system_errno) {
  switch (system_errno) {
    case ENOENT:
      return Code::not_found;
    case EEXIST:
      return Code::exists;
    case ENOTDIR:
      return Code::not_directory;
    case EISDIR:
      return Code::is_directory;
    case ENOTEMPTY:
      return Code::not_empty;
    case ENAMETOOLONG:
      return Code::name_too_long;
    case ELOOP:
      return Code::symlink_loop;
    case EXDEV:
      return Code::cross_device;
    case EMLINK:
      return Code::too_many_links;
    case ENODATA:
      return Code::no_attribute;
    case ERANGE:
      return Code::result_range;
    case EACCES:
      return Code::access_denied;
    case EPERM:
      return Code::not_permitted;
    case EROFS:
      return Code::read_only;
    case EBUSY:
      return Code::busy;
    case EBADF:
      return Code::bad_handle;
    case EINVAL:
      return Code::invalid;
    case EOPNOTSUPP:
    case ENOSYS:
      return Code::unsupported;
    case EFBIG:
      return Code::file_too_large;
    case ENXIO:
      return Code::no_such_offset;
    case ENOSPC:
      return Code::no_space;
    case EDQUOT:
      return Code::quota;
    case ENOMEM:
      return Code::no_memory;
    case EINTR:
      return Code::interrupted;
    case EAGAIN:
      return Code::again;
    default:
      return Code::io;
  }
}

}  // namespace

std::string_view code_name(Code code) {
  switch (code) {
    case Code::not_found:
      return "not_found";
    case Code::exists:
      return "exists";
    case Code::not_directory:
      return "not_directory";
    case Code::is_directory:
      return "is_directory";
    case Code::not_empty:
      return "not_empty";
    case Code::name_too_long:
      return "name_too_long";
    case Code::symlink_loop:
      return "symlink_loop";
    case Code::cross_device:
      return "cross_device";
    case Code::too_many_links:
      return "too_many_links";
    case Code::no_attribute:
      return "no_attribute";
    case Code::result_range:
      return "result_range";
    case Code::access_denied:
      return "access_denied";
    case Code::not_permitted:
      return "not_permitted";
    case Code::read_only:
      return "read_only";
    case Code::busy:
      return "busy";
    case Code::bad_handle:
      return "bad_handle";
    case Code::invalid:
      return "invalid";
    case Code::unsupported:
      return "unsupported";
    case Code::file_too_large:
      return "file_too_large";
    case Code::no_such_offset:
      return "no_such_offset";
    case Code::io:
      return "io";
    case Code::no_space:
      return "no_space";
    case Code::quota:
      return "quota";
    case Code::no_memory:
      return "no_memory";
    case Code::interrupted:
      return "interrupted";
    case Code::again:
      return "again";
    case Code::corrupt:
      return "corrupt";
    case Code::newer_version:
      return "newer_version";
  }
  return "unknown";
}

Error system_error(int system_errno, std::string_view what) {
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(system_errno);
  return Error{code_of_errno(system_errno), std::move(message)};
}

Error with_context(Error error, std::string_view context) {
  error.message.insert(0, ": ");
  error.message.insert(0, context);
  return error;
}

}  // namespace weightfs
