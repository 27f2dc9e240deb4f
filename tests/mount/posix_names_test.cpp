// rename, link and directories: every pair of types, link counts, and open files without a name.
#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <map>

#include "posix_test_base.h"

namespace weightfs::mount {
namespace {

class PosixNames : public PosixTest {
 protected:
  static int rename(const std::string& from, const std::string& to, unsigned flags = 0) {
    return error_of(::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), flags));
  }
  static bool exists(const std::string& path) {
    struct stat status {};
    return ::lstat(path.c_str(), &status) == 0;
  }
  static ino_t inode_of(const std::string& path) { return must_stat(path).st_ino; }
};

TEST_F(PosixNames, RenameMovesAndReplacesEveryTypeByEveryOther) {
  for (const FileType from_type : kFileTypes) {
    for (const FileType to_type : kFileTypes) {
      const std::string from = make(from_type, "from");
      const std::string to = make(to_type, "to");
      const ino_t inode = inode_of(from);
      const bool from_directory = from_type == FileType::directory;
      const bool to_directory = to_type == FileType::directory;
      const int expected = from_directory == to_directory ? 0 : from_directory ? ENOTDIR : EISDIR;
      EXPECT_EQ(rename(from, to), expected) << name_of(from_type) << " over " << name_of(to_type);
      EXPECT_EQ(exists(from), expected != 0);
      EXPECT_EQ(inode_of(expected == 0 ? to : from), inode);
      if (expected != 0) remove(from);
      remove(to);
    }
  }
}

TEST_F(PosixNames, ExchangeSwapsEveryTypeWithEveryOther) {
  for (const FileType a_type : kFileTypes) {
    for (const FileType b_type : kFileTypes) {
      make_directory("one");
      make_directory("two");
      const std::string a = make(a_type, "one/a");
      const std::string b = make(b_type, "two/b");
      const ino_t a_inode = inode_of(a);
      const ino_t b_inode = inode_of(b);
      EXPECT_EQ(rename(a, b, RENAME_EXCHANGE), 0);
      EXPECT_EQ(inode_of(a), b_inode);
      EXPECT_EQ(inode_of(b), a_inode);
      EXPECT_EQ(must_stat(at("one")).st_nlink, b_type == FileType::directory ? 3U : 2U);
      EXPECT_EQ(must_stat(at("two")).st_nlink, a_type == FileType::directory ? 3U : 2U);
      std::filesystem::remove_all(at("one"));
      std::filesystem::remove_all(at("two"));
    }
  }
}

TEST_F(PosixNames, RenameLeavesAWhiteoutWhereItIsAskedTo) {
  for (const FileType type : kFileTypes) {
    const std::string from = make(type, "from");
    const std::string to = make_directory("parent") + "/to";
    const nlink_t links = must_stat(root()).st_nlink;
    EXPECT_EQ(rename(from, to, RENAME_WHITEOUT | RENAME_EXCHANGE), EINVAL);
    EXPECT_EQ(rename(from, to, RENAME_WHITEOUT), 0) << name_of(type);
    const struct stat whiteout = must_stat(from);
    EXPECT_EQ(whiteout.st_mode, static_cast<mode_t>(S_IFCHR)) << name_of(type);
    EXPECT_EQ(whiteout.st_rdev, 0U);
    EXPECT_EQ(whiteout.st_nlink, 1U);
    EXPECT_EQ(must_stat(root()).st_nlink, type == FileType::directory ? links - 1 : links);
    EXPECT_TRUE(exists(to));
    EXPECT_EQ(rename(from, to, RENAME_WHITEOUT | RENAME_NOREPLACE), EEXIST);
    remove(from);
    remove(to);
    remove(at("parent"));
  }
}

TEST_F(PosixNames, RenameRefusesWhatCanNotBe) {
  const std::string file = make_file("file");
  const std::string directory = make_directory("directory");
  make_directory("directory/sub");
  EXPECT_EQ(rename(directory, directory + "/sub/new"), EINVAL);
  EXPECT_EQ(rename(directory, directory + "/new"), EINVAL);
  EXPECT_EQ(rename(directory + "/sub", directory), ENOTEMPTY);
  EXPECT_EQ(rename(directory + "/sub/.", at("new")), EBUSY);
  EXPECT_EQ(rename(directory + "/sub/..", at("new")), EBUSY);
  EXPECT_EQ(rename(make_directory("empty"), directory), ENOTEMPTY);
  EXPECT_EQ(rename(file, at("missing"), RENAME_EXCHANGE), ENOENT);
  EXPECT_EQ(rename(file, directory, RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(rename(file, file, RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(rename(file, directory, RENAME_NOREPLACE | RENAME_EXCHANGE), EINVAL);
  EXPECT_EQ(rename(file, "/dev/shm/weightfs-elsewhere"), EXDEV);
  EXPECT_EQ(error_of(::link(file.c_str(), "/dev/shm/weightfs-elsewhere")), EXDEV);
  EXPECT_EQ(rename(file, directory + "/sub/"), ENOTDIR);
  EXPECT_EQ(rename(directory, directory + "/sub", RENAME_EXCHANGE), EINVAL);
  EXPECT_EQ(rename(directory + "/sub", directory, RENAME_EXCHANGE), EINVAL);
}

TEST_F(PosixNames, RenameOverAnotherNameOfTheSameFileKeepsBoth) {
  const std::string a = make_file("a", "1");
  const std::string b = at("b");
  ASSERT_EQ(::link(a.c_str(), b.c_str()), 0);
  EXPECT_EQ(rename(a, b), 0);
  EXPECT_TRUE(exists(a));
  EXPECT_EQ(must_stat(b).st_nlink, 2U);
}

TEST_F(PosixNames, MovingADirectoryMovesItsParentLink) {
  const User owner{.uid = 65500, .gid = 65500, .groups = {}};
  const std::string from = make_directory("from", 0777);
  const std::string to = make_directory("to", 0777);
  const std::string moved = make_directory("from/moved");
  // A directory of somebody else can't be moved: its ".." would change.
  EXPECT_EQ(as(owner, [&] { return rename(moved, to + "/moved"); }), EACCES);
  EXPECT_EQ(as(owner, [&] { return rename(moved, from + "/renamed"); }), 0);
  EXPECT_EQ(rename(from + "/renamed", to + "/moved"), 0);
  EXPECT_EQ(inode_of(to + "/moved/.."), inode_of(to));
}

TEST_F(PosixNames, LinksCountForEveryTypeButDirectories) {
  for (const FileType type : kFileTypes) {
    const std::string path = make(type, name_of(type));
    const std::string other = path + "-2";
    if (type == FileType::directory) {
      EXPECT_EQ(error_of(::link(path.c_str(), other.c_str())), EPERM);
      continue;
    }
    EXPECT_EQ(error_of(::link(path.c_str(), other.c_str())), 0) << name_of(type);
    EXPECT_EQ(inode_of(path), inode_of(other));
    EXPECT_EQ(must_stat(path).st_nlink, 2U);
    ASSERT_EQ(::lchown(other.c_str(), 12, 34), 0);
    EXPECT_EQ(must_stat(path).st_uid, 12U);
    remove(path);
    EXPECT_EQ(must_stat(other).st_nlink, 1U);
    remove(other);
    EXPECT_FALSE(exists(other));
  }
}

TEST_F(PosixNames, AFileWithoutANameKeepsItsContentAndTakesNoNewOne) {
  const std::string path = make_file("file", "content");
  const UniqueFd fd = must_open(path, O_RDWR);
  remove(path);
  struct stat status {};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_nlink, 0U);
  EXPECT_EQ(::ftruncate(fd.get(), 3), 0);
  EXPECT_EQ(::fchmod(fd.get(), 0600), 0);
  EXPECT_EQ(::fsync(fd.get()), 0);
  char buffer[10] = {};
  EXPECT_EQ(::pread(fd.get(), buffer, sizeof buffer, 0), 3);
  EXPECT_STREQ(buffer, "con");
  const std::string by_descriptor = "/proc/self/fd/" + std::to_string(fd.get());
  EXPECT_EQ(error_of(::linkat(AT_FDCWD, by_descriptor.c_str(), AT_FDCWD, at("again").c_str(),
                              AT_SYMLINK_FOLLOW)),
            ENOENT);
}

TEST_F(PosixNames, ADirectoryWithoutANameIsEmptyAndTakesNoEntries) {
  const std::string path = make_directory("directory");
  const UniqueFd fd = must_open(path, O_RDONLY | O_DIRECTORY);
  remove(path);
  EXPECT_EQ(error_of(::openat(fd.get(), "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0644)), ENOENT);
  EXPECT_EQ(error_of(::mkdirat(fd.get(), "new", 0755)), ENOENT);
  struct stat status {};
  ASSERT_EQ(::fstat(fd.get(), &status), 0);
  EXPECT_EQ(status.st_nlink, 0U);
}

TEST_F(PosixNames, ListingSaysTheTypeOfEveryEntry) {
  std::map<std::string, unsigned char> expected = {{".", DT_DIR}, {"..", DT_DIR}};
  for (const FileType type : kFileTypes) {
    const std::string path = make(type, name_of(type));
    expected[name_of(type)] = static_cast<unsigned char>(IFTODT(must_stat(path).st_mode));
  }
  std::map<std::string, unsigned char> found;
  DIR* stream = ::opendir(root().c_str());
  while (const dirent* entry = ::readdir(stream)) found[entry->d_name] = entry->d_type;
  ::closedir(stream);
  EXPECT_EQ(found, expected);
}

TEST_F(PosixNames, RewindingADirectoryShowsWhatWasMadeSince) {
  DIR* stream = ::opendir(root().c_str());
  while (::readdir(stream) != nullptr) {
  }
  (void)make_file("new");
  ::rewinddir(stream);
  unsigned count = 0;
  while (::readdir(stream) != nullptr) ++count;
  ::closedir(stream);
  EXPECT_EQ(count, 3U);
}

// A listing ends, though every entry that it shows gets a new place behind it.
TEST_F(PosixNames, RenamingWhatIsListedDoesNotGoOnForEver) {
  constexpr unsigned kCount = 2000;
  for (unsigned i = 0; i < kCount; ++i) (void)make_file("file" + std::to_string(i));
  DIR* stream = ::opendir(root().c_str());
  unsigned seen = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    ASSERT_LT(++seen, 3 * kCount);
    ASSERT_EQ(rename(at(name), at("temporary")), 0);
    ASSERT_EQ(rename(at("temporary"), at(name)), 0);
  }
  ::closedir(stream);
  EXPECT_GE(seen, kCount);
}

// Every place that telldir(3) gave leads back to the entry that followed it.
TEST_F(PosixNames, EveryPlaceInADirectoryCanBeFoundAgain) {
  for (int i = 0; i < 300; ++i) (void)make_file("file" + std::to_string(i));
  DIR* stream = ::opendir(root().c_str());
  std::vector<std::pair<long, std::string>> places;
  for (;;) {
    const long place = ::telldir(stream);
    const dirent* entry = ::readdir(stream);
    if (entry == nullptr) break;
    places.emplace_back(place, entry->d_name);
  }
  EXPECT_EQ(places.size(), 302U);
  for (auto place = places.rbegin(); place != places.rend(); ++place) {
    ::seekdir(stream, place->first);
    const dirent* entry = ::readdir(stream);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->d_name, place->second);
  }
  ::closedir(stream);
}

}  // namespace
}  // namespace weightfs::mount
