#include "ncnn_param.h"

#include <charconv>
#include <optional>

namespace weightfs::format {
namespace {

constexpr std::string_view kMagic = "7767517";
constexpr std::size_t kMaxLayerCount = 100'000;

// Takes the first line, or the first word of a line, off `text`.
std::string_view take_until(std::string_view& text, char end) {
  const std::size_t at = text.find(end);
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return taken;
}

std::string_view take_word(std::string_view& line) {
  while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  std::string_view word = take_until(line, ' ');
  if (word.ends_with('\r')) word.remove_suffix(1);
  return word;
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

// "type name inputs outputs" and the names of these, then "key=value" for each parameter.
std::optional<NcnnLayer> parse_layer(std::string_view line) {
  NcnnLayer layer;
  layer.type = take_word(line);
  layer.name = take_word(line);
  const auto input_count = integer_of(take_word(line));
  const auto output_count = integer_of(take_word(line));
  if (!input_count || !output_count) return std::nullopt;
  while (!line.empty()) {
    std::string_view word = take_word(line);
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) continue;
    const auto key = integer_of(word.substr(0, equals));
    const auto value = integer_of(word.substr(equals + 1));
    if (key && value && *key >= 0 && *key < 1024) layer.numbers[static_cast<int>(*key)] = *value;
  }
  return layer;
}

}  // namespace

std::int64_t NcnnLayer::number(int key) const {
  const auto found = numbers.find(key);
  return found == numbers.end() ? 0 : found->second;
}

Result<std::vector<NcnnLayer>> parse_ncnn_param(std::string_view text) {
  std::string_view first = take_until(text, '\n');
  if (take_word(first) != kMagic) return fail(Code::invalid, "not an ncnn .param");
  (void)take_until(text, '\n');  // counts of layers and blobs
  std::vector<NcnnLayer> layers;
  while (!text.empty()) {
    const std::string_view line = take_until(text, '\n');
    if (line.empty() || line == "\r") continue;
    auto layer = parse_layer(line);
    if (!layer || layers.size() >= kMaxLayerCount) {
      return fail(Code::invalid, "a line of the .param is broken");
    }
    layers.push_back(*std::move(layer));
  }
  return layers;
}

}  // namespace weightfs::format
