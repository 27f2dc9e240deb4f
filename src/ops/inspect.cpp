#include "weightfs/ops/inspect.h"

#include <map>

#include "model_file.h"
#include "progress_meter.h"
#include "weightfs/ops/file_storage.h"

namespace weightfs::ops {
namespace {

void count_extents(const Layout& layout, Inspection& inspection) {
  for (const Extent& extent : layout.extents) {
    const bool opaque = extent.dtype == Dtype::opaque;
    (opaque ? inspection.opaque_bytes : inspection.tensor_bytes) += extent.length_bytes;
  }
}

Status read_tensor(const ByteSource& source, const InspectOptions& options, WorkerPool& workers,
                   ProgressMeter& meter, InspectedTensor& inspected) {
  const Tensor& tensor = inspected.tensor;
  const auto advance = [&meter](std::uint64_t bytes) { meter.add_bytes(bytes); };
  meter.begin_item(tensor.name);
  if (options.content_ids && tensor.length_bytes > 0) {
    WEIGHTFS_ASSIGN(inspected.content_id, tensor_content_id(source, tensor, workers, advance));
  }
  if (options.statistics) {
    const char* why = nullptr;
    if (has_readable_values(tensor, &why)) {
      WEIGHTFS_ASSIGN(inspected.statistics, tensor_statistics(source, tensor, workers, advance));
    } else {
      inspected.no_statistics_reason = why;
    }
  }
  meter.end_item();
  return {};
}

std::uint64_t bytes_to_read(const Inspection& inspection, const InspectOptions& options) {
  std::uint64_t bytes = 0;
  for (const InspectedTensor& inspected : inspection.tensors) {
    if (options.content_ids) bytes += inspected.tensor.length_bytes;
    if (options.statistics && has_readable_values(inspected.tensor)) {
      bytes += inspected.tensor.length_bytes;
    }
  }
  return bytes;
}

// What only the daemon knows. Without one, or without the right to ask it, there is nothing to add.
void add_storage(const std::string& path, Inspection& inspection) {
  const auto file = mounted_file_storage(path);
  if (!file || !file->is_sealed) return;
  inspection.stored_bytes = file->stored_bytes;
  const auto tensors = mounted_tensor_storage(path);
  if (!tensors) return;
  std::map<std::pair<std::uint64_t, std::uint64_t>, const TensorStorage*> by_place;
  for (const TensorStorage& tensor : *tensors) {
    by_place[{tensor.offset_bytes, tensor.length_bytes}] = &tensor;
  }
  for (InspectedTensor& inspected : inspection.tensors) {
    const auto found =
        by_place.find({inspected.tensor.offset_bytes, inspected.tensor.length_bytes});
    if (found == by_place.end()) continue;
    inspected.stored_bytes = found->second->stored_bytes;
    inspected.shared_with = found->second->shared_with;
  }
}

}  // namespace

Result<Inspection> inspect_file(const std::string& path, const InspectOptions& options) {
  WEIGHTFS_ASSIGN(ModelFile file, open_model(path));
  Inspection inspection;
  inspection.path = path;
  inspection.size_bytes = file.source->size_bytes();
  inspection.format = file.layout.format;
  inspection.opaque_reason = file.layout.opaque_reason;
  inspection.metadata = std::move(file.layout.metadata);
  count_extents(file.layout, inspection);
  for (Tensor& tensor : file.layout.tensors) {
    inspection.tensors.emplace_back().tensor = std::move(tensor);
  }
  ProgressMeter meter(options.progress);
  meter.add_total(bytes_to_read(inspection, options), inspection.tensors.size());
  WorkerPool workers(pool_of(options.worker_count));
  for (InspectedTensor& inspected : inspection.tensors) {
    WEIGHTFS_TRY(read_tensor(*file.source, options, workers, meter, inspected));
  }
  add_storage(path, inspection);
  return inspection;
}

}  // namespace weightfs::ops
