// Names through the kernel: making, linking, renaming, removing, listing.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <set>

#include "mount_test_base.h"

namespace weightfs::mount {
namespace {

class Names : public MountTest {
 protected:
  int rename(std::string_view from, std::string_view to, unsigned flags = 0) {
    return error_of(::renameat2(AT_FDCWD, path(from).c_str(), AT_FDCWD, path(to).c_str(), flags));
  }
  bool exists(std::string_view name) { return ::access(path(name).c_str(), F_OK) == 0; }
};

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};
using Directory = std::unique_ptr<DIR, CloseDirectory>;

std::multiset<std::string> list(const std::string& path) {
  std::multiset<std::string> names;
  const Directory directory(::opendir(path.c_str()));
  while (const dirent* entry = ::readdir(directory.get())) names.insert(entry->d_name);
  return names;
}

TEST_F(Names, CreateExclusivelyRefusesAnExistingFile) {
  write_file(path("a"), "1");
  EXPECT_EQ(error_of(::open(path("a").c_str(), O_CREAT | O_EXCL | O_WRONLY, 0644)), EEXIST);
}

TEST_F(Names, ANameThatWasMissingIsFoundOnceItIsMade) {
  EXPECT_FALSE(exists("later"));
  write_file(path("later"), "1");
  EXPECT_TRUE(exists("later"));
}

TEST_F(Names, RenameReplacesAFileAtomically) {
  write_file(path("a"), "new");
  write_file(path("b"), "old");
  const UniqueFd old_file = must_open(path("b"), O_RDONLY);
  EXPECT_EQ(rename("a", "b"), 0);
  EXPECT_FALSE(exists("a"));
  EXPECT_EQ(read_file(path("b")), "new");
  char buffer[8] = {};
  EXPECT_EQ(::pread(old_file.get(), buffer, sizeof buffer, 0), 3);
  EXPECT_STREQ(buffer, "old");
}

TEST_F(Names, RenameNoReplaceRefusesAnExistingTarget) {
  write_file(path("a"), "1");
  write_file(path("b"), "2");
  EXPECT_EQ(rename("a", "b", RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(read_file(path("b")), "2");
  EXPECT_EQ(rename("a", "c", RENAME_NOREPLACE), 0);
}

TEST_F(Names, RenameExchangeSwapsAFileAndADirectory) {
  write_file(path("file"), "1");
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
  write_file(path("dir/inside"), "2");
  EXPECT_EQ(rename("file", "dir", RENAME_EXCHANGE), 0);
  EXPECT_EQ(read_file(path("dir")), "1");
  EXPECT_EQ(read_file(path("file/inside")), "2");
}

TEST_F(Names, RenameRefusesToPutADirectoryIntoItself) {
  ASSERT_EQ(::mkdir(path("a").c_str(), 0755), 0);
  EXPECT_EQ(rename("a", "a/b"), EINVAL);
}

TEST_F(Names, RenameRefusesADirectoryThatIsNotEmpty) {
  ASSERT_EQ(::mkdir(path("a").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(path("b").c_str(), 0755), 0);
  write_file(path("b/inside"), "");
  EXPECT_EQ(rename("a", "b"), ENOTEMPTY);
}

TEST_F(Names, AHardLinkSharesContentAndCountsLinks) {
  write_file(path("a"), "1");
  ASSERT_EQ(::link(path("a").c_str(), path("b").c_str()), 0);
  EXPECT_EQ(must_stat(path("a")).st_ino, must_stat(path("b")).st_ino);
  EXPECT_EQ(must_stat(path("a")).st_nlink, 2U);
  write_file(path("b"), "changed");
  EXPECT_EQ(read_file(path("a")), "changed");
  ASSERT_EQ(::unlink(path("a").c_str()), 0);
  EXPECT_EQ(must_stat(path("b")).st_nlink, 1U);
}

TEST_F(Names, ASymlinkKeepsItsTarget) {
  const std::string target(4000, 'x');
  ASSERT_EQ(::symlink(target.c_str(), path("link").c_str()), 0);
  remount();
  std::string read_back(5000, '\0');
  EXPECT_EQ(::readlink(path("link").c_str(), read_back.data(), read_back.size()), 4000);
  EXPECT_TRUE(read_back.starts_with(target));
  EXPECT_EQ(must_stat(path("link")).st_size, 4000);
}

TEST_F(Names, FifosSocketsAndDevicesKeepTheirType) {
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mknod(path("null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  UniqueFd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path("socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener.get(), std::bit_cast<const sockaddr*>(&address), sizeof address), 0);
  listener.reset();  // a bound socket keeps the mount in use
  remount();
  EXPECT_TRUE(S_ISFIFO(must_stat(path("fifo")).st_mode));
  EXPECT_TRUE(S_ISSOCK(must_stat(path("socket")).st_mode));
  EXPECT_EQ(must_stat(path("null")).st_rdev, makedev(1, 3));
  const UniqueFd null = must_open(path("null"), O_WRONLY);
  EXPECT_EQ(::write(null.get(), "x", 1), 1);
}

TEST_F(Names, AnUnlinkedFileLivesAsLongAsItIsOpen) {
  const UniqueFd fd = must_open(path("a"), O_RDWR | O_CREAT);
  ASSERT_TRUE(write_exactly(fd.get(), 0, bytes_of("kept")));
  ASSERT_EQ(::unlink(path("a").c_str()), 0);
  seal();
  char buffer[8] = {};
  EXPECT_EQ(::pread(fd.get(), buffer, sizeof buffer, 0), 4);
  EXPECT_STREQ(buffer, "kept");
  EXPECT_EQ(::pwrite(fd.get(), "more", 4, 4), 4);
  struct stat status {};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_nlink, 0U);
  EXPECT_EQ(status.st_size, 8);
}

TEST_F(Names, AcceptsAnyBytesUpTo255) {
  const std::string longest(255, '\xFF');
  write_file(path(longest), "1");
  write_file(path("\x01\n\\ \"'"), "2");
  remount();
  EXPECT_EQ(read_file(path(longest)), "1");
  EXPECT_EQ(read_file(path("\x01\n\\ \"'")), "2");
  EXPECT_EQ(error_of(::open(path(longest + "x").c_str(), O_CREAT | O_WRONLY, 0644)), ENAMETOOLONG);
}

TEST_F(Names, RemovingADirectoryNeedsItEmpty) {
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
  write_file(path("dir/inside"), "");
  EXPECT_EQ(error_of(::rmdir(path("dir").c_str())), ENOTEMPTY);
  EXPECT_EQ(error_of(::unlink(path("dir").c_str())), EISDIR);
  ASSERT_EQ(::unlink(path("dir/inside").c_str()), 0);
  EXPECT_EQ(::rmdir(path("dir").c_str()), 0);
}

TEST_F(Names, DirectoriesCountTheirSubdirectoriesAsLinks) {
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
  ASSERT_EQ(::mkdir(path("dir/sub").c_str(), 0755), 0);
  EXPECT_EQ(must_stat(path("dir")).st_nlink, 3U);
}

TEST_F(Names, ListsItsParentAndItself) {
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
  write_file(path("dir/a"), "");
  EXPECT_EQ(list(path("dir")), (std::multiset<std::string>{".", "..", "a"}));
}

TEST_F(Names, ListingFollowsChanges) {
  write_file(path("a"), "");
  EXPECT_EQ(list(mount_point()).count("a"), 1U);
  ASSERT_EQ(::unlink(path("a").c_str()), 0);
  write_file(path("b"), "");
  EXPECT_EQ(list(mount_point()).count("a"), 0U);
  EXPECT_EQ(list(mount_point()).count("b"), 1U);
}

TEST_F(Names, AListingThatIsRemovedWhileItGoesOnSeesEachStayingNameOnce) {
  constexpr int kCount = 5000;
  for (int i = 0; i < kCount; ++i) write_file(path("f" + std::to_string(i)), "");
  const Directory directory(::opendir(mount_point().c_str()));
  std::multiset<std::string> seen;
  int position = 0;
  while (const dirent* entry = ::readdir(directory.get())) {
    seen.insert(entry->d_name);
    if (++position % 3 != 0) continue;
    ASSERT_EQ(::unlink(path("f" + std::to_string(position - 1)).c_str()), 0);
  }
  for (const auto& name : list(mount_point())) EXPECT_EQ(seen.count(name), 1U) << name;
}

TEST_F(Names, SeekingInADirectoryFindsTheSamePlaceAgain) {
  for (int i = 0; i < 1000; ++i) write_file(path("f" + std::to_string(i)), "");
  const Directory directory(::opendir(mount_point().c_str()));
  for (int i = 0; i < 300; ++i) ASSERT_NE(::readdir(directory.get()), nullptr);
  const long place = ::telldir(directory.get());
  const std::string expected = ::readdir(directory.get())->d_name;
  while (::readdir(directory.get()) != nullptr) {
  }
  write_file(path("new"), "");
  ::seekdir(directory.get(), place);
  EXPECT_EQ(::readdir(directory.get())->d_name, expected);
}

// What an NFS server does.
TEST_F(Names, AFileHandleOutlivesItsNameInTheCache) {
  ASSERT_EQ(::mkdir(path("dir").c_str(), 0755), 0);
  write_file(path("dir/f"), "content");
  alignas(file_handle) char storage[sizeof(file_handle) + MAX_HANDLE_SZ] = {};
  file_handle* handle = new (storage) file_handle{};
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount_id = 0;
  ASSERT_EQ(::name_to_handle_at(AT_FDCWD, path("dir/f").c_str(), handle, &mount_id, 0), 0);
  remount();
  const UniqueFd root = must_open(mount_point(), O_RDONLY | O_DIRECTORY);
  const UniqueFd fd(::open_by_handle_at(root.get(), handle, O_RDONLY));
  ASSERT_TRUE(fd) << std::strerror(errno);
  char buffer[8] = {};
  EXPECT_EQ(::pread(fd.get(), buffer, 7, 0), 7);
  EXPECT_STREQ(buffer, "content");
}

}  // namespace
}  // namespace weightfs::mount
