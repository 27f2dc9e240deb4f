#include "weightfs/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace weightfs {
namespace {

TEST(SystemError, TurnsErrnoIntoACodeAndNamesTheObject) {
  const Error error = system_error(ENOSPC, "can't write /store/data");
  EXPECT_EQ(error.code, Code::no_space);
  EXPECT_EQ(error.message, "can't write /store/data: No space left on device");
}

TEST(SystemError, TakesWhatItDoesNotKnowForAnErrorOfTheDisk) {
  EXPECT_EQ(system_error(EIO, "x").code, Code::io);
  EXPECT_EQ(system_error(EUCLEAN, "x").code, Code::io);
}

TEST(WithContext, PutsWhereBeforeWhat) {
  const Error error = with_context({Code::corrupt, "a page is damaged"}, "blobs");
  EXPECT_EQ(error.code, Code::corrupt);
  EXPECT_EQ(error.message, "blobs: a page is damaged");
}

TEST(CodeName, IsDifferentForEachCode) {
  std::set<std::string_view> names;
  constexpr int kCount = static_cast<int>(Code::newer_version) + 1;
  for (int i = 0; i < kCount; ++i) names.insert(code_name(static_cast<Code>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kCount));
  EXPECT_FALSE(names.contains("unknown"));
}

Result<int> half_of(int number) {
  if (number % 2 != 0) return fail(Code::invalid, "odd");
  return number / 2;
}

Result<int> quarter_of(int number) {
  WEIGHTFS_ASSIGN(const int half, half_of(number));
  WEIGHTFS_TRY(half_of(half));
  return half_of(half);
}

TEST(Macros, PassValuesOnAndReturnErrors) {
  EXPECT_EQ(quarter_of(12), 3);
  EXPECT_EQ(quarter_of(3).error().message, "odd");
  EXPECT_EQ(quarter_of(6).error().code, Code::invalid);
}

}  // namespace
}  // namespace weightfs
