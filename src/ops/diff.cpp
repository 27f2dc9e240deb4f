#include "weightfs/ops/diff.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

#include "model_file.h"
#include "progress_meter.h"
#include "tensor_values.h"
#include "value_distance.h"
#include "weightfs/ops/tensor_statistics.h"

namespace weightfs::ops {
namespace {

struct Pair {
  const Tensor* a;
  const Tensor* b;
};

// Which tensor of the one file is meant by which of the other.
struct Matching {
  std::vector<Pair> same_name;
  std::vector<const Tensor*> only_a;
  std::vector<const Tensor*> only_b;
};

Matching match_names(const Layout& a, const Layout& b) {
  Matching matching;
  std::unordered_map<std::string_view, const Tensor*> unmatched;
  for (const Tensor& tensor : b.tensors) unmatched.try_emplace(tensor.name, &tensor);
  for (const Tensor& tensor : a.tensors) {
    const auto found = unmatched.find(tensor.name);
    if (found == unmatched.end()) {
      matching.only_a.push_back(&tensor);
      continue;
    }
    matching.same_name.push_back({&tensor, found->second});
    unmatched.erase(found);
  }
  for (const Tensor& tensor : b.tensors) {
    const auto found = unmatched.find(tensor.name);
    if (found != unmatched.end() && found->second == &tensor) matching.only_b.push_back(&tensor);
  }
  return matching;
}

class Differ {
 public:
  Differ(ModelFile a, ModelFile b, const DiffOptions& options)
      : a_(std::move(a)),
        b_(std::move(b)),
        workers_(pool_of(options.worker_count)),
        meter_(options.progress) {}

  Result<Difference> compare() {
    difference_.format_a = a_.layout.format;
    difference_.format_b = b_.layout.format;
    Matching matching = match_names(a_.layout, b_.layout);
    WEIGHTFS_TRY(find_renamed(matching));
    plan(matching);
    for (const Pair& pair : matching.same_name) WEIGHTFS_TRY(compare_pair(pair));
    for (const Tensor* tensor : matching.only_a) note(TensorChangeKind::removed, tensor, nullptr);
    for (const Tensor* tensor : matching.only_b) note(TensorChangeKind::added, nullptr, tensor);
    compare_metadata();
    WEIGHTFS_TRY(compare_opaque());
    std::stable_sort(difference_.tensors.begin(), difference_.tensors.end(), by_kind);
    return std::move(difference_);
  }

 private:
  static bool by_kind(const TensorChange& a, const TensorChange& b) {
    const auto rank = [](TensorChangeKind kind) {
      if (kind == TensorChangeKind::removed) return 10;
      return kind == TensorChangeKind::added ? 11 : static_cast<int>(kind);
    };
    return rank(a.kind) < rank(b.kind);
  }

  TensorChange& note(TensorChangeKind kind, const Tensor* a, const Tensor* b) {
    TensorChange& change = difference_.tensors.emplace_back();
    change.kind = kind;
    if (a) change.a = *a;
    if (b) change.b = *b;
    return change;
  }

  std::function<void(std::uint64_t)> advance() {
    return [this](std::uint64_t bytes) { meter_.add_bytes(bytes); };
  }

  Status find_renamed(Matching& matching);
  void plan(const Matching& matching);
  Status compare_pair(const Pair& pair);
  Status measure(const Pair& pair, TensorChange& change);
  void compare_metadata();
  Status compare_opaque();

  const ModelFile a_;
  const ModelFile b_;
  WorkerPool workers_;
  ProgressMeter meter_;
  Difference difference_;
};

// Tensors that only one file has, by dtype, shape and content. Only those that could match are
// read.
Status Differ::find_renamed(Matching& matching) {
  using Form = std::tuple<Dtype, std::vector<std::uint64_t>, std::vector<std::int64_t>, bool>;
  const auto form_of = [](const Tensor& tensor) {
    return Form(tensor.dtype, tensor.shape, tensor.strides_elements, is_big_endian(tensor));
  };
  std::map<Form, std::vector<const Tensor*>> candidates;
  for (const Tensor* tensor : matching.only_a) {
    if (tensor->length_bytes > 0) candidates[form_of(*tensor)].push_back(tensor);
  }
  std::unordered_map<const Tensor*, std::string> ids;
  for (const Tensor*& tensor : matching.only_b) {
    const auto found = candidates.find(form_of(*tensor));
    if (found == candidates.end()) continue;
    WEIGHTFS_ASSIGN(const std::string id, tensor_content_id(*b_.source, *tensor, workers_, {}));
    for (const Tensor*& candidate : found->second) {
      if (!candidate) continue;
      std::string& own = ids[candidate];
      if (own.empty()) {
        WEIGHTFS_ASSIGN(own, tensor_content_id(*a_.source, *candidate, workers_, {}));
      }
      if (own != id) continue;
      note(TensorChangeKind::renamed, candidate, tensor);
      std::erase(matching.only_a, candidate);
      candidate = nullptr;
      tensor = nullptr;
      break;
    }
  }
  std::erase(matching.only_b, nullptr);
  return {};
}

void Differ::plan(const Matching& matching) {
  std::uint64_t bytes = 0;
  for (const Pair& pair : matching.same_name) bytes += pair.b->length_bytes;
  meter_.add_total(bytes, matching.same_name.size());
}

Status Differ::compare_pair(const Pair& pair) {
  meter_.begin_item(pair.b->name);
  TensorChange change;
  change.a = *pair.a;
  change.b = *pair.b;
  const bool recast = pair.a->dtype != pair.b->dtype;
  const bool reshaped = pair.a->shape != pair.b->shape;
  if (recast)
    change.kind = TensorChangeKind::recast;
  else if (reshaped)
    change.kind = TensorChangeKind::reshaped;
  else if (pair.a->strides_elements != pair.b->strides_elements)
    change.kind = TensorChangeKind::reordered;
  if (change.kind == TensorChangeKind::reordered) {
    meter_.add_bytes(pair.b->length_bytes);
    difference_.tensors.push_back(std::move(change));
    meter_.end_item();
    return {};
  }
  if (pair.a->length_bytes == pair.b->length_bytes) {
    change.blocks = (pair.a->length_bytes + kDiffBlockBytes - 1) / kDiffBlockBytes;
    WEIGHTFS_ASSIGN(
        change.changed_blocks,
        changed_blocks({*a_.source, *pair.a}, {*b_.source, *pair.b}, workers_, advance()));
  }
  const bool same = !recast && !reshaped && change.changed_blocks == 0 &&
                    is_big_endian(*pair.a) == is_big_endian(*pair.b);
  if (same) {
    ++difference_.unchanged_tensors;
  } else {
    WEIGHTFS_TRY(measure(pair, change));
    difference_.tensors.push_back(std::move(change));
  }
  meter_.end_item();
  return {};
}

Status Differ::measure(const Pair& pair, TensorChange& change) {
  if (!has_readable_values(*pair.a) || !has_readable_values(*pair.b)) return {};
  if (pair.a->strides_elements != pair.b->strides_elements) return {};
  const auto count = [](const Tensor& tensor) {
    const DtypeLayout layout = dtype_layout(tensor.dtype);
    return tensor.length_bytes / layout.unit_bytes * layout.unit_elements;
  };
  if (count(*pair.a) != count(*pair.b)) return {};
  const bool was_counted = change.blocks > 0;
  WEIGHTFS_ASSIGN(change.distance,
                  value_distance({*a_.source, *pair.a}, {*b_.source, *pair.b}, workers_,
                                 was_counted ? std::function<void(std::uint64_t)>() : advance()));
  return {};
}

void Differ::compare_metadata() {
  std::map<std::string, MetadataChange> changes;
  for (const auto& [key, value] : a_.layout.metadata) changes[key].a = value;
  for (const auto& [key, value] : b_.layout.metadata) changes[key].b = value;
  for (auto& [key, change] : changes) {
    if (change.a == change.b) continue;
    change.key = key;
    difference_.metadata.push_back(std::move(change));
  }
}

// Files of one size are compared whole when their tensors did not differ: it is the only way to
// know.
Status Differ::compare_opaque() {
  const std::uint64_t size = a_.source->size_bytes();
  if (!difference_.same_content() || size != b_.source->size_bytes()) return {};
  Tensor whole;
  whole.length_bytes = size;
  WEIGHTFS_ASSIGN(const std::uint64_t changed,
                  changed_blocks({*a_.source, whole}, {*b_.source, whole}, workers_, {}));
  difference_.same_bytes = changed == 0;
  return {};
}

}  // namespace

std::string_view change_name(TensorChangeKind kind) {
  switch (kind) {
    case TensorChangeKind::added:
      return "added";
    case TensorChangeKind::removed:
      return "removed";
    case TensorChangeKind::renamed:
      return "renamed";
    case TensorChangeKind::changed:
      return "changed";
    case TensorChangeKind::reshaped:
      return "reshaped";
    case TensorChangeKind::recast:
      return "recast";
    case TensorChangeKind::reordered:
      return "reordered";
  }
  return "unknown";
}

Result<Difference> diff_files(const std::string& a, const std::string& b,
                              const DiffOptions& options) {
  WEIGHTFS_ASSIGN(ModelFile file_a, open_model(a));
  WEIGHTFS_ASSIGN(ModelFile file_b, open_model(b));
  return Differ(std::move(file_a), std::move(file_b), options).compare();
}

}  // namespace weightfs::ops
