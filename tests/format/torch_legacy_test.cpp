// What torch.save wrote before zip files: one stream of pickles, and tar files before that.
#include <gtest/gtest.h>

#include "file_maker.h"

namespace weightfs::format {
namespace {

using testing::Bytes;
using testing::content_of;
using testing::detect;
using testing::Pickle;

struct LegacyOptions {
  std::uint32_t declared_elements = 2;
  std::uint64_t stored_elements = 2;
  bool is_little_endian = true;
};

std::string legacy(const LegacyOptions& options) {
  Pickle object;
  object.op("}").text("w").global("torch._utils", "_rebuild_tensor").op("((").text("storage");
  object.global("torch", "FloatStorage").text("77").text("cpu").integer(options.declared_elements);
  object.op("NtQK").op(std::string_view("\0", 1)).tuple({2}).tuple({1}).op("tRs");
  Bytes out;
  out.text(Pickle().op("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19").stop());
  out.text(Pickle().op("M\xe9\x03").stop());
  out.text(Pickle()
               .op("}")
               .text("little_endian")
               .op(options.is_little_endian ? "\x88s" : "\x89s")
               .stop());
  out.text(object.stop()).text(Pickle().op("]").text("77").op("a").stop());
  return out.u64(options.stored_elements).text("abcdefgh").str();
}

TEST(TorchLegacy, FindsTheStoragesBehindThePickles) {
  const std::string file = legacy({});
  const Layout layout = detect(file);
  EXPECT_EQ(layout.format, "pytorch-legacy");
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].name, "w");
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcdefgh");
}

TEST(TorchLegacy, IsKnownByItsMagicNumberBehindAFrameOfProtocol4) {
  const std::string plain = legacy({});
  const std::string framed = Bytes().text("\x80\x04\x95").u64(13).text(plain.substr(2)).str();
  const Layout layout = detect(framed);
  EXPECT_EQ(layout.format, "pytorch-legacy");
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(content_of(framed, layout.tensors[0]), "abcdefgh");
}

TEST(TorchLegacy, RefusesStoragesThatAreNotThere) {
  EXPECT_EQ(detect(legacy({.stored_elements = 3})).opaque_reason,
            "pytorch-legacy: a storage is cut off: 77");
  EXPECT_EQ(detect(legacy({.stored_elements = 1ULL << 62})).opaque_reason,
            "pytorch-legacy: a storage is cut off: 77");
  EXPECT_EQ(detect(legacy({.declared_elements = 3})).opaque_reason,
            "pytorch-legacy: a storage is too short: 77");
}

std::string tar_of(std::uint32_t tensor_elements) {
  const std::string one = Pickle().op("K\x01").stop();
  Bytes storages;
  storages.text(one);
  storages.text(Pickle().op("(K\x05").text("cpu").global("torch", "DoubleStorage").op("t").stop());
  storages.u64(2).text("0123456789abcdef").text(Pickle().op("]").stop());
  Bytes tensors;
  tensors.text(one);
  tensors.text(Pickle().op("(K\x09K\x05").global("torch", "DoubleTensor").op("t").stop());
  tensors.u64(1).u64(tensor_elements).u64(1).u64(0);
  const std::string pickle = Pickle().op("}").text("weight").text("9").op("Qs").stop();
  return testing::make_tar(
      {{"storages", storages.str()}, {"tensors", tensors.str()}, {"pickle", pickle}});
}

TEST(TorchTar, FindsTensorsByTheirKeys) {
  const std::string file = tar_of(2);
  const Layout layout = detect(file);
  EXPECT_EQ(layout.format, "pytorch-tar");
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].name, "weight");
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::f64);
  EXPECT_EQ(content_of(file, layout.tensors[0]), "0123456789abcdef");
}

TEST(TorchTar, RefusesATensorThatIsLargerThanItsStorage) {
  EXPECT_EQ(detect(tar_of(3)).opaque_reason, "pytorch-tar: tensor weight is not in its storage");
}

}  // namespace
}  // namespace weightfs::format
