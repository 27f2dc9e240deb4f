// A file outside of the store's own code: opened, parsed, and read piece by piece.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "weightfs/base/fd.h"
#include "weightfs/base/worker_pool.h"
#include "weightfs/format/format.h"

namespace weightfs::ops {

// The files in one directory of the machine.
class DirectoryNeighbours final : public format::Neighbours {
 public:
  explicit DirectoryNeighbours(std::string directory) : directory_(std::move(directory)) {}
  std::shared_ptr<const ByteSource> open(std::string_view name) const override;
  std::vector<std::string> names() const override;

 private:
  std::string directory_;
};

struct ModelFile {
  std::unique_ptr<FdSource> source;
  Layout layout;
};
// Code::invalid for what is not a regular file.
Result<ModelFile> open_model(const std::string& path);

// A name for a run of bytes, equal for equal bytes: the content id of a run of up to 256 KiB; of a
// longer one, that of the encoded content ids of its 256 KiB pieces. 32 hexadecimal digits.
// `advance` is told, from several threads, what was read.
Result<std::string> tensor_content_id(const ByteSource& source, const Tensor& tensor,
                                      WorkerPool& workers,
                                      const std::function<void(std::uint64_t)>& advance);

// Workers for `wanted` threads in all (0: one per core), of which the caller is one.
WorkerPoolOptions pool_of(std::size_t wanted);

}  // namespace weightfs::ops
