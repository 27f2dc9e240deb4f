// What the conformance tests share: files of every type, other users, and a directory to work in.
//
// The directory is in a mount. With WEIGHTFS_REFERENCE_DIRECTORY=DIR it is in DIR instead: so the
// expectations themselves can be checked against the kernel's own file systems.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "mount_test_base.h"

namespace weightfs::mount {

struct User {
  uid_t uid = 65534;
  gid_t gid = 65534;
  std::vector<gid_t> groups;
};

inline const User kOwner{.uid = 65534, .gid = 65533, .groups = {65533}};
inline const User kStranger{.uid = 65532, .gid = 65531, .groups = {65531}};

// Runs `call` as another user and answers what it answers: an error number, or 0.
int as(const User& user, const std::function<int()>& call);

enum class FileType { regular, directory, fifo, block, character, socket, symlink };
constexpr FileType kFileTypes[] = {FileType::regular, FileType::directory, FileType::fifo,
                                   FileType::block,   FileType::character, FileType::socket,
                                   FileType::symlink};
const char* name_of(FileType type);

class PosixTest : public MountTest {
 protected:
  void SetUp() override;
  void TearDown() override;
  std::string mount_options() const override { return "allow_other"; }

  bool on_reference() const { return !reference_.empty(); }
  // A path in the directory to work in, which everybody may write to.
  std::string at(std::string_view name) const { return root_ + "/" + std::string(name); }
  const std::string& root() const { return root_; }
  void mount_read_only();

  // Makes a file of mode 0644 (a directory of 0755).
  std::string make(FileType type, std::string_view name);
  std::string make_file(std::string_view name, std::string_view content = {});
  std::string make_directory(std::string_view name, mode_t mode = 0755);
  void remove(const std::string& path);

 private:
  std::string reference_;
  std::string root_;
};

// Of "a", "m" and "c": which of the times differ.
std::string moved_times(const struct stat& before, const struct stat& after);
// Waits until clocks of file systems have moved on.
void let_time_pass();

}  // namespace weightfs::mount
