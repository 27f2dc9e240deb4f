#include "model_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <mutex>
#include <thread>

#include "weightfs/base/parallel.h"
#include "weightfs/hash/content_id.h"

namespace weightfs::ops {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{256} << 10;

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == name.npos;
}

// O_NONBLOCK: a fifo must not make the open wait; reading regular files ignores it.
Result<std::unique_ptr<FdSource>> open_regular(const std::string& path) {
  WEIGHTFS_ASSIGN(UniqueFd fd, open_file(path, O_RDONLY | O_NONBLOCK));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_errno(errno, path);
  if (!S_ISREG(status.st_mode)) return fail(Code::invalid, path + " is not a regular file");
  return std::make_unique<FdSource>(std::move(fd), static_cast<std::uint64_t>(status.st_size));
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

std::shared_ptr<const ByteSource> DirectoryNeighbours::open(std::string_view name) const {
  if (!is_plain_name(name)) return nullptr;
  auto source = open_regular(directory_ + "/" + std::string(name));
  if (!source) return nullptr;
  return std::shared_ptr<const ByteSource>(std::move(*source));
}

std::vector<std::string> DirectoryNeighbours::names() const {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(directory_.c_str()));
  if (!directory) return names;
  while (const dirent* entry = ::readdir(directory.get())) {
    if (is_plain_name(entry->d_name)) names.emplace_back(entry->d_name);
  }
  return names;
}

Result<ModelFile> open_model(const std::string& path) {
  WEIGHTFS_ASSIGN(std::unique_ptr<FdSource> source, open_regular(path));
  const DirectoryNeighbours neighbours(directory_of(path));
  Layout layout = format::detect_layout(*source, path.substr(path.rfind('/') + 1), &neighbours);
  if (const Status valid = validated(layout, source->size_bytes()); !valid) {
    layout = opaque_layout(source->size_bytes(), valid.error().message);
  }
  return ModelFile{std::move(source), std::move(layout)};
}

Result<std::string> tensor_content_id(const ByteSource& source, const Tensor& tensor,
                                      WorkerPool& workers,
                                      const std::function<void(std::uint64_t)>& advance) {
  const auto piece_count =
      static_cast<std::size_t>((tensor.length_bytes + kPieceBytes - 1) / kPieceBytes);
  std::vector<ContentId> pieces(piece_count);
  Status outcome;
  std::mutex mutex;  // protects outcome
  parallel_for(workers, piece_count, [&](std::size_t i) {
    const std::uint64_t begin = i * kPieceBytes;
    thread_local ByteVector bytes;
    bytes.resize(static_cast<std::size_t>(std::min(kPieceBytes, tensor.length_bytes - begin)));
    if (Status read = source.read_at(tensor.offset_bytes + begin, bytes); !read) {
      const std::lock_guard guard(mutex);
      outcome = std::move(read);
      return;
    }
    pieces[i] = content_id(bytes);
    if (advance) advance(bytes.size());
  });
  WEIGHTFS_TRY(std::move(outcome));
  ContentId whole = piece_count == 1 ? pieces[0] : ContentId{};
  if (piece_count != 1) {
    std::string encoded;
    for (const ContentId& piece : pieces) encoded += piece.encoded();
    whole = content_id(bytes_of(encoded));
  }
  constexpr std::size_t kHashDigits = 32;
  return whole.to_text().substr(0, kHashDigits);
}

WorkerPoolOptions pool_of(std::size_t wanted) {
  const std::size_t threads =
      wanted > 0 ? wanted : std::max(1U, std::thread::hardware_concurrency());
  return {.name = "ops", .thread_count = threads - 1};
}

}  // namespace weightfs::ops
