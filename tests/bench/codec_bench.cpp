// codec_bench [corpus/trained] [rounds] [row]: ratio and speed of the codecs, through encode_block
// and decode_block with all checks on, next to their rivals in the same run.
//
// Blocks of 256 KiB, thread CPU time, best of `rounds`. WEIGHTFS_ISA restricts the instruction set.
#include <fmt/core.h>

#include <cstdlib>
#include <ctime>
#include <functional>
#include <limits>

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

Row measure(const DataSet& set, int rounds, const Subject& subject) {
  const std::vector<Block> blocks = cut(set);
  ByteVector work(2 * kBlockBytes);
  ByteVector back(kBlockBytes);
  std::vector<ByteVector> blobs(blocks.size());
  Row row;
  double encode_seconds = std::numeric_limits<double>::max();
  double decode_seconds = encode_seconds;
  std::size_t total = 0;
  for (int round = 0; round < rounds; ++round) {
    double seconds = 0;
    total = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const double start = thread_seconds();
      const ByteSpan blob = subject.encode(blocks[i], work);
      seconds += thread_seconds() - start;
      blobs[i].assign(blob.begin(), blob.end());
      total += blob.size();
    }
    encode_seconds = std::min(encode_seconds, seconds);
    seconds = 0;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const MutableByteSpan out = MutableByteSpan(back).first(blocks[i].raw.size());
      const double start = thread_seconds();
      row.exact &= subject.decode(i, blocks[i], blobs[i], out);
      seconds += thread_seconds() - start;
      row.exact &= std::equal(out.begin(), out.end(), blocks[i].raw.begin());
    }
    decode_seconds = std::min(decode_seconds, seconds);
  }
  const auto size = static_cast<double>(set.bytes.size());
  row.ratio = static_cast<double>(total) / size;
  row.encode_gbps = size / encode_seconds / 1e9;
  row.decode_gbps = size / decode_seconds / 1e9;
  return row;
}

void print(const std::string& data, const std::string& codec, const Row& row) {
  fmt::print("{:20} {:28} {:7.4f} {:8.2f} {:8.2f}{}\n", data, codec, row.ratio, row.encode_gbps,
             row.decode_gbps, row.exact ? "" : "  NOT EXACT");
  std::fflush(stdout);
}

bool measure_ours(const DataSet& set, int rounds, const std::string& name,
                  codec::EncodeOptions options) {
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
  print(set.name, fmt::format("weightfs {} ({})", name, codec::codec_name(tags[0])), row);
  return row.exact;
}

bool measure_rival(const DataSet& set, int rounds, const Rival& rival) {
  const std::size_t size = dtype_layout(set.dtype).unit_bytes;
  const Subject subject = {
      .encode =
          [&](const Block& block, MutableByteSpan out) {
            return ByteSpan(out).first(rival.encode(block.raw, block.base, size, out));
          },
      .decode = [&](std::size_t, const Block& block, ByteSpan blob,
                    MutableByteSpan out) { return rival.decode(blob, block.base, size, out); }};
  const Row row = measure(set, rounds, subject);
  print(set.name, rival.name, row);
  return row.exact;
}

bool run(const DataSet& set, int rounds) {
  using codec::EncodeOptions;
  using codec::Tier;
  bool exact = measure_ours(set, rounds, "default", EncodeOptions{});
  exact &= measure_ours(set, rounds, "fast", EncodeOptions{.tier = Tier::fast});
  exact &= measure_ours(set, rounds, "cold", EncodeOptions{.tier = Tier::cold});
  exact &= measure_ours(set, rounds, "portable", EncodeOptions{.portable = true});
  for (const Rival& rival : rivals()) {
    if (rival.needs_base && set.base.empty()) continue;
    exact &= measure_rival(set, std::min(rounds, 3), rival);
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
  fmt::print("instruction set: {}; blocks of 256 KiB; GB/s of one core, best of {}\n",
             codec::isa_name(codec::active_isa()), rounds);
  fmt::print("{:20} {:28} {:>7} {:>8} {:>8}\n", "data", "codec", "ratio", "encode", "decode");
  bool exact = true;
  try {
    for (const bench::DataSet& set : bench::load_data_sets(trained, bench::kSyntheticBytes)) {
      if (set.name.find(wanted) != std::string::npos) exact &= bench::run(set, rounds);
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "codec_bench: {}\n", error.what());
    return 1;
  }
  return exact ? 0 : 1;
}
