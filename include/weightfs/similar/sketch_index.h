// Finds the tensors that look like a given one, in memory.
//
// Holds what was inserted, by opaque ids that the caller gives, up to a bound; beyond it the oldest
// go. Only what may serve as a base should be inserted: a tensor that is itself a delta may not.
// Thread-safe: look-ups run side by side.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "weightfs/similar/sketch.h"

namespace weightfs::similar {

struct SketchIndexOptions {
  std::size_t max_tensors = std::size_t{1} << 18;  // of about 800 bytes each
};

struct CandidateOptions {
  std::size_t max_candidates = 8;
  // Whether only tensors of the same dtype and length are wanted, which blocks can be deltas
  // against; otherwise of any dtype with as many elements, for casts.
  bool same_layout = true;
};

struct Candidate {
  std::uint64_t id = 0;
  Dtype dtype = Dtype::opaque;
  std::uint64_t length_bytes = 0;
  std::uint64_t shape_hash = 0;  // TensorSketch::shape_hash
  bool same_name = false;
  double distance_bits = 0;  // sketch_distance_bits
};

class SketchIndex {
 public:
  explicit SketchIndex(SketchIndexOptions options = {});
  ~SketchIndex();
  SketchIndex(SketchIndex&&) noexcept;
  SketchIndex& operator=(SketchIndex&&) noexcept;

  // Replaces what the id stood for, if it is known.
  void insert(std::uint64_t id, const TensorSketch& sketch);
  // Returns whether it was there.
  bool erase(std::uint64_t id);
  std::size_t size() const;

  // Tensors of the same name, dtype and shape, and those that share bands of samples with `sketch`,
  // the closest first. Empty if there are none; misses some where very many look alike.
  std::vector<Candidate> candidates(const TensorSketch& sketch,
                                    const CandidateOptions& options = {}) const;
  // Tensors of the name and dtype of `sketch` (of which nothing else counts) but of another length,
  // the ids that were inserted last first: what a tensor that gained or lost rows was before. Knows
  // only the last few of a name.
  std::vector<Candidate> namesakes(const TensorSketch& sketch) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weightfs::similar
