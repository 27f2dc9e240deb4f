#include "codec_data.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
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

std::vector<DataSet> load_data_sets(const std::filesystem::path& trained,
                                    std::size_t synthetic_bytes) {
  const ByteVector lm = safetensors_payload(trained / "lm5m_base_bf16.safetensors");
  const AdamState adam = load_adam(trained / "lm1m_adam_step1000.pt");
  const std::vector<float> weights = synthetic_weights(synthetic_bytes / 2);
  std::vector<DataSet> sets;
  sets.push_back({"bf16 lm", Dtype::bf16, lm});
  sets.push_back({"bf16 syn", Dtype::bf16, rounded(weights, to_bf16)});
  sets.push_back({"f16 lm", Dtype::f16, rounded(floats_of(adam.weights), to_f16)});
  sets.push_back({"f32 lm", Dtype::f32, adam.weights});
  sets.push_back({"f32 Adam m", Dtype::f32, adam.first_moments});
  sets.push_back({"f32 Adam v", Dtype::f32, adam.second_moments});
  sets.push_back({"f32 from bf16", Dtype::f32, widened(lm)});
  sets.push_back({"bf16 2:4", Dtype::bf16, rounded(prune_2_of_4(weights), to_bf16)});
  sets.push_back({"f8 e4m3 syn", Dtype::f8_e4m3, to_e4m3(weights)});
  for (const auto* name : {"lm5m_ft_lr2e-6_bf16", "lm5m_ft_lr1e-5_bf16", "lm5m_ft_lora8b_bf16"}) {
    sets.push_back({name, Dtype::bf16,
                    safetensors_payload(trained / (std::string(name) + ".safetensors")), lm});
  }
  return sets;
}

}  // namespace weightfs::bench
