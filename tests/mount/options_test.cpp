#include "options.h"

#include <gtest/gtest.h>

namespace weightfs::mount {
namespace {

TEST(Options, HaveDefaultsThatNeedNoWord) {
  const auto options =
      parse_options({"defaults", "auto", "nofail", "x-systemd.automount", "_netdev"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->kernel.empty());
  EXPECT_FALSE(options->filesystem.read_only);
  EXPECT_FALSE(options->read_ahead_kb);
}

TEST(Options, AreRead) {
  const auto options =
      parse_options({"ro", "allow_other", "tier=cold", "verify=sampled", "cache_mb=7", "workers=3",
                     "commit_ms=100", "seal_delay_ms=5", "read_ahead_kb=256", "verify_dedup",
                     "portable", "threads=4", "nosplice"});
  ASSERT_TRUE(options);
  EXPECT_TRUE(options->filesystem.read_only);
  EXPECT_EQ(options->allow_other, true);
  EXPECT_EQ(options->kernel, (std::vector<std::string>{"ro"}));
  EXPECT_EQ(options->filesystem.tier, codec::Tier::cold);
  EXPECT_EQ(options->filesystem.verify, fs::VerifyReads::sampled);
  EXPECT_EQ(options->filesystem.cache_bytes, std::size_t{7} << 20);
  EXPECT_EQ(options->filesystem.worker_count, 3U);
  EXPECT_EQ(options->filesystem.commit_interval_ms, 100U);
  EXPECT_EQ(options->filesystem.seal_delay_ms, 5U);
  EXPECT_EQ(options->read_ahead_kb, 256U);
  EXPECT_TRUE(options->filesystem.verify_dedup);
  EXPECT_TRUE(options->filesystem.portable);
  EXPECT_EQ(options->thread_count, 4U);
  EXPECT_FALSE(options->connection.splice);
}

TEST(Options, TheLastOneWins) {
  const auto options = parse_options({"ro", "tier=cold", "rw", "tier=fast"});
  ASSERT_TRUE(options);
  EXPECT_FALSE(options->filesystem.read_only);
  EXPECT_EQ(options->filesystem.tier, codec::Tier::fast);
}

TEST(Options, TheLastWordAboutAccessTimesWins) {
  const auto strict = parse_options({"noatime", "strictatime"});
  ASSERT_TRUE(strict);
  EXPECT_TRUE(strict->filesystem.strict_atime);
  EXPECT_FALSE(strict->filesystem.no_atime);
  const auto relative = parse_options({"noatime", "atime", "strictatime", "relatime"});
  ASSERT_TRUE(relative);
  EXPECT_FALSE(relative->filesystem.no_atime);
  EXPECT_FALSE(relative->filesystem.strict_atime);
  const auto none = parse_options({"strictatime", "noatime", "relatime", "nodiratime", "diratime"});
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->filesystem.no_directory_atime);
  EXPECT_TRUE(none->filesystem.no_atime);
}

class BadOption : public ::testing::TestWithParam<const char*> {};

TEST_P(BadOption, IsRefusedAndNamed) {
  const auto options = parse_options({GetParam()});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().code, Code::invalid);
  const std::string text = GetParam();
  EXPECT_NE(options.error().message.find(text.substr(0, text.find('='))), std::string::npos)
      << options.error().message;
}

INSTANTIATE_TEST_SUITE_P(Options, BadOption,
                         ::testing::Values("wibble", "tier=warm", "tier",
                                           "cache_mb=", "cache_mb=-1", "cache_mb=1x",
                                           "cache_mb=99999999999999999999", "workers=1.5",
                                           "portable=yes", "verify=maybe", "=",
                                           "max_write=4194304"));

}  // namespace
}  // namespace weightfs::mount
