// What libfuse has to say.
#pragma once

#include <string>

namespace weightfs::mount {

// While one exists, libfuse's messages are collected for an error of ours; otherwise they are
// logged. One at a time.
class LibfuseLog {
 public:
  LibfuseLog();
  ~LibfuseLog();
  LibfuseLog(const LibfuseLog&) = delete;
  LibfuseLog& operator=(const LibfuseLog&) = delete;

  // Everything so far, in one line.
  std::string text() const;
};

}  // namespace weightfs::mount
