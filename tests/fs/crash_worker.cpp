#include "crash_worker.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>

#include <cstdlib>

#include "crash_performer.h"
#include "harness.h"
#include "weightfs/base/fault.h"
#include "weightfs/base/fd.h"
#include "weightfs/ops/fsck.h"
#include "weightfs/store/blob_store.h"
#include "weightfs/tree/tree.h"

namespace weightfs::fs {
namespace {

constexpr int kOperationFailed = 3;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void send(int fd, std::string_view text) {
  if (::write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) ::_exit(4);
}

[[noreturn]] void be_worker(const std::string& store_path, const WorkerRun& run, int report) {
  if (!run.fault.empty() && !fault::arm(run.fault)) ::_exit(5);
  const Status done =
      work(store_path, run, [report](char letter) { send(report, std::string_view(&letter, 1)); });
  if (!done) {
    send(report, "E" + describe(done.error()));
    ::_exit(kOperationFailed);
  }
  ::_exit(0);
}

std::string read_until_closed(int fd) {
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

void read_report(const std::string& report, WorkerOutcome& outcome) {
  for (std::size_t i = 0; i < report.size(); ++i) {
    if (report[i] == 'E') {
      outcome.error = report.substr(i + 1);
      return;
    }
    ++(report[i] == 'S' ? outcome.started_count : outcome.done_count);
  }
}

Contents read_root(Filesystem& filesystem) {
  Contents contents;
  const Handle root = must(filesystem.open_directory(kRootInode));
  for (const DirectoryEntry& entry : must(filesystem.read_directory(root, 0, 1000))) {
    if (entry.name == "." || entry.name == ".." || entry.name == "lost+found") continue;
    const Attributes found = must(filesystem.lookup(kRootInode, entry.name));
    const Handle handle = must(filesystem.open_file(found.inode, O_RDONLY));
    const auto read = filesystem.read(handle, 0, static_cast<std::size_t>(found.size_bytes));
    if (!read) ADD_FAILURE() << entry.name << " can't be read: " << describe(read.error());
    std::string& content = contents[entry.name];
    if (read) {
      for (const Segment& segment : read->segments) content += text_of(segment.bytes);
    }
    filesystem.release(handle);
    filesystem.forget(found.inode, 1);
  }
  filesystem.release(root);
  return contents;
}

}  // namespace

FilesystemOptions crash_options() {
  FilesystemOptions options;
  options.cache_bytes = std::size_t{1} << 20;
  options.worker_count = 2;
  options.commit_interval_ms = 20;
  options.seal_delay_ms = 3;
  return options;
}

Status work(const std::string& store_path, const WorkerRun& run,
            const std::function<void(char)>& say) {
  WEIGHTFS_ASSIGN(const auto filesystem, Filesystem::open(store_path, crash_options()));
  Script script(run.seed, run.begin);
  Performer performer(*filesystem);
  for (std::size_t i = 0; i < run.operation_count; ++i) {
    const Operation operation = script.next();
    say('S');
    WEIGHTFS_TRY(performer.perform(operation));
    say('D');
  }
  return {};
}

WorkerOutcome run_worker(const std::string& store_path, const WorkerRun& run) {
  Pipe report = make_pipe();
  const pid_t child = ::fork();
  if (child == 0) be_worker(store_path, run, report.write_end.get());
  report.write_end.reset();
  if (run.kill_after_us > 0) {
    ::usleep(run.kill_after_us);
    ::kill(child, SIGKILL);
  }
  WorkerOutcome outcome;
  read_report(read_until_closed(report.read_end.get()), outcome);
  int status = 0;
  ::waitpid(child, &status, 0);
  outcome.closed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (!outcome.closed && !killed && outcome.error.empty()) {
    outcome.error = "the worker ended with status " + std::to_string(status);
  }
  return outcome;
}

Possibilities possibilities_of(const WorkerRun& run, const WorkerOutcome& outcome) {
  Possibilities possible(run.begin);
  Script script(run.seed, run.begin);
  for (std::size_t i = 0; i < outcome.started_count; ++i) {
    const Contents before = script.contents();
    const Operation operation = script.next();
    possible.add(operation, before, script.contents(), i < outcome.done_count);
  }
  return outcome.closed ? Possibilities(script.contents()) : possible;
}

namespace {

// "7:file3", the last operation after which a file had these bytes there.
std::string origin_of(const std::vector<Contents>& states, std::size_t at, std::string_view bytes) {
  for (std::size_t i = states.size(); i-- > 0;) {
    for (const auto& [name, content] : states[i]) {
      if (std::string_view(content).substr(std::min(at, content.size()), bytes.size()) == bytes) {
        return std::to_string(i) + ":" + name;
      }
    }
  }
  return "nowhere";
}

std::string line_of(std::size_t number, const Operation& operation, bool done) {
  static constexpr std::array kNames{"create", "write",  "truncate", "punch",          "copy",
                                     "rename", "unlink", "sync",     "sync_directory", "sync_all"};
  return std::to_string(number) + " " + kNames.at(static_cast<std::size_t>(operation.kind)) + " " +
         operation.name + " " + operation.other + " " + std::to_string(operation.offset_bytes) +
         "+" + std::to_string(operation.length_bytes) + (done ? "" : " (under way)") + "\n";
}

}  // namespace

std::string history_of(const WorkerRun& run, const WorkerOutcome& outcome, const std::string& name,
                       const std::string& found) {
  constexpr std::size_t kPieceBytes = 16;
  Script script(run.seed, run.begin);
  std::vector<Contents> states;
  std::string text;
  for (std::size_t i = 0; i < outcome.started_count; ++i) {
    const Operation operation = script.next();
    states.push_back(script.contents());
    const auto size = script.contents().find(operation.name);
    text += line_of(i, operation, i < outcome.done_count);
    if (size != script.contents().end()) {
      text += "  -> " + std::to_string(size->second.size()) + "\n";
    }
  }
  text += name + ":\n";
  std::string last;
  for (std::size_t at = 0; at < found.size(); at += kPieceBytes) {
    const std::string origin =
        origin_of(states, at, std::string_view(found).substr(at, kPieceBytes));
    if (origin != last) text += "  from " + std::to_string(at) + " " + origin + "\n";
    last = origin;
  }
  return text;
}

Contents read_store(const std::string& store_path) {
  auto opened = Filesystem::open(store_path, crash_options());
  if (!opened) {
    ADD_FAILURE() << "the store can't be opened: " << describe(opened.error());
    return {};
  }
  return read_root(**opened);
}

void expect_clean(const std::string& store_path) {
  ops::FsckOptions options;
  options.worker_count = 2;
  const auto checked = ops::check_store(store_path, options);
  ASSERT_TRUE(checked) << describe(checked.error());
  for (const auto& problem : checked->problems) ADD_FAILURE() << "fsck: " << problem.message;
  for (const auto& damage : checked->damaged)
    ADD_FAILURE() << "fsck: " << damage.path << " " << damage.reason;
}

void expect_empty_when_emptied(const std::string& store_path) {
  const auto filesystem = must(Filesystem::open(store_path, crash_options()));
  for (const auto& [name, content] : read_root(*filesystem)) {
    must(filesystem->unlink(kRootInode, name));
  }
  must(filesystem->sync_all());
  must(filesystem->collect_garbage(/*dry_run=*/false));
  EXPECT_EQ(must(filesystem->blobs().stats()).blob_count, 0U);
  std::size_t recipe_count = 0;
  must(filesystem->tree().for_each_recipe([&](tree::RecipeId, const tree::RecipeHeader&) {
    ++recipe_count;
    return true;
  }));
  EXPECT_EQ(recipe_count, 0U);
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

}  // namespace weightfs::fs
