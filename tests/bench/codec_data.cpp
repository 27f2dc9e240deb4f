#include "codec_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <random>
#include <stdexcept>

namespace weightfs::bench {
namespace {

ByteVector read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || text.empty()) throw std::runtime_error("can't read " + path.string());
  const ByteSpan bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}

// The payload of a safetensors file, that is, everything behind its header.
ByteVector safetensors_payload(const std::filesystem::path& path) {
  const ByteVector file = read_file(path);
  const auto header = load_unaligned<std::uint64_t>(file.data());
  if (header > file.size() - 8) throw std::runtime_error("no safetensors: " + path.string());
  return {file.begin() + static_cast<std::ptrdiff_t>(8 + header), file.end()};
}

// The members `<folder>/data/<number>` of a zip file that stores without compression, as torch
// writes them, from 64 KiB on.
std::vector<ByteVector> torch_tensors(const std::filesystem::path& path) {
  constexpr std::size_t kMinBytes = 65536;
  const ByteVector file = read_file(path);
  std::vector<ByteVector> tensors;
  const std::string_view text = text_of(file);
  for (std::size_t at = text.find("PK\1\2"); at != std::string_view::npos;
       at = text.find("PK\1\2", at + 4)) {
    ByteReader entry(ByteSpan(file).subspan(at));
    entry.skip(24);
    const std::size_t size = entry.u32();
    const std::size_t name_size = entry.u16();
    entry.skip(12);
    const std::size_t header = entry.u32();
    const std::string_view name = entry.text(name_size);
    if (entry.failed() || size < kMinBytes || name.find("/data/") == std::string_view::npos) {
      continue;
    }
    ByteReader local(ByteSpan(file).subspan(header));
    local.skip(26);
    const std::size_t local_name = local.u16();
    const std::size_t extra = local.u16();
    local.skip(local_name + extra);
    const ByteSpan payload = local.bytes(size);
    if (local.failed()) throw std::runtime_error("no torch file: " + path.string());
    tensors.emplace_back(payload.begin(), payload.end());
  }
  return tensors;
}

std::vector<float> floats_of(ByteSpan bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

template <class T>
ByteVector bytes_of_values(const std::vector<T>& values) {
  const ByteSpan bytes = bytes_of_elements(std::span<const T>(values));
  return {bytes.begin(), bytes.end()};
}

// Weights, first and second moments, told apart by sign and size.
struct AdamState {
  ByteVector weights, first_moments, second_moments;
};

AdamState load_adam(const std::filesystem::path& path) {
  AdamState state;
  for (const ByteVector& tensor : torch_tensors(path)) {
    double squares = 0;
    bool has_negative = false;
    const std::vector<float> values = floats_of(tensor);
    for (const float value : values) {
      squares += static_cast<double>(value) * value;
      has_negative = has_negative || value < 0;
    }
    const double rms = std::sqrt(squares / static_cast<double>(values.size()));
    ByteVector& target = !has_negative ? state.second_moments
                         : rms < 0.005 ? state.first_moments
                                       : state.weights;
    target.insert(target.end(), tensor.begin(), tensor.end());
  }
  return state;
}

std::uint16_t to_bf16(float value) {
  std::uint32_t word = 0;
  std::memcpy(&word, &value, sizeof word);
  return static_cast<std::uint16_t>((word + 0x7FFF + (word >> 16 & 1)) >> 16);
}

std::uint16_t to_f16(float value) {
  const auto half = static_cast<_Float16>(value);
  std::uint16_t word = 0;
  std::memcpy(&word, &half, sizeof word);
  return word;
}

template <class Narrow>
ByteVector rounded(const std::vector<float>& values, Narrow narrow) {
  std::vector<std::uint16_t> words;
  words.reserve(values.size());
  for (const float value : values) words.push_back(narrow(value));
  return bytes_of_values(words);
}

// Gaussian weights with a scale for each row of 4096.
std::vector<float> synthetic_weights(std::size_t count) {
  constexpr std::size_t kRow = 4096;
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> weights(count);
  float scale = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (i % kRow == 0) scale = 0.02F * std::exp(0.25F * normal(random));
    weights[i] = scale * normal(random);
  }
  return weights;
}

// Of each four weights the two larger ones.
std::vector<float> prune_2_of_4(std::vector<float> weights) {
  for (std::size_t i = 0; i + 4 <= weights.size(); i += 4) {
    float* four = weights.data() + i;
    std::array<std::size_t, 4> order = {0, 1, 2, 3};
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return std::fabs(four[a]) < std::fabs(four[b]);
    });
    four[order[0]] = four[order[1]] = 0;
  }
  return weights;
}

// bf16 values again as f32.
ByteVector widened(ByteSpan bf16) {
  std::vector<std::uint32_t> words(bf16.size() / 2);
  for (std::size_t i = 0; i < words.size(); ++i) {
    words[i] = std::uint32_t{load_unaligned<std::uint16_t>(bf16.data() + 2 * i)} << 16;
  }
  return bytes_of_values(words);
}

// float8_e4m3fn, scaled to its range.
ByteVector to_e4m3(const std::vector<float>& values) {
  ByteVector bytes;
  bytes.reserve(values.size());
  for (const float value : values) {
    const float scaled = std::min(std::fabs(value) * 3000.0F, 448.0F);
    const int exponent = scaled < 0.015625F ? -6 : std::ilogb(scaled);
    const auto steps = static_cast<unsigned>(std::lrint(std::ldexp(scaled, 3 - exponent)));
    const unsigned magnitude = std::min(steps + 8U * static_cast<unsigned>(exponent + 6), 0x7EU);
    bytes.push_back(static_cast<std::byte>(magnitude | (std::signbit(value) ? 0x80U : 0U)));
  }
  return bytes;
}

}  // namespace

// Read or made when they are first needed.
struct DataSets::Sources {
  std::filesystem::path trained;
  std::size_t synthetic_bytes;
  std::map<int, AdamState> adam_of_step;
  ByteVector lm_bytes;
  std::vector<float> synthetic;

  const ByteVector& lm() {
    if (lm_bytes.empty()) lm_bytes = safetensors_payload(trained / "lm5m_base_bf16.safetensors");
    return lm_bytes;
  }
  const AdamState& adam(int step) {
    const auto [found, is_new] = adam_of_step.try_emplace(step);
    const std::string name = "lm1m_adam_step" + std::to_string(step) + ".pt";
    if (is_new) found->second = load_adam(trained / name);
    return found->second;
  }
  const std::vector<float>& weights() {
    if (synthetic.empty()) synthetic = synthetic_weights(synthetic_bytes / 2);
    return synthetic;
  }
  DataSet fine_tune(std::string_view name) {
    const std::string file = std::string(name.substr(name.find("lm5m"))) + ".safetensors";
    return {std::string(name), Dtype::bf16, safetensors_payload(trained / file), lm()};
  }
};

DataSets::DataSets(std::filesystem::path trained, std::size_t synthetic_bytes)
    : sources_(std::make_unique<Sources>()) {
  sources_->trained = std::move(trained);
  sources_->synthetic_bytes = synthetic_bytes;
}
DataSets::~DataSets() = default;

std::span<const std::string_view> DataSets::names() {
  static constexpr std::string_view kNames[] = {"bf16 lm",
                                                "bf16 syn",
                                                "f16 lm",
                                                "f32 lm",
                                                "f32 Adam m",
                                                "f32 Adam v",
                                                "f32 from bf16",
                                                "bf16 2:4",
                                                "f8 e4m3 syn",
                                                "+0.15% lm5m_ft_lr2e-6_bf16",
                                                "+0.74% lm5m_ft_lr1e-5_bf16",
                                                "+2.9% lm5m_ft_lora8b_bf16",
                                                "+50 steps f32 lm",
                                                "+50 steps f32 Adam m",
                                                "+50 steps f32 Adam v"};
  return kNames;
}

DataSet DataSets::load(std::string_view name) {
  constexpr int kStep = 1000;
  Sources& from = *sources_;
  const std::string text(name);
  if (name == "bf16 lm") return {text, Dtype::bf16, from.lm()};
  if (name == "bf16 syn") return {text, Dtype::bf16, rounded(from.weights(), to_bf16)};
  if (name == "f16 lm") {
    return {text, Dtype::f16, rounded(floats_of(from.adam(kStep).weights), to_f16)};
  }
  if (name == "f32 lm") return {text, Dtype::f32, from.adam(kStep).weights};
  if (name == "f32 Adam m") return {text, Dtype::f32, from.adam(kStep).first_moments};
  if (name == "f32 Adam v") return {text, Dtype::f32, from.adam(kStep).second_moments};
  if (name == "f32 from bf16") return {text, Dtype::f32, widened(from.lm())};
  if (name == "bf16 2:4") {
    return {text, Dtype::bf16, rounded(prune_2_of_4(from.weights()), to_bf16)};
  }
  if (name == "f8 e4m3 syn") return {text, Dtype::f8_e4m3, to_e4m3(from.weights())};
  if (name.find("lm5m") != std::string_view::npos) return from.fine_tune(name);
  const AdamState& state = from.adam(kStep);
  const AdamState& before = from.adam(kStep - 50);
  if (name == "+50 steps f32 lm") return {text, Dtype::f32, state.weights, before.weights};
  if (name == "+50 steps f32 Adam m") {
    return {text, Dtype::f32, state.first_moments, before.first_moments};
  }
  if (name == "+50 steps f32 Adam v") {
    return {text, Dtype::f32, state.second_moments, before.second_moments};
  }
  throw std::runtime_error("no data set is called " + text);
}

}  // namespace weightfs::bench
