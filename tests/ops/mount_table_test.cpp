#include "weightfs/ops/mount_table.h"

#include <gtest/gtest.h>

namespace weightfs::ops {
namespace {

TEST(MountTable, FindsOurMountsAmongOthers) {
  const auto mounts = parse_mounts(
      "22 27 0:20 / /sys rw,relatime shared:7 - sysfs sysfs rw\n"
      "42 27 0:39 / /mnt/models rw,relatime shared:1 master:2 - fuse.weightfs /srv/store "
      "rw,user_id=0\n"
      "43 27 0:40 / /mnt/other rw - fuse.sshfs host: rw\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].mount_point, "/mnt/models");
  EXPECT_EQ(mounts[0].store_path, "/srv/store");
  EXPECT_EQ(mounts[0].device, "0:39");
}

TEST(MountTable, UndoesTheKernelsEscapes) {
  const auto mounts =
      parse_mounts("42 27 0:39 / /a\\040b\\134c\\011\\012 rw - fuse.weightfs /s\\040t rw\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].mount_point, "/a b\\c\t\n");
  EXPECT_EQ(mounts[0].store_path, "/s t");
}

TEST(MountTable, KeepsABackslashThatEscapesNothing) {
  const auto mounts = parse_mounts("42 27 0:39 / /a\\04 rw - fuse.weightfs /s\\9 rw\n");
  ASSERT_EQ(mounts.size(), 1U);
  EXPECT_EQ(mounts[0].mount_point, "/a\\04");
  EXPECT_EQ(mounts[0].store_path, "/s\\9");
}

TEST(MountTable, SkipsLinesThatAreCutOff) {
  EXPECT_TRUE(parse_mounts("").empty());
  EXPECT_TRUE(parse_mounts("42 27 0:39 / /a rw - fuse.weightfs").empty());
  EXPECT_TRUE(parse_mounts("42 27 - fuse.weightfs /s rw").empty());
}

TEST(MountTable, MakesPathsAbsolute) {
  EXPECT_EQ(absolute_path("/no/such/../place/").value(), "/no/place");
  EXPECT_EQ(absolute_path("/").value(), "/");
  EXPECT_FALSE(absolute_path(""));
}

}  // namespace
}  // namespace weightfs::ops
