#include "item.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace weightfs::ops::transfer {
namespace {

using nlohmann::json;

int digit(char character) {
  if (character >= '0' && character <= '9') return character - '0';
  if (character >= 'A' && character <= 'F') return character - 'A' + 10;
  return -1;
}

json to_json(const timespec& time) {
  return {time.tv_sec, time.tv_nsec};
}

timespec time_from(const json& value) {
  timespec time{};
  time.tv_sec = value.at(0).get<time_t>();
  time.tv_nsec = value.at(1).get<long>();
  return time;
}

Item read_item(const json& value) {
  Item item;
  item.path = unarmored(value.at("path").get<std::string>());
  item.inode = value.at("inode").get<std::uint64_t>();
  item.mode = value.at("mode").get<std::uint32_t>();
  item.link_count = value.at("links").get<std::uint32_t>();
  item.uid = value.at("uid").get<std::uint32_t>();
  item.gid = value.at("gid").get<std::uint32_t>();
  item.device = value.at("device").get<std::uint64_t>();
  item.size_bytes = value.at("size").get<std::uint64_t>();
  item.atime = time_from(value.at("atime"));
  item.mtime = time_from(value.at("mtime"));
  item.symlink_target = unarmored(value.at("symlink").get<std::string>());
  item.hard_link_to = unarmored(value.at("link").get<std::string>());
  item.is_finish = value.at("finish").get<bool>();
  for (const json& xattr : value.at("xattrs")) {
    item.xattrs.emplace_back(unarmored(xattr.at(0).get<std::string>()),
                             unarmored(xattr.at(1).get<std::string>()));
  }
  return item;
}

}  // namespace

std::string armored(const std::string& bytes) {
  std::string text;
  for (const char character : bytes) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte < 0x20 || byte > 0x7e || character == '%') {
      text += fmt::format("%{:02X}", byte);
    } else {
      text += character;
    }
  }
  return text;
}

std::string unarmored(const std::string& text) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escaped =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    if (!escaped) {
      bytes += text[i];
      continue;
    }
    bytes += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
    i += 2;
  }
  return bytes;
}

json to_json(const Item& item) {
  json xattrs = json::array();
  for (const auto& [name, value] : item.xattrs) xattrs.push_back({armored(name), armored(value)});
  return {{"path", armored(item.path)},
          {"inode", item.inode},
          {"mode", item.mode},
          {"links", item.link_count},
          {"uid", item.uid},
          {"gid", item.gid},
          {"device", item.device},
          {"size", item.size_bytes},
          {"atime", to_json(item.atime)},
          {"mtime", to_json(item.mtime)},
          {"symlink", armored(item.symlink_target)},
          {"link", armored(item.hard_link_to)},
          {"finish", item.is_finish},
          {"xattrs", std::move(xattrs)}};
}

Result<Item> item_from_json(const json& value) {
  try {
    return read_item(value);
  } catch (const json::exception& exception) {
    return fail(Code::invalid, exception.what());
  }
}

json to_json(const ItemResult& result) {
  return {{"number", result.number},
          {"outcome", static_cast<int>(result.outcome)},
          {"stored_bytes", result.stored_bytes},
          {"error", armored(result.error)}};
}

Result<ItemResult> item_result_from_json(const json& value) {
  try {
    ItemResult result;
    result.number = value.at("number").get<std::uint64_t>();
    const int outcome = value.at("outcome").get<int>();
    if (outcome < 0 || outcome > static_cast<int>(Outcome::failed)) {
      return fail(Code::invalid, "an outcome that does not exist");
    }
    result.outcome = static_cast<Outcome>(outcome);
    result.stored_bytes = value.at("stored_bytes").get<std::uint64_t>();
    result.error = unarmored(value.at("error").get<std::string>());
    return result;
  } catch (const json::exception& exception) {
    return fail(Code::invalid, exception.what());
  }
}

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace weightfs::ops::transfer
