// How blob stores age: fill, then delete a random half of the files and write as much new, many
// times.
//
//   blob_ageing_bench DIRECTORY [--gib N] [--rounds N] [--blob-bytes N | 0 for a mix] [--pack]
//
// Prints a line a round: what the store takes on disk over what lives in it, and the throughput of
// deleting and of writing. With --pack the same stream goes to an append-only file that punches
// holes for what is deleted, which is what the LMDB store is weighed against
// (docs/decisions/0001-blobs-in-lmdb.md). Everything is durable when it is counted. At the end all
// that lives is read once, in the order in which it was written, the page cache dropped before.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <numeric>
#include <random>

#include "weightfs/base/fd.h"
#include "weightfs/store/blob_store.h"

namespace weightfs::store {
namespace {

constexpr std::size_t kBlobsPerFile = 100;
constexpr std::size_t kBatchBytes = std::size_t{64} << 20;
constexpr double kMegabyte = 1e6;

struct Options {
  std::string directory;
  double gib = 4;
  int rounds = 20;
  std::size_t blob_bytes = 173'000;  // 0: a third each of coded bf16, raw and small ones
  bool use_pack = false;
};

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class T>
T must(Result<T> result) {
  if (result) return std::move(*result);
  fmt::print(stderr, "blob_ageing_bench: {}\n", result.error().message);
  std::exit(1);
}
void must(const Status& status) {
  if (status) return;
  fmt::print(stderr, "blob_ageing_bench: {}\n", status.error().message);
  std::exit(1);
}

// What is measured: somewhere to put blobs.
class Target {
 public:
  virtual ~Target() = default;
  virtual void put(std::span<const NewBlob> blobs) = 0;
  virtual void erase(std::span<const BlobId> ids) = 0;
  virtual std::uint64_t disk_bytes() = 0;
  // Everything that lives, in the order of ids, from a cold cache; returns the bytes.
  virtual std::uint64_t read_all(std::span<const BlobId> ids) = 0;
};

std::uint64_t blocks_bytes(const std::string& path) {
  struct stat status {};
  must(::stat(path.c_str(), &status) == 0 ? Status() : fail_errno(errno, path));
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

void drop_from_page_cache(const std::string& path) {
  const UniqueFd fd = must(open_file(path, O_RDONLY));
  must(sync_data(fd.get()));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
}

// Touches each byte, as a decoder would.
std::uint64_t sum_of(ByteSpan bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0},
                         [](std::uint64_t sum, std::byte value) {
                           return sum + std::to_integer<std::uint64_t>(value);
                         });
}
std::uint64_t g_checksum = 0;  // printed, so that reads are not optimised away

class LmdbTarget final : public Target {
 public:
  explicit LmdbTarget(const std::string& directory) : path_(directory + "/blobs") { open(); }
  void put(std::span<const NewBlob> blobs) override { must(store_->put(blobs)); }
  void erase(std::span<const BlobId> ids) override { must(store_->erase(ids)); }
  std::uint64_t disk_bytes() override { return blocks_bytes(path_ + "/data.mdb"); }
  std::uint64_t read_all(std::span<const BlobId> ids) override {
    store_.reset();
    drop_from_page_cache(path_ + "/data.mdb");
    open();
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (i % 8 == 0) store_->will_load(ids.subspan(i, std::min<std::size_t>(16, ids.size() - i)));
      const LoadedBlob blob = must(store_->load(ids[i]));
      g_checksum += sum_of(blob.encoded());
      bytes += blob.encoded().size();
    }
    return bytes;
  }

 private:
  void open() { store_ = must(open_lmdb_blob_store({.path = path_})); }

  std::string path_;
  std::unique_ptr<BlobStore> store_;
};

// Appends, and punches holes. It keeps no index on disk and could not be reopened: a lower bound of
// what a pack store would cost.
class PackTarget final : public Target {
 public:
  explicit PackTarget(const std::string& directory)
      : path_(directory + "/pack"), fd_(must(open_file(path_, O_RDWR | O_CREAT | O_TRUNC))) {}
  void put(std::span<const NewBlob> blobs) override {
    for (const NewBlob& blob : blobs) {
      must(write_exactly(fd_.get(), end_, blob.encoded));
      places_[blob.record.id] = {end_, blob.encoded.size()};
      end_ += (blob.encoded.size() + 4095) / 4096 * 4096;
    }
    must(sync_data(fd_.get()));
  }
  void erase(std::span<const BlobId> ids) override {
    for (const BlobId id : ids) {
      const auto [offset, size] = places_.extract(id).mapped();
      const std::size_t whole = (size + 4095) / 4096 * 4096;
      ::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                  static_cast<off_t>(whole));
    }
    must(sync_data(fd_.get()));
  }
  std::uint64_t disk_bytes() override { return blocks_bytes(path_); }
  std::uint64_t read_all(std::span<const BlobId> ids) override {
    drop_from_page_cache(path_);
    std::uint64_t bytes = 0;
    ByteVector buffer;
    for (const BlobId id : ids) {
      const auto [offset, size] = places_.at(id);
      buffer.resize(size);
      must(read_exactly(fd_.get(), offset, buffer));
      g_checksum += sum_of(buffer);
      bytes += size;
    }
    return bytes;
  }

 private:
  std::string path_;
  UniqueFd fd_;
  std::uint64_t end_ = 0;
  std::map<BlobId, std::pair<std::uint64_t, std::size_t>> places_;
};

// The stream of files that both targets get.
class Workload {
 public:
  Workload(const Options& options, Target& target)
      : options_(options), target_(target), bytes_(std::size_t{2} << 20) {
    for (std::byte& value : bytes_) value = static_cast<std::byte>(random_());
  }

  void write_until(std::uint64_t live_bytes) {
    std::vector<NewBlob> batch;
    std::size_t batch_bytes = 0;
    while (live_bytes_ < live_bytes) {
      std::vector<NewBlob>& file = files_.emplace_back();
      for (std::size_t i = 0; i < kBlobsPerFile; ++i) {
        const NewBlob blob = next_blob();
        if (batch_bytes + blob.encoded.size() > kBatchBytes) {
          target_.put(std::exchange(batch, {}));
          batch_bytes = 0;
        }
        batch_bytes += blob.encoded.size();
        live_bytes_ += blob.encoded.size();
        batch.push_back(blob);
        file.push_back(blob);
      }
    }
    target_.put(batch);
  }

  void delete_half() {
    std::shuffle(files_.begin(), files_.end(), random_);
    std::vector<BlobId> ids;
    for (std::size_t left = files_.size() / 2; left > 0; --left) {
      for (const NewBlob& blob : files_.back()) {
        ids.push_back(blob.record.id);
        live_bytes_ -= blob.encoded.size();
      }
      files_.pop_back();
    }
    target_.erase(ids);
  }

  std::uint64_t live_bytes() const { return live_bytes_; }

  std::vector<BlobId> live_ids() const {
    std::vector<BlobId> ids;
    for (const auto& file : files_) {
      for (const NewBlob& blob : file) ids.push_back(blob.record.id);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  }

 private:
  std::size_t next_size() {
    if (options_.blob_bytes != 0) return options_.blob_bytes;
    switch (random_() % 3) {
      case 0:
        return 262'144;
      case 1:
        return 150'000 + random_() % 30'000;
      default:
        return 2'000 + random_() % 96'000;
    }
  }

  NewBlob next_blob() {
    const std::size_t size = next_size();
    NewBlob blob;
    blob.record.id = static_cast<BlobId>(++last_id_);
    blob.record.content = {random_(), random_(), 262'144};
    blob.record.encoded_bytes = static_cast<std::uint32_t>(size);
    blob.encoded = ByteSpan(bytes_).subspan(random_() % (bytes_.size() - size), size);
    return blob;
  }

  const Options& options_;
  Target& target_;
  ByteVector bytes_;
  std::mt19937_64 random_{42};
  std::uint64_t last_id_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::vector<std::vector<NewBlob>> files_;
};

void run_round(Workload& workload, Target& target, std::uint64_t full_bytes, int round) {
  const std::uint64_t before = workload.live_bytes();
  const auto start = Clock::now();
  if (round > 0) workload.delete_half();
  const double delete_seconds = seconds_since(start);
  const double deleted_mb = static_cast<double>(before - workload.live_bytes()) / kMegabyte;
  const std::uint64_t kept = workload.live_bytes();
  const auto write_start = Clock::now();
  workload.write_until(full_bytes);
  const double written_mb = static_cast<double>(workload.live_bytes() - kept) / kMegabyte;
  fmt::print("{:5} {:12.3f} {:14.0f} {:14.0f}\n", round,
             static_cast<double>(target.disk_bytes()) / static_cast<double>(workload.live_bytes()),
             written_mb / seconds_since(write_start), deleted_mb / delete_seconds);
  std::fflush(stdout);
}

void run(const Options& options) {
  std::unique_ptr<Target> target;
  if (options.use_pack) {
    target = std::make_unique<PackTarget>(options.directory);
  } else {
    target = std::make_unique<LmdbTarget>(options.directory);
  }
  Workload workload(options, *target);
  const auto full_bytes = static_cast<std::uint64_t>(options.gib * (1 << 30));
  fmt::print("round   disk/live   write (MB/s)  delete (MB/s)\n");
  for (int round = 0; round <= options.rounds; ++round) {
    run_round(workload, *target, full_bytes, round);
  }
  const auto start = Clock::now();
  const std::uint64_t read_bytes = target->read_all(workload.live_ids());
  fmt::print("read back, cold, in order: {:.0f} MB/s (checksum {})\n",
             static_cast<double>(read_bytes) / kMegabyte / seconds_since(start), g_checksum);
}

}  // namespace
}  // namespace weightfs::store

int main(int argc, char** argv) {
  weightfs::store::Options options;
  CLI::App app("How blob stores age");
  app.add_option("directory", options.directory, "an empty directory; emptied again afterwards")
      ->required();
  app.add_option("--gib", options.gib, "live bytes");
  app.add_option("--rounds", options.rounds);
  app.add_option("--blob-bytes", options.blob_bytes, "0: a mix");
  app.add_flag("--pack", options.use_pack, "an append-only file instead of LMDB");
  CLI11_PARSE(app, argc, argv);
  std::filesystem::create_directories(options.directory);
  if (!std::filesystem::is_empty(options.directory)) {
    fmt::print(stderr, "blob_ageing_bench: {} is not empty\n", options.directory);
    return 1;
  }
  weightfs::store::run(options);
  std::filesystem::remove_all(options.directory);
  return 0;
}
