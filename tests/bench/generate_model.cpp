// Writes a safetensors file of Gaussian bf16 tensors, a scale per row: generate_model OUT MIB SEED
// [RELATIVE_RMS SEED2]. With the last two, a fine-tune of the same base: every value moved by a
// Gaussian step of that RMS relative to its row's scale, rounded to bf16.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kRows = 2048;
constexpr std::size_t kColumns = 4096;
constexpr std::size_t kTensorBytes = kRows * kColumns * 2;  // 16 MiB

std::string header(std::size_t tensor_count) {
  std::string json = "{";
  for (std::size_t i = 0; i < tensor_count; ++i) {
    if (i > 0) json += ",";
    json += "\"layers." + std::to_string(i) + ".weight\":{\"dtype\":\"BF16\",\"shape\":[" +
            std::to_string(kRows) + "," + std::to_string(kColumns) + "],\"data_offsets\":[" +
            std::to_string(i * kTensorBytes) + "," + std::to_string((i + 1) * kTensorBytes) + "]}";
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  return json;
}

// Fast enough for gigabytes: Gaussian numbers come from a table that is walked at random.
class Gaussian {
 public:
  explicit Gaussian(std::uint64_t seed) : random_(seed) {
    std::mt19937_64 table_random(7);
    std::normal_distribution<float> normal;
    for (float& value : table_) value = normal(table_random);
  }
  float next() {
    if (left_ == 0) {
      bits_ = random_();
      left_ = 4;
    }
    const std::uint64_t index = bits_ & 0xFFFF;
    bits_ >>= 16;
    --left_;
    return table_[index];
  }

 private:
  std::mt19937_64 random_;
  std::vector<float> table_ = std::vector<float>(65536);
  std::uint64_t bits_ = 0;
  int left_ = 0;
};

std::uint16_t to_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

float from_bf16(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 6) {
    std::cerr << "usage: generate_model OUT MIB SEED [RELATIVE_RMS SEED2]\n";
    return 2;
  }
  const std::size_t tensor_count = std::strtoull(argv[2], nullptr, 10) * (1 << 20) / kTensorBytes;
  Gaussian base(std::strtoull(argv[3], nullptr, 10));
  const float step = argc == 6 ? std::strtof(argv[4], nullptr) : 0.0F;
  Gaussian moved(argc == 6 ? std::strtoull(argv[5], nullptr, 10) : 0);
  std::ofstream out(argv[1], std::ios::binary);
  const std::string json = header(tensor_count);
  const std::uint64_t length = json.size();
  for (int shift = 0; shift < 64; shift += 8) out.put(static_cast<char>((length >> shift) & 0xFF));
  out << json;
  std::string row(kColumns * 2, '\0');
  for (std::size_t i = 0; i < tensor_count * kRows; ++i) {
    const float scale = 0.02F * std::exp(0.3F * base.next());
    for (std::size_t column = 0; column < kColumns; ++column) {
      std::uint16_t value = to_bf16(scale * base.next());
      if (step > 0) value = to_bf16(from_bf16(value) + scale * step * moved.next());
      row[2 * column] = static_cast<char>(value & 0xFF);
      row[2 * column + 1] = static_cast<char>(value >> 8);
    }
    out.write(row.data(), static_cast<std::streamsize>(row.size()));
  }
  out.flush();
  return out ? 0 : 1;
}
