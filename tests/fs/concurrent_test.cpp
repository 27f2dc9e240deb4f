// Many threads on one file system, while it seals and commits. ThreadSanitizer runs over this.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <thread>

#include "crash_worker.h"
#include "harness.h"
#include "weightfs/store/blob_store.h"

namespace weightfs::fs {
namespace {

constexpr std::size_t kThreadCount = 64;
constexpr std::size_t kBytes = 200'000;

// Runs work(i) in as many threads, all at once.
void in_threads(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : threads) thread.join();
}

// What a file holds that is written whole, again and again: one byte, everywhere.
std::string filled(std::size_t generation) {
  return std::string(kBytes, static_cast<char>('a' + generation % 26));
}

bool is_filled(const std::string& content) {
  return content.find_first_not_of(content.empty() ? 'a' : content.front()) == std::string::npos;
}

std::string read_handle(Filesystem& filesystem, Handle handle) {
  std::string text;
  const ReadResult read = must(filesystem.read(handle, 0, kBytes));
  for (const Segment& segment : read.segments) text += text_of(segment.bytes);
  return text;
}

TEST(Concurrent, SixtyFourReadersAndWritersSeeTheirOwnBytes) {
  Harness fs(crash_options());
  in_threads(kThreadCount, [&fs](std::size_t i) {
    const std::string name = "file" + std::to_string(i);
    for (std::uint64_t round = 0; round < 3; ++round) {
      const std::string content = random_text(kBytes, i * 100 + round);
      const InodeNumber inode =
          round == 0 ? fs.make_file(name, content) : must(fs->lookup(kRootInode, name)).inode;
      const Handle handle = must(fs->open_file(inode, O_RDWR));
      must(fs->write(handle, 0, bytes_of(content)));
      EXPECT_TRUE(read_handle(fs.get(), handle) == content);
      if (i % 8 == 0) must(fs->sync(handle));
      EXPECT_TRUE(read_handle(fs.get(), handle) == content);
      fs->release(handle);
    }
  });
  must(fs->sync_all());
  fs.reopen();
  for (std::size_t i = 0; i < kThreadCount; ++i) {
    const InodeNumber inode = must(fs->lookup(kRootInode, "file" + std::to_string(i))).inode;
    EXPECT_TRUE(fs.read_all(inode) == random_text(kBytes, i * 100 + 2)) << i;
  }
}

TEST(Concurrent, AReaderSeesOneWriteOrAnotherDuringSeals) {
  Harness fs(crash_options());
  const InodeNumber inode = fs.make_file("file", filled(0));
  std::atomic<bool> stop{false};
  in_threads(8, [&](std::size_t i) {
    for (std::size_t round = 0; i == 0 && round < 60; ++round) {
      const Handle writer = must(fs->open_file(inode, O_RDWR));
      must(fs->write(writer, 0, bytes_of(filled(round))));
      fs->release(writer);
      must(fs->sync_all());
    }
    if (i == 0) stop = true;
    while (!stop) {
      const Handle reader = must(fs->open_file(inode, O_RDONLY));
      const std::string found = read_handle(fs.get(), reader);
      EXPECT_EQ(found.size(), kBytes);
      EXPECT_TRUE(is_filled(found));
      fs->release(reader);
    }
  });
}

TEST(Concurrent, AFileThatIsUnlinkedDuringItsSealIsReadToItsEnd) {
  Harness fs(crash_options());
  std::atomic<std::size_t> running{8};
  in_threads(9, [&](std::size_t i) {
    while (i == 8 && running > 0) must(fs->sync_all());
    for (std::size_t round = 0; i < 8 && round < 20; ++round) {
      const std::string name = "file" + std::to_string(i);
      const std::string content = random_text(kBytes, i * 100 + round);
      const InodeNumber inode = fs.make_file(name, content);
      const Handle handle = must(fs->open_file(inode, O_RDONLY));
      must(fs->unlink(kRootInode, name));
      EXPECT_TRUE(read_handle(fs.get(), handle) == content);
      fs->release(handle);
      fs->forget(inode, 1);
    }
    if (i < 8) --running;
  });
  must(fs->sync_all());
  must(fs->collect_garbage(/*dry_run=*/false));
  EXPECT_EQ(must(fs->blobs().stats()).blob_count, 0U);
}

TEST(Concurrent, ANameHasOldContentOrNewWhileFilesAreRenamedOverIt) {
  testing::TemporaryDirectory directory;
  {
    const auto filesystem = must(Filesystem::open(directory / "store", crash_options()));
    Filesystem& fs = *filesystem;
    const auto put = [&fs](const std::string& name, const std::string& content) {
      const auto made = must(fs.create(kRootInode, name, 0644, O_RDWR, {}));
      must(fs.write(made.handle, 0, bytes_of(content)));
      fs.release(made.handle);
      fs.forget(made.attributes.inode, 1);
    };
    put("target", filled(0));
    std::atomic<std::size_t> running{4};
    in_threads(9, [&](std::size_t i) {
      while (i == 8 && running > 0) must(fs.sync_all());
      for (std::size_t round = 0; i < 4 && round < 40; ++round) {
        const std::string name = "new" + std::to_string(i);
        put(name, filled(i * 7 + round));
        must(fs.rename({.old_parent = kRootInode,
                        .old_name = name,
                        .new_parent = kRootInode,
                        .new_name = "target"}));
      }
      if (i < 4) --running;
      while (i >= 4 && i < 8 && running > 0) {
        const Attributes found = must(fs.lookup(kRootInode, "target"));
        const auto handle = fs.open_file(found.inode, O_RDONLY);
        if (handle) {
          const std::string content = read_handle(fs, *handle);
          EXPECT_EQ(content.size(), kBytes);
          EXPECT_TRUE(is_filled(content));
          fs.release(*handle);
        }
        fs.forget(found.inode, 1);
      }
    });
  }
  expect_clean(directory / "store");
}

TEST(Concurrent, CopiesTruncatesAndWritesOfOneFileLeaveACleanStore) {
  testing::TemporaryDirectory directory;
  {
    const auto filesystem = must(Filesystem::open(directory / "store", crash_options()));
    Filesystem& fs = *filesystem;
    std::vector<InodeNumber> inodes;
    for (int i = 0; i < 3; ++i) {
      const auto made = must(fs.create(kRootInode, "file" + std::to_string(i), 0644, O_RDWR, {}));
      must(fs.write(made.handle, 0, bytes_of(random_text(kBytes, 1))));
      fs.release(made.handle);
      inodes.push_back(made.attributes.inode);
    }
    in_threads(6, [&](std::size_t i) {
      std::mt19937_64 random(i);
      for (int round = 0; round < 60; ++round) {
        const InodeNumber inode = inodes[random() % 3];
        const Handle handle = must(fs.open_file(inode, O_RDWR));
        const Handle source = must(fs.open_file(inodes[random() % 3], O_RDONLY));
        SetAttributes shorter;
        shorter.size_bytes = random() % kBytes;
        switch (random() % 4) {
          case 0:
            must(fs.write(handle, random() % kBytes, bytes_of(random_text(5000, i))));
            break;
          case 1:
            must(fs.set_attributes(inode, shorter));
            break;
          case 2:
            must(fs.copy_range({.source = source,
                                .source_offset_bytes = 0,
                                .target = handle,
                                .target_offset_bytes = 0,
                                .length_bytes = kBytes}));
            break;
          default:
            must(fs.sync(handle));
            break;
        }
        fs.release(handle);
        fs.release(source);
      }
    });
  }
  expect_clean(directory / "store");
  expect_empty_when_emptied(directory / "store");
}

}  // namespace
}  // namespace weightfs::fs
