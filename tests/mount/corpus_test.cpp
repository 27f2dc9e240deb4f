// Every file of the corpus goes through the mount and comes back unchanged.
#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "mount_test_base.h"
#include "weightfs/ops/control.h"

namespace weightfs::mount {
namespace {

namespace stdfs = std::filesystem;

class Corpus : public MountTest {
 protected:
  static std::string corpus() { return WEIGHTFS_CORPUS; }
  void expect_same() {
    const ProgramResult result = run_program({"diff", "-r", corpus(), path("corpus")});
    EXPECT_EQ(result.exit_status, 0) << result.output;
  }
  std::size_t unsealed_file_count() {
    auto client = ops::ControlClient::connect(store());
    if (!client) return SIZE_MAX;
    const auto status = client->call({{"op", "status"}});
    return status ? (*status)["unsealed_files"].get<std::size_t>() : SIZE_MAX;
  }
};

TEST_F(Corpus, ComesBackUnchangedBeforeAndAfterItsSealAndARemount) {
  ASSERT_TRUE(stdfs::is_directory(corpus())) << "the project's test data is missing: " << corpus();
  const ProgramResult copied = run_program({"cp", "-r", corpus(), path("corpus")});
  ASSERT_EQ(copied.exit_status, 0) << copied.output;
  expect_same();
  seal();
  EXPECT_EQ(unsealed_file_count(), 0U);
  remount();
  expect_same();
  const ProgramResult removed = run_program({"rm", "-rf", path("corpus")});
  ASSERT_EQ(removed.exit_status, 0) << removed.output;
  seal();
  EXPECT_TRUE(stdfs::is_empty(mount_point()));
}

}  // namespace
}  // namespace weightfs::mount
