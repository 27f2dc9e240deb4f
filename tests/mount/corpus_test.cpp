// Every file of the corpus goes through the mount and comes back unchanged; when it is removed, the
// store is as empty as it was.
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "mount_test_base.h"
#include "weightfs/ops/control.h"

namespace weightfs::mount {
namespace {

namespace stdfs = std::filesystem;
using nlohmann::json;
using std::chrono_literals::operator""s;

class Corpus : public MountTest {
 protected:
  static std::string corpus() { return WEIGHTFS_CORPUS; }
  // What is removed goes from the store with a commit or two.
  std::string mount_options() const override { return "commit_ms=200"; }

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
  // What the store holds, in numbers that are all zero when it holds nothing.
  json holdings() {
    const ProgramResult result = run_weightfs({"report", mount_point(), "--json"});
    EXPECT_EQ(result.exit_status, 0) << result.output;
    const json report = json::parse(result.output);
    std::uint64_t blob_count = 0;
    for (const json& codec : report["codecs"]) blob_count += codec["blobs"].get<std::uint64_t>();
    json held = {{"blobs", blob_count}};
    for (const char* name : {"files", "logical_bytes", "unique_bytes", "stored_bytes",
                             "unsealed_files", "unsealed_bytes"}) {
      held[name] = report[name];
    }
    return held;
  }
  void expect_clean_store() {
    unmount();
    const ProgramResult checked = run_weightfs({"fsck", store()});
    EXPECT_EQ(checked.exit_status, 0) << checked.output;
  }
};

TEST_F(Corpus, ComesBackUnchangedAndLeavesNothingBehind) {
  ASSERT_TRUE(stdfs::is_directory(corpus())) << "the project's test data is missing: " << corpus();
  const json empty = holdings();
  const ProgramResult copied = run_program({"cp", "-r", corpus(), path("corpus")});
  ASSERT_EQ(copied.exit_status, 0) << copied.output;
  expect_same();
  seal();
  EXPECT_EQ(unsealed_file_count(), 0U);
  EXPECT_GT(holdings()["blobs"], 0);
  remount();
  expect_same();
  stdfs::remove_all(path("corpus"));
  EXPECT_TRUE(stdfs::is_empty(mount_point()));
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (holdings() != empty && std::chrono::steady_clock::now() < deadline) ::usleep(100'000);
  EXPECT_EQ(holdings(), empty);
  expect_clean_store();
}

// A safetensors file of so many tensors of three floats each.
std::string small_tensors(std::size_t count) {
  json header;
  for (std::size_t i = 0; i < count; ++i) {
    header["t" + std::to_string(i)] = {
        {"dtype", "F32"}, {"shape", {3}}, {"data_offsets", {12 * i, 12 * i + 12}}};
  }
  const std::string text = header.dump();
  std::string file(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(text.size() >> (8 * i));
  return file + text + noise(12 * count, 1);
}

// One read of the kernel's brings more blobs than writev(2) takes parts.
TEST_F(Corpus, ReadsAFileOfAGreatManySmallTensors) {
  const std::string original = directory_.path("small.safetensors");
  write_file(original, small_tensors(20'000));
  write_file(path("small.safetensors"), read_file(original));
  seal();
  remount();
  const ProgramResult compared =
      run_program({"timeout", "30", "cmp", original, path("small.safetensors")});
  EXPECT_EQ(compared.exit_status, 0) << compared.output;
}

}  // namespace
}  // namespace weightfs::mount
