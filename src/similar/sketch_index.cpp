#include "weightfs/similar/sketch_index.h"

#include <algorithm>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "sketch_keys.h"

namespace weightfs::similar {
namespace {

using Slot = std::uint32_t;
constexpr Slot kNoSlot = ~Slot{0};

// Keys -> slots, in buckets of fixed size that forget their oldest: what a lossy hint may do, in
// memory that is bounded. Not thread-safe.
class KeyTable {
 public:
  explicit KeyTable(std::size_t bucket_count) : buckets_(bucket_count) {}

  std::size_t bucket_count() const { return buckets_.size(); }

  void insert(std::uint64_t key, Slot slot) {
    Bucket& bucket = bucket_of(key);
    const Way way = {.slot = slot, .fingerprint = fingerprint(key)};
    const auto same = std::find_if(bucket.begin(), bucket.end(), [&](const Way& old) {
      return old.slot == kNoSlot || (old.slot == slot && old.fingerprint == way.fingerprint);
    });
    const auto last = same == bucket.end() ? std::prev(bucket.end()) : same;
    std::move_backward(bucket.begin(), last, std::next(last));
    bucket.front() = way;
  }

  void erase(std::uint64_t key, Slot slot) {
    Bucket& bucket = bucket_of(key);
    const auto left = std::remove_if(bucket.begin(), bucket.end(), [&](const Way& way) {
      return way.slot == slot && way.fingerprint == fingerprint(key);
    });
    std::fill(left, bucket.end(), Way{});
  }

  template <class Visit>
  void for_each(std::uint64_t key, Visit visit) const {
    for (const Way& way : buckets_[index_of(key)]) {
      if (way.slot != kNoSlot && way.fingerprint == fingerprint(key)) visit(way.slot);
    }
  }

 private:
  struct Way {
    Slot slot = kNoSlot;
    std::uint32_t fingerprint = 0;
  };
  static constexpr std::size_t kWays = 8;
  using Bucket = std::array<Way, kWays>;

  static std::uint32_t fingerprint(std::uint64_t key) {
    return static_cast<std::uint32_t>(key >> 32);
  }
  std::size_t index_of(std::uint64_t key) const { return key & (buckets_.size() - 1); }
  Bucket& bucket_of(std::uint64_t key) { return buckets_[index_of(key)]; }

  std::vector<Bucket> buckets_;  // a power of two
};

constexpr std::size_t kFirstBuckets = 1024;
// Keys that a bucket of eight holds on average before the table grows.
constexpr std::size_t kKeysOfBucket = 4;

struct Entry {
  std::uint64_t id = 0;
  bool alive = false;
  TensorSketch sketch;
};

bool is_wanted(const TensorSketch& found, const TensorSketch& sketch, bool same_layout) {
  if (!same_layout) return unit_count(found) == unit_count(sketch);
  return found.dtype == sketch.dtype && found.length_bytes == sketch.length_bytes;
}

Candidate make_candidate(const Entry& entry, const TensorSketch& sketch) {
  return {.id = entry.id,
          .dtype = entry.sketch.dtype,
          .length_bytes = entry.sketch.length_bytes,
          .shape_hash = entry.sketch.shape_hash,
          .same_name = entry.sketch.name_hash == sketch.name_hash,
          .distance_bits = sketch_distance_bits(entry.sketch, sketch)};
}

}  // namespace

struct SketchIndex::Impl {
  explicit Impl(SketchIndexOptions index_options) : options(index_options) {}

  SketchIndexOptions options;
  mutable std::shared_mutex mutex;  // protects all that follows; nothing is locked under it
  std::vector<Entry> entries;
  std::vector<Slot> free_slots;
  std::unordered_map<std::uint64_t, Slot> slot_of_id;
  KeyTable keys{kFirstBuckets};
  Slot oldest = 0;  // where to look for the next one to go

  bool erase(std::uint64_t id) {
    const auto found = slot_of_id.find(id);
    if (found == slot_of_id.end()) return false;
    const Slot slot = found->second;
    for (const std::uint64_t key : keys_of(entries[slot].sketch)) keys.erase(key, slot);
    entries[slot].alive = false;
    free_slots.push_back(slot);
    slot_of_id.erase(found);
    return true;
  }

  // Slots are given in turn, so that going round them meets the oldest first.
  void make_room() {
    if (slot_of_id.size() < options.max_tensors) return;
    while (!entries[oldest].alive) oldest = next_of(oldest);
    erase(entries[oldest].id);
    oldest = next_of(oldest);
  }

  Slot next_of(Slot slot) const { return slot + 1 < entries.size() ? slot + 1 : 0; }

  Slot take_slot() {
    if (free_slots.empty()) {
      entries.emplace_back();
      return static_cast<Slot>(entries.size() - 1);
    }
    const Slot slot = free_slots.back();
    free_slots.pop_back();
    return slot;
  }

  void grow_keys() {
    if (slot_of_id.size() * kMaxKeys <= keys.bucket_count() * kKeysOfBucket) return;
    KeyTable larger(2 * keys.bucket_count());
    for (Slot slot = 0; slot < entries.size(); ++slot) {
      if (!entries[slot].alive) continue;
      for (const std::uint64_t key : keys_of(entries[slot].sketch)) larger.insert(key, slot);
    }
    keys = std::move(larger);
  }

  std::vector<Slot> slots_like(const TensorSketch& sketch) const {
    std::vector<Slot> slots;
    for (const std::uint64_t key : keys_of(sketch)) {
      keys.for_each(key, [&](Slot slot) { slots.push_back(slot); });
    }
    std::sort(slots.begin(), slots.end());
    slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
    return slots;
  }
};

SketchIndex::SketchIndex(SketchIndexOptions options) {
  options.max_tensors = std::clamp<std::size_t>(options.max_tensors, 1, kNoSlot - 1);
  impl_ = std::make_unique<Impl>(options);
}
SketchIndex::~SketchIndex() = default;
SketchIndex::SketchIndex(SketchIndex&&) noexcept = default;
SketchIndex& SketchIndex::operator=(SketchIndex&&) noexcept = default;

void SketchIndex::insert(std::uint64_t id, const TensorSketch& sketch) {
  const std::unique_lock lock(impl_->mutex);
  impl_->erase(id);
  impl_->make_room();
  const Slot slot = impl_->take_slot();
  impl_->entries[slot] = {.id = id, .alive = true, .sketch = sketch};
  impl_->slot_of_id[id] = slot;
  for (const std::uint64_t key : keys_of(sketch)) impl_->keys.insert(key, slot);
  impl_->grow_keys();
}

bool SketchIndex::erase(std::uint64_t id) {
  const std::unique_lock lock(impl_->mutex);
  return impl_->erase(id);
}

std::size_t SketchIndex::size() const {
  const std::shared_lock lock(impl_->mutex);
  return impl_->slot_of_id.size();
}

std::vector<Candidate> SketchIndex::candidates(const TensorSketch& sketch,
                                               const CandidateOptions& options) const {
  const std::shared_lock lock(impl_->mutex);
  std::vector<Candidate> found;
  for (const Slot slot : impl_->slots_like(sketch)) {
    const Entry& entry = impl_->entries[slot];
    if (!is_wanted(entry.sketch, sketch, options.same_layout)) continue;
    found.push_back(make_candidate(entry, sketch));
  }
  std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
    return a.distance_bits != b.distance_bits ? a.distance_bits < b.distance_bits : a.id < b.id;
  });
  if (found.size() > options.max_candidates) found.resize(options.max_candidates);
  return found;
}

std::vector<Candidate> SketchIndex::namesakes(const TensorSketch& sketch) const {
  const std::shared_lock lock(impl_->mutex);
  std::vector<Candidate> found;
  impl_->keys.for_each(namesake_key(sketch), [&](Slot slot) {
    const TensorSketch& known = impl_->entries[slot].sketch;
    const bool same_name = known.name_hash == sketch.name_hash && known.dtype == sketch.dtype;
    if (!same_name || known.length_bytes == sketch.length_bytes) return;
    found.push_back(make_candidate(impl_->entries[slot], sketch));
  });
  return found;
}

}  // namespace weightfs::similar
