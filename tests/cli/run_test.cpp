// The frame of the commands, run in-process.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "weightfs/cli/command.h"

namespace weightfs::cli {
namespace {

struct Outcome {
  int status = 0;
  std::string out;
  std::string error;
};

Outcome run_words(std::vector<const char*> words) {
  words.insert(words.begin(), "weightfs");
  std::ostringstream out;
  std::ostringstream error;
  const int status = run(static_cast<int>(words.size()), words.data(), {out, error});
  return {status, out.str(), error.str()};
}

std::vector<std::string> command_names() {
  std::ostringstream ignored;
  Context context{{ignored, ignored}};
  CLI::App program;
  add_commands(program, context);
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

TEST(Run, ShowsTheVersion) {
  const Outcome plain = run_words({"version"});
  EXPECT_EQ(plain.status, 0);
  EXPECT_TRUE(plain.out.starts_with("weightfs ")) << plain.out;
  const Outcome as_json = run_words({"version", "--json"});
  const auto json = nlohmann::json::parse(as_json.out, nullptr, false);
  ASSERT_TRUE(json.is_object()) << as_json.out;
  EXPECT_EQ("weightfs " + json["version"].get<std::string>() + "\n", plain.out);
}

TEST(Run, EveryCommandHasHelpWithExamples) {
  const auto names = command_names();
  EXPECT_GE(names.size(), 4U);
  for (const std::string& name : names) {
    const Outcome help = run_words({name.c_str(), "--help"});
    EXPECT_EQ(help.status, 0) << name;
    EXPECT_NE(help.out.find("Example"), std::string::npos) << name;
    EXPECT_EQ(help.error, "") << name;
  }
}

TEST(Run, RefusesWhatItDoesNotKnowWithOneLine) {
  for (const std::vector<const char*>& words : {std::vector<const char*>{},
                                                {"wibble"},
                                                {"mount"},
                                                {"umount", "a", "b"},
                                                {"version", "--wibble"}}) {
    const Outcome outcome = run_words(words);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(outcome.error.find('\n') + 1, outcome.error.size()) << outcome.error;
  }
}

TEST(Run, ReportsAFailureWithOneLine) {
  const Outcome outcome = run_words({"umount", "/nowhere/at/all"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_TRUE(outcome.error.starts_with("weightfs: ")) << outcome.error;
  EXPECT_EQ(outcome.error.find('\n') + 1, outcome.error.size()) << outcome.error;
}

}  // namespace
}  // namespace weightfs::cli
