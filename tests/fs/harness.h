// A file system on a store of its own, that a test can close and open again.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "../support/temporary_directory.h"
#include "weightfs/fs/filesystem.h"
#include "weightfs/store/blob_store.h"

namespace weightfs::fs {

inline std::string describe(const Error& error) {
  return std::string(code_name(error.code)) + ": " + error.message;
}

// The value of a Result that must have one.
template <class T>
T must(Result<T> result) {
  if (!result) {
    ADD_FAILURE() << describe(result.error());
    std::abort();
  }
  return std::move(*result);
}
inline void must(const Status& status) {
  if (!status) ADD_FAILURE() << describe(status.error());
}

class Harness {
 public:
  explicit Harness(FilesystemOptions options = {}) : options_(options) { open(); }

  Filesystem* operator->() { return filesystem_.get(); }
  Filesystem& get() { return *filesystem_; }
  void open() { filesystem_ = must(Filesystem::open(store_path(), options_)); }
  void reopen() {
    filesystem_.reset();
    open();
  }
  void close() { filesystem_.reset(); }
  std::string store_path() const { return directory_ / "store"; }

  // The file `name` in the root, made with `content`.
  InodeNumber make_file(const std::string& name, std::string_view content) {
    const auto made = must(filesystem_->create(kRootInode, name, 0644, O_RDWR, {}));
    if (!content.empty()) must(filesystem_->write(made.handle, 0, bytes_of(content)));
    filesystem_->release(made.handle);
    return made.attributes.inode;
  }

  std::string read_all(InodeNumber inode) {
    const Handle handle = must(filesystem_->open_file(inode, O_RDONLY));
    const std::uint64_t size = must(filesystem_->get_attributes(inode)).size_bytes;
    std::string text = read(handle, 0, size);
    filesystem_->release(handle);
    return text;
  }

  std::string read(Handle handle, std::uint64_t offset, std::size_t size) {
    const ReadResult result = must(filesystem_->read(handle, offset, size));
    std::string text;
    for (const Segment& segment : result.segments) text += text_of(segment.bytes);
    return text;
  }

  // The encoded bytes of all blobs, when everything is sealed.
  std::uint64_t stored_bytes() {
    must(filesystem_->sync_all());
    std::uint64_t bytes = 0;
    must(filesystem_->blobs().for_each(store::BlobId::none, [&](const store::BlobRecord& blob) {
      bytes += blob.encoded_bytes;
      return true;
    }));
    return bytes;
  }

 private:
  FilesystemOptions options_;
  testing::TemporaryDirectory directory_;
  std::unique_ptr<Filesystem> filesystem_;
};

inline std::string random_text(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text(size, '\0');
  for (char& byte : text) byte = static_cast<char>(random());
  return text;
}

}  // namespace weightfs::fs
