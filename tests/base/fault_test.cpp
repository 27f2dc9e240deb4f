#include "weightfs/base/fault.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace weightfs::fault {
namespace {

Status has_a_point() {
  WEIGHTFS_FAULT_POINT("test.point");
  return {};
}

class FaultPoint : public testing::Test {
 protected:
  void TearDown() override { disarm(); }
};

TEST_F(FaultPoint, DoesNothingUnlessArmed) {
  EXPECT_TRUE(has_a_point());
  ASSERT_TRUE(arm("another.point=eio"));
  EXPECT_TRUE(has_a_point());
}

TEST_F(FaultPoint, FailsOnceWithTheErrorThatWasAskedFor) {
  ASSERT_TRUE(arm("test.point=enospc"));
  const Status first = has_a_point();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, Code::no_space);
  EXPECT_TRUE(has_a_point());
}

TEST_F(FaultPoint, FailsAtTheNthPass) {
  ASSERT_TRUE(arm("test.point:3=eio"));
  EXPECT_TRUE(has_a_point());
  EXPECT_TRUE(has_a_point());
  const Status third = has_a_point();
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::io);
  EXPECT_TRUE(has_a_point());
}

TEST_F(FaultPoint, GoesOnFailingWithAPlus) {
  ASSERT_TRUE(arm("test.point:2+=eio"));
  EXPECT_TRUE(has_a_point());
  EXPECT_FALSE(has_a_point());
  EXPECT_FALSE(has_a_point());
}

TEST_F(FaultPoint, KillsByDefault) {
  EXPECT_EXIT(
      {
        (void)arm("test.point");
        (void)has_a_point();
      },
      testing::KilledBySignal(SIGKILL), "");
}

TEST_F(FaultPoint, RefusesATextThatIsNoFault) {
  for (const char* text : {"", ":1", "x:0", "x:two", "x=explode", "=eio"}) {
    EXPECT_FALSE(arm(text)) << text;
  }
}

}  // namespace
}  // namespace weightfs::fault
