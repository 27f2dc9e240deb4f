// Names and values from files, made safe to show.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weightfs::format {

// `text` as valid UTF-8 of at most `max_bytes`: bytes that are not UTF-8 become U+FFFD, control
// characters become spaces, and what is too long is cut between two characters and ends in "...".
std::string printable(std::string_view text, std::size_t max_bytes);

}  // namespace weightfs::format
