// JSON on standard output.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>

namespace weightfs::cli {

// Indented, with a newline. Bytes that are no UTF-8 become U+FFFD, since JSON can't hold them.
inline void print_json(const nlohmann::json& value, std::ostream& out) {
  out << value.dump(2, ' ', /*ensure_ascii=*/false, nlohmann::json::error_handler_t::replace)
      << '\n';
}

}  // namespace weightfs::cli
