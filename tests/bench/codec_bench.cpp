// codec_bench [corpus/trained] [rounds] [data]: ratio and speed of the codecs, through encode_block
// and decode_block with all checks on, next to what CODECS.md asks for and to their rivals.
//
// One table: a line for each way in which each data set is coded, "target / reached"; those whose
// names contain `data`. Blocks of 256 KiB, GB/s of raw bytes by thread CPU time, the best of
// `rounds` for each block. Lines for AVX2 come only with WEIGHTFS_ISA=avx2, which leaves others
// out.
#include <fmt/core.h>

#include <cstdlib>
#include <ctime>
#include <functional>
#include <limits>
#include <numeric>

#include "codec_data.h"
#include "codec_rivals.h"
#include "isa.h"
#include "weightfs/codec/codec.h"

namespace weightfs::bench {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kSyntheticBytes = std::size_t{64} << 20;

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

struct Row {
  double ratio = 0;
  double encode_gbps = 0;
  double decode_gbps = 0;
  bool exact = true;
};

struct Block {
  ByteSpan raw;
  ByteSpan base;
};

std::vector<Block> cut(const DataSet& set) {
  std::vector<Block> blocks;
  for (std::size_t at = 0; at < set.bytes.size(); at += kBlockBytes) {
    const std::size_t size = std::min(kBlockBytes, set.bytes.size() - at);
    blocks.push_back({ByteSpan(set.bytes).subspan(at, size),
                      set.base.empty() ? ByteSpan{} : ByteSpan(set.base).subspan(at, size)});
  }
  return blocks;
}

// `encode` appends to the blob and returns its size; `decode` restores a block from its blob.
struct Subject {
  std::function<ByteSpan(const Block&, MutableByteSpan)> encode;
  std::function<bool(std::size_t index, const Block&, ByteSpan, MutableByteSpan)> decode;
};

// The shortest time of each block: what else runs on the machine seldom hits a block each time.
class BestTimes {
 public:
  explicit BestTimes(std::size_t blocks) : seconds_(blocks, std::numeric_limits<double>::max()) {}
  void add(std::size_t block, double seconds) {
    seconds_[block] = std::min(seconds_[block], seconds);
  }
  double sum() const { return std::accumulate(seconds_.begin(), seconds_.end(), 0.0); }

 private:
  std::vector<double> seconds_;
};

Row measure(const DataSet& set, int rounds, const Subject& subject) {
  const std::vector<Block> blocks = cut(set);
  ByteVector work(2 * kBlockBytes);
  ByteVector back(kBlockBytes);
  std::vector<ByteVector> blobs(blocks.size());
  Row row;
  BestTimes encode_seconds(blocks.size());
  BestTimes decode_seconds(blocks.size());
  std::size_t total = 0;
  for (int round = 0; round < rounds; ++round) {
    total = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const double start = thread_seconds();
      const ByteSpan blob = subject.encode(blocks[i], work);
      encode_seconds.add(i, thread_seconds() - start);
      blobs[i].assign(blob.begin(), blob.end());
      total += blob.size();
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const MutableByteSpan out = MutableByteSpan(back).first(blocks[i].raw.size());
      const double start = thread_seconds();
      row.exact &= subject.decode(i, blocks[i], blobs[i], out);
      decode_seconds.add(i, thread_seconds() - start);
      row.exact &= std::equal(out.begin(), out.end(), blocks[i].raw.begin());
    }
  }
  const auto size = static_cast<double>(set.bytes.size());
  row.ratio = static_cast<double>(total) / size;
  row.encode_gbps = size / encode_seconds.sum() / 1e9;
  row.decode_gbps = size / decode_seconds.sum() / 1e9;
  return row;
}

// What CODECS.md asks for; 0 where it asks for nothing.
struct Target {
  double ratio = 0;
  double encode_gbps = 0;
  double decode_gbps = 0;
};

// "target / reached", marked where it is missed by more than a thousandth.
std::string cell(double target, double reached, bool at_most, int digits) {
  if (target == 0) return fmt::format("{:.{}f}", reached, digits);
  const bool missed = at_most ? reached > target + 0.0005 : reached < 0.999 * target;
  return fmt::format("{:.{}f} / {:.{}f}{}", target, digits, reached, digits, missed ? " !" : "");
}

void print(const std::string& data, const std::string& codec, const Target& target,
           const Row& row) {
  fmt::print("| {:26} | {:30} | {:>15} | {:>13} | {:>13} |{}\n", data, codec,
             cell(target.ratio, row.ratio, true, 3),
             cell(target.encode_gbps, row.encode_gbps, false, 1),
             cell(target.decode_gbps, row.decode_gbps, false, 1), row.exact ? "" : "  NOT EXACT");
  std::fflush(stdout);
}

// A way to code a data set.
struct Way {
  std::string_view data;
  std::string_view name;
  codec::EncodeOptions options;
  Target target = {};
  codec::Isa isa = codec::Isa::avx512;
};

bool measure_ours(const DataSet& set, int rounds, const Way& way) {
  codec::EncodeOptions options = way.options;
  codec::Scratch scratch;
  std::vector<codec::EncodedBlock> encoded;
  options.dtype = set.dtype;
  std::size_t next = 0;
  const std::size_t blocks = (set.bytes.size() + kBlockBytes - 1) / kBlockBytes;
  std::vector<codec::CodecTag> tags(blocks);
  std::vector<bool> uses_base(blocks);
  const Subject subject = {
      .encode =
          [&](const Block& block, MutableByteSpan) {
            options.base = block.base;
            options.base_dtype = block.base.empty() ? Dtype::opaque : set.dtype;
            const codec::EncodedBlock blob = codec::encode_block(block.raw, options, scratch);
            tags[next % blocks] = blob.tag;
            uses_base[next++ % blocks] = blob.uses_base;
            return blob.bytes;
          },
      .decode =
          [&](std::size_t index, const Block& block, ByteSpan blob, MutableByteSpan out) {
            const ByteSpan base = uses_base[index] ? block.base : ByteSpan{};
            return codec::decode_block(tags[index], blob, base, out, scratch).has_value();
          }};
  const Row row = measure(set, rounds, subject);
  print(set.name, fmt::format("weightfs {} ({})", way.name, codec::codec_name(tags[0])), way.target,
        row);
  return row.exact;
}

bool measure_rival(DataSet set, int rounds, const Rival& rival) {
  if (rival.is_slow) {
    rounds = 1;
    set.bytes.resize(std::min(set.bytes.size(), 8 * kBlockBytes));
  }
  const std::size_t size = dtype_layout(set.dtype).unit_bytes;
  const Subject subject = {
      .encode =
          [&](const Block& block, MutableByteSpan out) {
            return ByteSpan(out).first(rival.encode(block.raw, block.base, size, out));
          },
      .decode = [&](std::size_t, const Block& block, ByteSpan blob,
                    MutableByteSpan out) { return rival.decode(blob, block.base, size, out); }};
  const Row row = measure(set, rounds, subject);
  print(set.name, rival.name, {}, row);
  return row.exact;
}

// The last table of CODECS.md, and the rows beyond it whose limits it names.
std::vector<Way> ways() {
  using codec::Isa;
  using codec::Tier;
  const codec::EncodeOptions usual = {};
  const codec::EncodeOptions cold = {.tier = Tier::cold};
  const codec::EncodeOptions fast = {.tier = Tier::fast};
  const codec::EncodeOptions portable = {.portable = true};
  return {{"bf16 lm", "default", usual, {.662, 4, 9}},
          {"bf16 lm", "cold", cold, {.658, 2, 6}},
          {"bf16 lm", "fast", fast},
          {"bf16 lm", "portable", portable, {.673, 3, 8}, Isa::avx2},
          {"bf16 syn", "default", usual, {.665, 4, 9}},
          {"bf16 syn", "cold", cold, {.660, 2, 6}},
          {"bf16 syn", "portable", portable, {.673, 3, 8}, Isa::avx2},
          {"f16 lm", "default", usual, {.845, 3, 8}},
          {"f16 lm", "portable", portable, {}, Isa::avx2},
          {"f32 lm", "default", usual, {.832, 4, 9}},
          {"f32 lm", "portable", portable, {}, Isa::avx2},
          {"f32 Adam m", "default", usual, {.836, 4, 9}},
          {"f32 Adam v", "default", usual, {.796, 4, 9}},
          {"f32 from bf16", "default", usual, {.333, 4, 9}},
          {"bf16 2:4", "default", usual, {.353, 3, 8}},
          {"bf16 2:4", "portable", portable, {}, Isa::avx2},
          {"f8 e4m3 syn", "default", usual},
          {"f8 e4m3 syn", "portable", portable, {}, Isa::avx2},
          {"+0.15% lm5m_ft_lr2e-6_bf16", "default", usual, {.12, 2, 4}},
          {"+0.74% lm5m_ft_lr1e-5_bf16", "default", usual, {.25, 2, 4}},
          {"+2.9% lm5m_ft_lora8b_bf16", "default", usual, {.38, 2, 4}},
          {"+2.9% lm5m_ft_lora8b_bf16", "portable", portable, {}, Isa::avx2},
          {"+50 steps f32 lm", "default", usual, {.748, 0, 0}},
          {"+50 steps f32 lm", "default", usual, {}, Isa::avx2},
          {"+50 steps f32 Adam m", "default", usual},
          {"+50 steps f32 Adam v", "default", usual}};
}

// Every way of one data set, then its rivals. Returns whether all came back as it was.
bool run(std::string_view name, DataSets& data, int rounds) {
  bool exact = true;
  std::optional<DataSet> set;
  for (const Way& way : ways()) {
    const bool is_on_avx2 = codec::active_isa() == codec::Isa::avx2;
    if (way.data != name || (way.isa == codec::Isa::avx2) != is_on_avx2) continue;
    if (!set) set = data.load(name);
    exact &= measure_ours(*set, rounds, way);
  }
  if (!set || codec::active_isa() != codec::available_isas().back()) return exact;
  for (const Rival& rival : rivals()) {
    if (rival.needs_base && set->base.empty()) continue;
    exact &= measure_rival(*set, std::min(rounds, 3), rival);
  }
  return exact;
}

}  // namespace
}  // namespace weightfs::bench

int main(int argc, char** argv) {
  using namespace weightfs;
  const std::string trained = argc > 1 ? argv[1] : "/work/shared/corpus/trained";
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
  const std::string wanted = argc > 3 ? argv[3] : "";
  fmt::print(
      "instruction set: {}; blocks of 256 KiB; GB/s of one core, best of {}; target / reached\n",
      codec::isa_name(codec::active_isa()), rounds);
  fmt::print("| {:26} | {:30} | {:>15} | {:>13} | {:>13} |\n", "data", "codec", "ratio", "encode",
             "decode");
  fmt::print("| --- | --- | --- | --- | --- |\n");
  bool exact = true;
  try {
    bench::DataSets data(trained, bench::kSyntheticBytes);
    for (const std::string_view name : bench::DataSets::names()) {
      if (name.find(wanted) != std::string_view::npos) exact &= bench::run(name, data, rounds);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "codec_bench: {}\n", error.what());
    return 1;
  }
  return exact ? 0 : 1;
}
