#include "read_ahead.h"

#include <algorithm>

namespace weightfs::fs {
namespace {

// The kernel sends requests of up to 1 MiB, several at once and in any order.
constexpr std::uint64_t kSlackBytes = std::uint64_t{4} << 20;
constexpr std::uint64_t kWindowBytes = std::uint64_t{8} << 20;
constexpr std::uint64_t kStepBytes = std::uint64_t{1} << 20;

}  // namespace

std::optional<ReadAhead::Range> ReadAhead::note_read(std::uint64_t offset_bytes,
                                                     std::uint64_t size_bytes) {
  const std::uint64_t end = offset_bytes + size_bytes;
  const std::lock_guard guard(mutex_);
  const auto goes_on = [&](const Stream& stream) {
    return stream.last_used != 0 && offset_bytes + kSlackBytes >= stream.next_bytes &&
           offset_bytes <= stream.next_bytes + kSlackBytes;
  };
  auto stream = std::find_if(streams_.begin(), streams_.end(), goes_on);
  const bool is_new = stream == streams_.end();
  if (is_new) {
    stream = std::min_element(
        streams_.begin(), streams_.end(),
        [](const Stream& a, const Stream& b) { return a.last_used < b.last_used; });
    *stream = {.next_bytes = end, .ahead_bytes = end};
  }
  stream->last_used = ++clock_;
  // A first read at a file's start, or a large one, is taken for the start of a sequence.
  if (is_new && offset_bytes != 0 && size_bytes < kSlackBytes / 32) return std::nullopt;
  stream->next_bytes = std::max(stream->next_bytes, end);
  const std::uint64_t begin = std::max(stream->ahead_bytes, end);
  const std::uint64_t target = stream->next_bytes + kWindowBytes;
  if (target < begin + kStepBytes) return std::nullopt;
  stream->ahead_bytes = target;
  return Range{begin, target};
}

}  // namespace weightfs::fs
