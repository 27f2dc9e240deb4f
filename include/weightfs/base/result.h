// Errors as values.
//
// Every fallible function returns Result<T> or Status. Exceptions don't cross a module's boundary.
// A Code is a closed set, so that mount/ can turn each into one errno; a message says what failed,
// where, and what to do about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace weightfs {

enum class Code : std::uint8_t {
  // What a path or a name can be.
  not_found,
  exists,
  not_directory,
  is_directory,
  not_empty,
  name_too_long,
  symlink_loop,
  cross_device,
  too_many_links,
  no_attribute,  // an extended attribute that is not there
  result_range,  // the caller's buffer is too small for the value
  // What a caller may do.
  access_denied,
  not_permitted,
  read_only,
  busy,
  bad_handle,
  invalid,  // an argument that can't be meant
  unsupported,
  file_too_large,
  no_such_offset,  // SEEK_DATA and SEEK_HOLE past the end
  // What the machine gives.
  io,
  no_space,
  quota,
  no_memory,
  interrupted,
  again,
  // What the store holds.
  corrupt,        // bytes that are not what they should be
  newer_version,  // written by a later weightfs
};

// The name of a code, for messages and JSON: "not_found", ...
std::string_view code_name(Code code);

struct Error {
  Code code;
  std::string message;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

inline tl::unexpected<Error> fail(Code code, std::string message) {
  return tl::unexpected(Error{code, std::move(message)});
}

// The error of a system call: `what` names the call and its object, `system_errno` is errno.
Error system_error(int system_errno, std::string_view what);
inline tl::unexpected<Error> fail_errno(int system_errno, std::string_view what) {
  return tl::unexpected(system_error(system_errno, what));
}

// Prepends "context: " to the message of an error that passes through.
Error with_context(Error error, std::string_view context);

}  // namespace weightfs

// Returns from the calling function with the error of `expression`, a Status or Result, if it has
// one.
#define WEIGHTFS_TRY(expression)                                                 \
  do {                                                                           \
    auto weightfs_try_ = (expression);                                           \
    if (!weightfs_try_) return tl::unexpected(std::move(weightfs_try_.error())); \
  } while (false)

#define WEIGHTFS_CONCAT_(a, b) a##b
#define WEIGHTFS_CONCAT(a, b) WEIGHTFS_CONCAT_(a, b)
#define WEIGHTFS_ASSIGN_(holder, target, expression)             \
  auto holder = (expression);                                    \
  if (!holder) return tl::unexpected(std::move(holder.error())); \
  target = std::move(*holder)

// WEIGHTFS_ASSIGN(auto x, f()): x becomes the value of f(), or the error is returned.
#define WEIGHTFS_ASSIGN(target, expression) \
  WEIGHTFS_ASSIGN_(WEIGHTFS_CONCAT(weightfs_assign_, __LINE__), target, expression)
