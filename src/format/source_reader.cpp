#include "source_reader.h"

#include <algorithm>

#include "weightfs/base/checked.h"

namespace weightfs::format {

SourceReader::SourceReader(const ByteSource& source, std::uint64_t begin_bytes,
                           std::uint64_t end_bytes)
    : source_(&source),
      end_(std::min(end_bytes, source.size_bytes())),
      position_(std::min(begin_bytes, end_)) {
  begin_ = position_;
  failed_ = begin_bytes > end_bytes || end_bytes > source.size_bytes();
}

std::uint64_t SourceReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t byte = u8();
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return failed_ ? 0 : value;
  }
  failed_ = true;
  return 0;
}

std::string SourceReader::text(std::uint64_t length_bytes, std::uint64_t limit_bytes) {
  const ByteVector raw = bytes(length_bytes, limit_bytes);
  return std::string(text_of(raw));
}

ByteVector SourceReader::bytes(std::uint64_t length_bytes, std::uint64_t limit_bytes) {
  if (failed_ || length_bytes > remaining() || length_bytes > limit_bytes) {
    failed_ = true;
    return {};
  }
  if (length_bytes <= kWindowBytes) {
    const ByteSpan raw = small(length_bytes);
    return {raw.begin(), raw.end()};
  }
  ByteVector result(length_bytes);
  failed_ = !source_->read_at(position_, result);
  if (failed_) return {};
  position_ += length_bytes;
  return result;
}

void SourceReader::skip(std::uint64_t length_bytes) {
  if (failed_ || length_bytes > remaining()) {
    failed_ = true;
    return;
  }
  position_ += length_bytes;
}

void SourceReader::seek(std::uint64_t position_bytes) {
  if (failed_ || position_bytes < begin_ || position_bytes > end_) {
    failed_ = true;
    return;
  }
  position_ = position_bytes;
}

ByteSpan SourceReader::small(std::size_t count) {
  if (failed_ || count > remaining()) {
    failed_ = true;
    return {};
  }
  const bool inside = position_ >= window_begin_ &&
                      range_fits<std::uint64_t>(position_ - window_begin_, count, window_.size());
  if (!inside && !fill_window()) return {};
  const ByteSpan result = ByteSpan(window_).subspan(position_ - window_begin_, count);
  position_ += count;
  return result;
}

bool SourceReader::fill_window() {
  window_.resize(std::min<std::uint64_t>(kWindowBytes, remaining()));
  window_begin_ = position_;
  failed_ = !source_->read_at(position_, window_);
  if (failed_) window_.clear();
  return !failed_;
}

}  // namespace weightfs::format
