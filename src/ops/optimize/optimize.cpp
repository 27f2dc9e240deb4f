#include "weightfs/ops/optimize.h"

#include <fmt/format.h>

#include <atomic>
#include <latch>
#include <thread>

#include "../progress_meter.h"
#include "blob_dtypes.h"
#include "recoder.h"
#include "tier_names.h"
#include "weightfs/base/worker_pool.h"
#include "weightfs/fs/filesystem.h"

namespace weightfs::ops {
namespace {

constexpr std::uint64_t kBatchBytes = std::uint64_t{32} << 20;  // raw: what waits for its write
constexpr std::size_t kBatchBlobs = 4096;
constexpr std::uint64_t kIdsAtOnce = std::uint64_t{16} << 20;  // a byte each
constexpr std::uint64_t kReleasedAtOnceBytes = std::uint64_t{1} << 30;

WorkerPoolOptions pool_for(const OptimizeOptions& options) {
  const std::size_t wanted = options.worker_count;
  return {.name = "optimize",
          .thread_count = wanted > 0 ? wanted : std::max(1U, std::thread::hardware_concurrency()),
          .only_when_idle = options.only_when_idle};
}

store::BlobId id_after(store::BlobId id, std::uint64_t distance = 1) {
  return static_cast<store::BlobId>(store::number(id) + distance);
}

class Optimizer {
 public:
  Optimizer(fs::Filesystem& filesystem, const OptimizeOptions& options)
      : filesystem_(filesystem),
        options_(options),
        recoder_(filesystem.blobs(), {.tier = options.tier, .portable = options.portable}),
        workers_(pool_for(options)),
        meter_(options.progress) {
    result_.store = filesystem.store_path();
    result_.tier = tier_name(options.tier);
    result_.dry_run = options.dry_run;
  }

  Result<Optimization> run() {
    WEIGHTFS_ASSIGN(store::BlobId done, first_position());
    WEIGHTFS_ASSIGN(const store::BlobId last, filesystem_.blobs().last_id());
    WEIGHTFS_TRY(add_totals(id_after(done), last));
    while (done < last && !result_.stopped) {
      const store::BlobId end = std::min(last, id_after(done, kIdsAtOnce));
      WEIGHTFS_TRY(recode_ids(id_after(done), end));
      done = end;
    }
    WEIGHTFS_TRY(release_space(/*least_bytes=*/1));
    return std::move(result_);
  }

 private:
  struct Outcome {
    Result<std::optional<RecodedBlob>> recoded = std::nullopt;
  };

  bool is_cancelled() const { return options_.cancelled && options_.cancelled(); }
  Result<store::BlobId> first_position() const;
  Status add_totals(store::BlobId first, store::BlobId last);
  Status recode_ids(store::BlobId first, store::BlobId last);
  Status recode_batch(const std::vector<store::BlobRecord>& batch, const BlobDtypes& dtypes);
  std::vector<Outcome> encode(const std::vector<store::BlobRecord>& batch,
                              const BlobDtypes& dtypes);
  Status replace(std::vector<RecodedBlob>& smaller);
  void save_position(store::BlobId done);
  Status release_space(std::uint64_t least_bytes);

  fs::Filesystem& filesystem_;
  const OptimizeOptions& options_;
  const Recoder recoder_;
  WorkerPool workers_;
  ProgressMeter meter_;
  Optimization result_;
  std::uint64_t freed_bytes_ = 0;  // in the blobs' file, and not yet given back
};

Result<store::BlobId> Optimizer::first_position() const {
  if (options_.restart) return store::BlobId::none;
  return filesystem_.tree().optimized_until(tier_name(options_.tier));
}

Status Optimizer::add_totals(store::BlobId first, store::BlobId last) {
  std::uint64_t bytes = 0;
  std::uint64_t blobs = 0;
  WEIGHTFS_TRY(filesystem_.blobs().for_each(first, [&](const store::BlobRecord& record) {
    if (record.id > last) return false;
    bytes += record.encoded_bytes;
    ++blobs;
    return true;
  }));
  meter_.add_total(bytes, blobs);
  return {};
}

Status Optimizer::recode_ids(store::BlobId first, store::BlobId last) {
  WEIGHTFS_ASSIGN(const BlobDtypes dtypes,
                  BlobDtypes::collect(filesystem_.tree(), first,
                                      store::number(last) - store::number(first) + 1));
  std::vector<store::BlobRecord> batch;
  std::uint64_t batch_bytes = 0;
  Status status;
  const auto finish_batch = [&] {
    status = recode_batch(batch, dtypes);
    batch.clear();
    batch_bytes = 0;
    return status && !result_.stopped;
  };
  WEIGHTFS_TRY(filesystem_.blobs().for_each(first, [&](const store::BlobRecord& record) {
    if (record.id > last) return false;
    batch.push_back(record);
    batch_bytes += record.content.length_bytes;
    return (batch_bytes < kBatchBytes && batch.size() < kBatchBlobs) || finish_batch();
  }));
  if (status && !result_.stopped && !batch.empty()) finish_batch();
  if (status && !result_.stopped) save_position(last);
  return status;
}

// A batch that is cut short is left as it was, and is the next run's first.
Status Optimizer::recode_batch(const std::vector<store::BlobRecord>& batch,
                               const BlobDtypes& dtypes) {
  std::vector<Outcome> outcomes = encode(batch, dtypes);
  result_.stopped = is_cancelled();
  if (result_.stopped) return {};
  std::vector<RecodedBlob> smaller;
  std::uint64_t broken_blobs = 0;
  for (Outcome& outcome : outcomes) {
    auto& recoded = outcome.recoded;
    if (recoded && *recoded) smaller.push_back(std::move(**recoded));
    if (recoded || recoded.error().code == Code::not_found) continue;  // kept, or erased meanwhile
    if (recoded.error().code != Code::corrupt) return tl::unexpected(recoded.error());
    ++broken_blobs;
  }
  const std::uint64_t saved_before = result_.saved_bytes;
  WEIGHTFS_TRY(replace(smaller));
  std::uint64_t encoded_bytes = 0;
  for (const store::BlobRecord& record : batch) encoded_bytes += record.encoded_bytes;
  result_.blobs += batch.size();
  result_.broken_blobs += broken_blobs;
  result_.encoded_bytes += encoded_bytes;
  meter_.add_items(batch.size());
  meter_.add_stored_bytes(encoded_bytes - (result_.saved_bytes - saved_before));
  meter_.add_bytes(encoded_bytes);
  save_position(batch.back().id);
  return release_space(kReleasedAtOnceBytes);
}

std::vector<Optimizer::Outcome> Optimizer::encode(const std::vector<store::BlobRecord>& batch,
                                                  const BlobDtypes& dtypes) {
  std::vector<Outcome> outcomes(batch.size());
  std::atomic<std::size_t> next{0};
  std::latch done(static_cast<std::ptrdiff_t>(workers_.thread_count()));
  for (std::size_t worker = 0; worker < workers_.thread_count(); ++worker) {
    workers_.submit([&] {
      for (std::size_t i = next++; i < batch.size() && !is_cancelled(); i = next++) {
        outcomes[i].recoded = recoder_.recode(batch[i].id, dtypes.of(batch[i].id));
      }
      done.count_down();
    });
  }
  done.wait();
  return outcomes;
}

Status Optimizer::replace(std::vector<RecodedBlob>& smaller) {
  std::vector<store::Recoding> recodings;
  for (const RecodedBlob& blob : smaller) {
    recodings.push_back({.before = blob.before, .after = {blob.after, blob.encoded}});
  }
  std::vector<bool> replaced(recodings.size(), true);
  if (!options_.dry_run) {
    WEIGHTFS_ASSIGN(replaced, filesystem_.blobs().recode(recodings));
  }
  for (std::size_t i = 0; i < smaller.size(); ++i) {
    if (!replaced[i]) continue;
    ++result_.recoded_blobs;
    result_.saved_bytes += smaller[i].before.encoded_bytes - smaller[i].after.encoded_bytes;
    freed_bytes_ += smaller[i].before.encoded_bytes;
  }
  return {};
}

// Comes to the disk with the next commit of the metadata: a crash repeats a few seconds' work.
void Optimizer::save_position(store::BlobId done) {
  if (options_.dry_run) return;
  tree::Change change(filesystem_.tree());
  change.put_optimized_until(tier_name(options_.tier), done);
  filesystem_.tree().apply(std::move(change));
}

Status Optimizer::release_space(std::uint64_t least_bytes) {
  if (options_.dry_run || freed_bytes_ < least_bytes) return {};
  freed_bytes_ = 0;
  return filesystem_.release_space();
}

}  // namespace

Result<Optimization> optimize(fs::Filesystem& filesystem, const OptimizeOptions& options) {
  if (options.tier == codec::Tier::fast) {
    return fail(Code::invalid, "the fast tier makes nothing smaller");
  }
  if (filesystem.options().read_only && !options.dry_run) {
    return fail(Code::read_only, "the store is open for reading only");
  }
  return Optimizer(filesystem, options).run();
}

}  // namespace weightfs::ops
