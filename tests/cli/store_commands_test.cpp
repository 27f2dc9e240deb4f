// The commands on stores, in-process: on an unmounted store, and on one that a daemon has.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "../../mount/control_handlers.h"
#include "../../src/cli/text.h"
#include "../ops/model_files.h"
#include "weightfs/cli/command.h"

namespace weightfs::cli {
namespace {

using nlohmann::json;
using ops::read_file;
using ops::write_file;

struct Outcome {
  int status = 0;
  std::string out;
  std::string error;
};

Outcome run_words(std::vector<std::string> words) {
  words.insert(words.begin(), "weightfs");
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  std::ostringstream out;
  std::ostringstream error;
  const int status = run(static_cast<int>(arguments.size()), arguments.data(), {out, error});
  return {status, out.str(), error.str()};
}

// A store and a directory to copy; the store is closed, or open with a control socket as in the
// daemon.
class StoreCommands : public ::testing::TestWithParam<bool> {
 protected:
  StoreCommands() {
    source_ = directory_ / "source";
    std::filesystem::create_directories(source_ + "/sub");
    write_file(source_ + "/model", fs::random_text(700'000, 1));
    write_file(source_ + "/sub/copy\xff", fs::random_text(700'000, 1));
    if (GetParam()) {
      mount::add_ops_handlers(server_, store_.get());
      fs::must(server_.start(store_.store_path()));
    } else {
      store_.close();
    }
  }

  testing::TemporaryDirectory directory_;
  fs::Harness store_;
  mount::ControlServer server_;
  std::string source_;
};

INSTANTIATE_TEST_SUITE_P(ClosedAndOpen, StoreCommands, ::testing::Bool());

TEST_P(StoreCommands, BringFilesInAndOutAndReportThem) {
  const Outcome imported = run_words({"import", "--json", source_, store_.store_path() + ":/in"});
  ASSERT_EQ(imported.status, 0) << imported.error;
  EXPECT_EQ(json::parse(imported.out)["files"], 2);
  const Outcome again = run_words({"import", "--json", source_, store_.store_path() + ":/in"});
  EXPECT_EQ(json::parse(again.out)["skipped"], 2);
  const std::string out = directory_ / "out";
  const Outcome exported = run_words({"export", store_.store_path() + ":/in/source/", out});
  ASSERT_EQ(exported.status, 0) << exported.error;
  EXPECT_EQ(read_file(out + "/model"), read_file(source_ + "/model"));
  EXPECT_EQ(read_file(out + "/sub/copy\xff"), read_file(source_ + "/sub/copy\xff"));
  const json report = json::parse(run_words({"report", "--json", store_.store_path()}).out);
  EXPECT_EQ(report["files"], 2);
  EXPECT_EQ(report["logical_bytes"], 1'400'000);
  EXPECT_EQ(report["unique_bytes"], 700'000);
  EXPECT_EQ(run_words({"gc", store_.store_path()}).status, 0);
}

TEST_P(StoreCommands, FailWithOneLineAndGoOnWithTheRest) {
  const Outcome outcome =
      run_words({"import", directory_ / "missing", source_ + "/model", store_.store_path()});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.error.find("missing"), std::string::npos);
  EXPECT_NE(outcome.out.find("imported 1 file"), std::string::npos) << outcome.out;
  EXPECT_EQ(run_words({"export", store_.store_path() + ":/nowhere", directory_ / "x"}).status, 1);
}

TEST_P(StoreCommands, OptimizeOnceAndThenHaveNothingToDo) {
  ASSERT_EQ(run_words({"import", source_, store_.store_path()}).status, 0);
  const Outcome dry = run_words({"optimize", "--dry-run", "--json", store_.store_path()});
  ASSERT_EQ(dry.status, 0) << dry.error;
  EXPECT_TRUE(json::parse(dry.out)["dry_run"]);
  EXPECT_GT(json::parse(dry.out)["blobs"], 0);
  const Outcome done = run_words({"optimize", store_.store_path()});
  ASSERT_EQ(done.status, 0) << done.error;
  EXPECT_TRUE(done.out.starts_with("recoded ")) << done.out;
  const Outcome again = run_words({"optimize", store_.store_path()});
  EXPECT_TRUE(again.out.starts_with("nothing to do")) << again.out;
  const Outcome anew = run_words({"optimize", "--restart", "--json", store_.store_path()});
  EXPECT_EQ(json::parse(anew.out)["blobs"], json::parse(dry.out)["blobs"]);
  EXPECT_EQ(run_words({"optimize", "--tier=fast", store_.store_path()}).status, 2);
}

TEST_P(StoreCommands, LetFsckRefuseAStoreThatIsInUse) {
  const Outcome outcome = run_words({"fsck", store_.store_path()});
  EXPECT_EQ(outcome.status, GetParam() ? 8 : 0) << outcome.error;
}

TEST(FsckCommand, HasAnExitStatusOfItsOwnForWrongUsage) {
  EXPECT_EQ(run_words({"fsck"}).status, 16);
  EXPECT_EQ(run_words({"report"}).status, 2);
}

TEST(Text, ShowsThreeDigits) {
  EXPECT_EQ(bytes_text(0), "0 B");
  EXPECT_EQ(bytes_text(999), "999 B");
  EXPECT_EQ(bytes_text(1234), "1.23 kB");
  EXPECT_EQ(bytes_text(999'999), "1.00 MB");
  EXPECT_EQ(bytes_text(45'600'000'000), "45.6 GB");
}

TEST(Text, ShortensInTheMiddleByCodePoints) {
  EXPECT_EQ(shortened("abcdefghij", 5), "ab…ij");
  EXPECT_EQ(shortened("äöüäöüäöü", 5), "äö…öü");
  EXPECT_EQ(shortened("short", 5), "short");
}

TEST(Table, FitsTheTerminalByItsFlexibleColumn) {
  Table table(
      {{"name", Table::Alignment::left, /*is_flexible=*/true}, {"bytes", Table::Alignment::right}});
  table.add_row({std::string(60, 'x'), "123"});
  std::ostringstream out;
  table.print(out, 30);
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), 30U) << line;
}

}  // namespace
}  // namespace weightfs::cli
