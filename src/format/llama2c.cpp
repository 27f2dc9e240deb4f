// llama2.c's checkpoints: seven numbers and flat floats, in the order of its export.py. Version 0
// has nothing else; version 1 has a mark and 256 bytes of header.
#include <array>
#include <cstdlib>
#include <vector>

#include "layout_builder.h"
#include "parsers.h"
#include "weightfs/base/checked.h"

namespace weightfs::format {
namespace {

constexpr std::uint32_t kVersion1Mark = 0x616b3432;  // "ak42"
constexpr std::uint64_t kVersion0HeaderBytes = 28;
constexpr std::uint64_t kVersion1HeaderBytes = 256;
// No number of a real model is larger, and no product of them overflows.
constexpr std::int32_t kMaxNumber = 1 << 20;

struct Config {
  std::uint64_t header_bytes = kVersion0HeaderBytes;
  std::uint64_t dim = 0;
  std::uint64_t hidden_dim = 0;
  std::uint64_t layers = 0;
  std::uint64_t heads = 0;
  std::uint64_t kv_heads = 0;
  std::uint64_t vocabulary = 0;
  std::uint64_t sequence = 0;
  bool has_own_classifier = false;
};

std::optional<Config> read_config(ByteSpan head) {
  ByteReader in(head);
  Config config;
  const bool is_version_1 = ByteReader(head).u32() == kVersion1Mark;
  if (is_version_1) {
    config.header_bytes = kVersion1HeaderBytes;
    in.skip(4);
    if (in.u32() != 1) return std::nullopt;
  }
  std::array<std::int32_t, 7> numbers{};
  for (std::int32_t& number : numbers) number = static_cast<std::int32_t>(in.u32());
  // Version 0 says by a negative vocabulary that the classifier is not the embedding.
  config.has_own_classifier = numbers[5] < 0;
  if (numbers[5] < 0) numbers[5] = numbers[5] > -kMaxNumber ? -numbers[5] : 0;
  for (const std::int32_t number : numbers) {
    if (number <= 0 || number > kMaxNumber) return std::nullopt;
  }
  if (is_version_1) config.has_own_classifier = in.u8() == 0;
  config.dim = static_cast<std::uint64_t>(numbers[0]);
  config.hidden_dim = static_cast<std::uint64_t>(numbers[1]);
  config.layers = static_cast<std::uint64_t>(numbers[2]);
  config.heads = static_cast<std::uint64_t>(numbers[3]);
  config.kv_heads = static_cast<std::uint64_t>(numbers[4]);
  config.vocabulary = static_cast<std::uint64_t>(numbers[5]);
  config.sequence = static_cast<std::uint64_t>(numbers[6]);
  if (in.failed() || config.dim % config.heads != 0) return std::nullopt;
  return config;
}

struct Part {
  const char* name;
  std::vector<std::uint64_t> shape;
};

std::vector<Part> attention_and_feed_forward(const Config& c) {
  const std::uint64_t kv_dim = c.dim / c.heads * c.kv_heads;
  return {{"wq", {c.layers, c.dim, c.dim}},        {"wk", {c.layers, kv_dim, c.dim}},
          {"wv", {c.layers, kv_dim, c.dim}},       {"wo", {c.layers, c.dim, c.dim}},
          {"rms_ffn", {c.layers, c.dim}},          {"w1", {c.layers, c.hidden_dim, c.dim}},
          {"w2", {c.layers, c.dim, c.hidden_dim}}, {"w3", {c.layers, c.hidden_dim, c.dim}}};
}

std::vector<Part> parts_of_version_0(const Config& c) {
  const std::uint64_t frequencies = c.dim / c.heads / 2;
  std::vector<Part> parts = {{"token_embedding", {c.vocabulary, c.dim}},
                             {"rms_att", {c.layers, c.dim}}};
  for (Part& part : attention_and_feed_forward(c)) parts.push_back(std::move(part));
  parts.push_back({"rms_final", {c.dim}});
  parts.push_back({"freq_cis_real", {c.sequence, frequencies}});
  parts.push_back({"freq_cis_imag", {c.sequence, frequencies}});
  if (c.has_own_classifier) parts.push_back({"wcls", {c.vocabulary, c.dim}});
  return parts;
}

std::vector<Part> parts_of_version_1(const Config& c) {
  std::vector<Part> parts = {{"rms_att", {c.layers, c.dim}},
                             {"rms_ffn", {c.layers, c.dim}},
                             {"rms_final", {c.dim}},
                             {"token_embedding", {c.vocabulary, c.dim}}};
  for (Part& part : attention_and_feed_forward(c)) {
    if (std::string_view(part.name) != "rms_ffn") parts.push_back(std::move(part));
  }
  if (c.has_own_classifier) parts.push_back({"wcls", {c.vocabulary, c.dim}});
  return parts;
}

std::vector<Part> parts_of(const Config& config) {
  return config.header_bytes == kVersion1HeaderBytes ? parts_of_version_1(config)
                                                     : parts_of_version_0(config);
}

// The file's size, or nothing if it does not fit.
std::optional<std::uint64_t> file_bytes(const Config& config) {
  std::optional<std::uint64_t> total = config.header_bytes;
  for (const Part& part : parts_of(config)) {
    const auto bytes = tensor_bytes_of(part.shape, Dtype::f32);
    total = total && bytes ? checked_add(*total, *bytes) : std::nullopt;
  }
  return total;
}

class Llama2cParser final : public Parser {
 public:
  std::string_view name() const override { return "llama2c"; }

  // Seven small numbers prove little, but that the size is the one that they ask for does.
  Confidence detect(const ParseInput& input) const override {
    const auto config = read_config(input.head);
    if (!config || file_bytes(*config) != input.source.size_bytes()) return Confidence::none;
    return Confidence::certain;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    const auto config = read_config(input.head);
    if (!config) return fail(Code::invalid, "the header is broken");
    LayoutBuilder builder(name(), input.source.size_bytes());
    std::uint64_t offset_bytes = config->header_bytes;
    for (Part& part : parts_of(*config)) {
      const auto bytes = tensor_bytes_of(part.shape, Dtype::f32);
      Tensor tensor;
      tensor.name = part.name;
      tensor.dtype = Dtype::f32;
      tensor.shape = std::move(part.shape);
      tensor.offset_bytes = offset_bytes;
      builder.add_dense_tensor(std::move(tensor));
      offset_bytes += bytes.value_or(0);
    }
    return std::move(builder).finish();
  }
};

}  // namespace

const Parser& llama2c_parser() {
  static const Llama2cParser kParser;
  return kParser;
}

}  // namespace weightfs::format
