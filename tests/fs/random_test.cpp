// Random operations on a few files against a model in memory, with seals and remounts between them.
// WEIGHTFS_SEED and WEIGHTFS_STEPS choose the run; the seed is printed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "harness.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kLargestFile = 1'500'000;
constexpr int kFileCount = 4;

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < kFileCount; ++i) names_.push_back("file" + std::to_string(i));
    for (const std::string& name : names_) contents_[name] = (fs_.make_file(name, ""), "");
  }

  void step() {
    const std::string& name = names_[random_() % names_.size()];
    switch (random_() % 14) {
      case 0:
      case 1:
      case 2:
      case 3:
        write(name);
        break;
      case 4:
        truncate(name);
        break;
      case 5:
        punch(name, AllocateKind::punch_hole);
        break;
      case 6:
        punch(name, AllocateKind::zero_range);
        break;
      case 7:
        allocate(name);
        break;
      case 8:
        copy(name, names_[random_() % names_.size()]);
        break;
      case 9:
        check(name);
        break;
      case 10:
        replace(name);
        break;
      case 11:
        sync(name);
        break;
      case 12:
        if (random_() % 8 == 0) must(fs_->sync_all());
        break;
      case 13:
        if (random_() % 40 == 0) fs_.reopen();
        break;
    }
    check_part(name);
  }

  void check_everything() {
    for (const std::string& name : names_) check(name);
  }

 private:
  InodeNumber inode_of(const std::string& name) {
    return must(fs_->lookup(kRootInode, name)).inode;
  }
  Handle open(const std::string& name) { return must(fs_->open_file(inode_of(name), O_RDWR)); }
  std::size_t offset() { return random_() % kLargestFile; }
  std::size_t length() {
    const std::size_t scale = std::size_t{1} << (random_() % 19);
    return 1 + random_() % scale;
  }

  void write(const std::string& name) {
    std::string& content = contents_[name];
    const std::size_t at = random_() % 3 == 0 ? content.size() : offset();
    const std::string data =
        random_() % 4 == 0 ? std::string(length(), '\0') : random_text(length(), random_());
    if (at + data.size() > kLargestFile) return;
    const Handle handle = open(name);
    EXPECT_EQ(must(fs_->write(handle, at, bytes_of(data))), data.size());
    fs_->release(handle);
    if (content.size() < at + data.size()) content.resize(at + data.size());
    content.replace(at, data.size(), data);
  }

  void truncate(const std::string& name) {
    SetAttributes changes;
    changes.size_bytes = random_() % 5 == 0 ? 0 : offset();
    must(fs_->set_attributes(inode_of(name), changes));
    contents_[name].resize(*changes.size_bytes);
  }

  void punch(const std::string& name, AllocateKind kind) {
    std::string& content = contents_[name];
    const std::size_t at = offset();
    const std::size_t size = length();
    if (at + size > kLargestFile) return;
    const Handle handle = open(name);
    must(fs_->allocate(handle, kind, at, size));
    fs_->release(handle);
    if (kind == AllocateKind::zero_range && content.size() < at + size) content.resize(at + size);
    for (std::size_t i = at; i < std::min(at + size, content.size()); ++i) content[i] = '\0';
  }

  void allocate(const std::string& name) {
    const std::size_t at = offset();
    const Handle handle = open(name);
    must(fs_->allocate(handle, AllocateKind::allocate, at, 1000));
    fs_->release(handle);
    if (contents_[name].size() < at + 1000) contents_[name].resize(at + 1000);
  }

  void copy(const std::string& from, const std::string& to) {
    if (from == to || contents_[from].empty()) return;
    const bool whole = random_() % 2 == 0;
    const std::size_t begin = whole ? 0 : random_() % contents_[from].size();
    std::size_t size = whole ? contents_[from].size() : length();
    const std::size_t at = whole ? 0 : random_() % 3 == 0 ? contents_[to].size() : offset();
    size = std::min(size, contents_[from].size() - begin);
    if (at + size > kLargestFile) return;
    const Handle source = open(from);
    const Handle target = open(to);
    const std::uint64_t copied = must(fs_->copy_range({.source = source,
                                                       .source_offset_bytes = begin,
                                                       .target = target,
                                                       .target_offset_bytes = at,
                                                       .length_bytes = size}));
    fs_->release(source);
    fs_->release(target);
    EXPECT_LE(copied, size);
    std::string& content = contents_[to];
    if (copied > 0 && content.size() < at + copied) content.resize(at + copied);
    content.replace(at, copied, contents_[from].substr(begin, copied));
  }

  void replace(const std::string& name) {
    const std::string content = random_text(length(), random_());
    fs_.make_file("temporary", content);
    must(fs_->rename({.old_parent = kRootInode,
                      .old_name = "temporary",
                      .new_parent = kRootInode,
                      .new_name = name}));
    contents_[name] = content;
  }

  void sync(const std::string& name) {
    const Handle handle = open(name);
    must(fs_->sync(handle));
    fs_->release(handle);
  }

  void check(const std::string& name) {
    ASSERT_EQ(must(fs_->lookup(kRootInode, name)).size_bytes, contents_[name].size()) << name;
    const std::string found = fs_.read_all(inode_of(name));
    ASSERT_TRUE(found == contents_[name]) << name << " differs";
  }

  void check_part(const std::string& name) {
    const std::string& content = contents_[name];
    if (content.empty()) return;
    const std::size_t at = random_() % content.size();
    const std::size_t size = length();
    const Handle handle = open(name);
    const std::string found = fs_.read(handle, at, size);
    fs_->release(handle);
    ASSERT_TRUE(found == content.substr(at, size)) << name << " differs at " << at;
  }

  std::mt19937_64 random_;
  Harness fs_{FilesystemOptions{.commit_interval_ms = 50, .seal_delay_ms = 5}};
  std::vector<std::string> names_;
  std::map<std::string, std::string> contents_;
};

TEST(RandomOperations, AgreeWithAModelInMemory) {
  const std::uint64_t seed = from_environment("WEIGHTFS_SEED", std::random_device{}());
  const std::uint64_t steps = from_environment("WEIGHTFS_STEPS", 5000);
  std::printf("WEIGHTFS_SEED=%llu\n", static_cast<unsigned long long>(seed));
  Model model(seed);
  for (std::uint64_t step = 0; step < steps && !::testing::Test::HasFailure(); ++step) model.step();
  model.check_everything();
}

}  // namespace
}  // namespace weightfs::fs
