#include "zip.h"

#include <gtest/gtest.h>

#include "file_maker.h"

namespace weightfs::format {
namespace {

using testing::Bytes;
using testing::content_of;
using testing::detect;
using testing::find_tensor;
using testing::make_zip;
using testing::Pickle;

// One tensor of `shape` in storage `key`.
void rebuild(Pickle& pickle, const std::string& key, std::uint32_t storage_count,
             std::uint32_t offset, const std::vector<std::uint32_t>& shape,
             const std::vector<std::uint32_t>& strides) {
  pickle.global("torch._utils", "_rebuild_tensor_v2").op("((");
  pickle.text("storage").global("torch", "FloatStorage").text(key).text("cpu");
  pickle.integer(storage_count).op("tQ").integer(offset).tuple(shape).tuple(strides);
  pickle.op("\x89}tR");
}

std::string npy(std::string_view dict, std::string_view data) {
  return Bytes()
      .text("\x93NUMPY")
      .u8(1)
      .u8(0)
      .u16(static_cast<std::uint16_t>(dict.size()))
      .text(dict)
      .text(data)
      .str();
}

TEST(Zip, FindsStoredAndCompressedMembers) {
  const std::string file = make_zip({{"a", "hello"}, {"b", "x", 8}});
  const SpanSource source{bytes_of(file)};
  const auto members = read_zip_directory(source);
  ASSERT_TRUE(members) << members.error().message;
  ASSERT_EQ(members->size(), 2U);
  EXPECT_EQ(file.substr((*members)[0].offset_bytes, (*members)[0].length_bytes), "hello");
  EXPECT_TRUE((*members)[0].is_stored);
  EXPECT_FALSE((*members)[1].is_stored);
}

TEST(Zip, FollowsTheZip64RecordsOfLargeFiles) {
  Bytes out;
  out.u32(0x04034b50).u16(45).u16(0).u16(0).u32(0).u32(0).u32(~0U).u32(~0U).u16(1).u16(0);
  out.text("a").text("data");
  const std::size_t directory = out.size();
  out.u32(0x02014b50).u16(45).u16(45).u16(0).u16(0).u32(0).u32(0).u32(~0U).u32(~0U).u16(1).u16(28);
  out.u16(0).u16(0).u16(0).u32(0).u32(~0U).text("a");
  out.u16(1).u16(24).u64(4).u64(4).u64(0);
  const std::size_t end64 = out.size();
  out.u32(0x06064b50).u64(44).u16(45).u16(45).u32(0).u32(0).u64(1).u64(1);
  out.u64(end64 - directory).u64(directory);
  out.u32(0x07064b50).u32(0).u64(end64).u32(1);
  out.u32(0x06054b50).u16(0).u16(0).u16(0xFFFF).u16(0xFFFF).u32(~0U).u32(~0U).u16(0);
  const SpanSource source{bytes_of(out.str())};
  const auto members = read_zip_directory(source);
  ASSERT_TRUE(members) << members.error().message;
  EXPECT_EQ(out.str().substr((*members)[0].offset_bytes, (*members)[0].length_bytes), "data");
}

TEST(Zip, EndsWhereAnExtraFieldIsLongerThanItsEntry) {
  Bytes out;
  out.u32(0x04034b50).zeros(26).u32(0x02014b50).zeros(24).u16(0).u16(8).zeros(14);
  out.u16(7).u16(0xFFFF).u32(0);
  const auto directory_bytes = static_cast<std::uint32_t>(out.size() - 30);
  out.u32(0x06054b50).u16(0).u16(0).u16(1).u16(1).u32(directory_bytes).u32(30).u16(0);
  const SpanSource source{bytes_of(out.str())};
  EXPECT_TRUE(read_zip_directory(source));
}

TEST(TorchZip, ShowsViewsOfOneStorageAsTensorsOfOneExtent) {
  Pickle pickle;
  pickle.op("}(").text("a");
  rebuild(pickle, "0", 6, 0, {2, 3}, {3, 1});
  pickle.text("b");
  rebuild(pickle, "0", 6, 1, {2, 2}, {3, 1});
  const std::string data = "0123456789abcdefghijklmn";
  const std::string file = make_zip(
      {{"m/data.pkl", pickle.op("u").stop()}, {"m/byteorder", "little"}, {"m/data/0", data}});
  const Layout layout = detect(file);
  EXPECT_EQ(layout.format, "pytorch-zip") << layout.opaque_reason;
  ASSERT_EQ(layout.tensors.size(), 2U);
  EXPECT_EQ(content_of(file, *find_tensor(layout, "a")), data);
  EXPECT_EQ(content_of(file, *find_tensor(layout, "b")), data.substr(4, 20));
  EXPECT_EQ(find_tensor(layout, "b")->strides_elements, (std::vector<std::int64_t>{3, 1}));
  const auto extents = testing::typed_extents(layout);
  ASSERT_EQ(extents.size(), 1U);
  EXPECT_EQ(extents[0].length_bytes, 24U);
  EXPECT_EQ(extents[0].row_bytes, 12U);
}

TEST(TorchZip, NamesTheParametersOfAWholeModule) {
  Pickle pickle;
  pickle.global("net", "Net").op(")\x81}(").text("_modules").op("}").text("fc");
  pickle.global("torch.nn", "Linear").op(")\x81}(").text("_parameters").op("}").text("weight");
  pickle.global("torch._utils", "_rebuild_parameter").op("(");
  rebuild(pickle, "0", 1, 0, {1}, {1});
  pickle.op("\x88}tRsubsub");
  const std::string file = make_zip({{"m/data.pkl", pickle.stop()}, {"m/data/0", "abcd"}});
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].name, "fc.weight");
}

TEST(TorchZip, MarksBigEndianAndCompressedStorages) {
  Pickle pickle;
  pickle.op("}(").text("a");
  rebuild(pickle, "0", 1, 0, {1}, {1});
  pickle.text("b");
  rebuild(pickle, "1", 1, 0, {1}, {1});
  const std::string file = make_zip({{"m/data.pkl", pickle.op("u").stop()},
                                     {"m/byteorder", "big"},
                                     {"m/data/0", "abcd"},
                                     {"m/data/1", "xy", 8}});
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 2U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].note, "big-endian");
  EXPECT_EQ(layout.tensors[1].note, "compressed");
  EXPECT_TRUE(testing::typed_extents(layout).empty());
}

TEST(TorchZip, RefusesViewsAndStoragesThatAreLargerThanTheirRecord) {
  const std::vector<std::uint32_t> one = {1};
  for (const std::uint32_t offset : {1U, 0x7FFFFFFFU}) {
    Pickle pickle;
    rebuild(pickle, "0", 1, offset, one, one);
    const Layout layout = detect(make_zip({{"m/data.pkl", pickle.stop()}, {"m/data/0", "abcd"}}));
    EXPECT_EQ(layout.opaque_reason, "zip: tensor  is not in its storage");
  }
  Pickle pickle;
  rebuild(pickle, "0", 2, 0, one, one);
  EXPECT_EQ(detect(make_zip({{"m/data.pkl", pickle.stop()}, {"m/data/0", "abcd"}})).opaque_reason,
            "zip: a storage is too short: 0");
}

TEST(Npz, NamesArraysWithoutTheirSuffix) {
  const std::string array =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "12345678");
  const std::string file = make_zip({{"w.npy", array}, {"z.npy", "??", 8}});
  const Layout layout = detect(file);
  EXPECT_EQ(layout.format, "npz");
  ASSERT_EQ(layout.tensors.size(), 1U);
  EXPECT_EQ(layout.tensors[0].name, "w");
  EXPECT_EQ(content_of(file, layout.tensors[0]), "12345678");
  EXPECT_EQ(layout.opaque_reason, "z is compressed");
}

TEST(ZipArchive, FindsTensorsInZipsInZips) {
  Pickle pickle;
  pickle.op("}").text("w");
  rebuild(pickle, "0", 1, 0, {1}, {1});
  const std::string inner = make_zip({{"m/data.pkl", pickle.op("s").stop()}, {"m/data/0", "abcd"}});
  const std::string file = make_zip({{"data", "{}"}, {"policy.pth", inner}});
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].name, "policy.pth/w");
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcd");
}

TEST(ZipArchive, FindsTheArchivesOfADistributedCheckpoint) {
  const auto archive = [](const std::string& data) {
    Pickle pickle;
    rebuild(pickle, "0", 1, 0, {1}, {1});
    return make_zip({{"archive/data.pkl", pickle.stop()}, {"archive/data/0", data}});
  };
  const std::string file = archive("abcd") + archive("efgh") + archive("ijkl");
  const Layout layout = detect(file);
  EXPECT_EQ(layout.format, "pytorch-distributed") << layout.opaque_reason;
  ASSERT_EQ(layout.tensors.size(), 3U);
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcd");
  EXPECT_EQ(content_of(file, layout.tensors[1]), "efgh");
  EXPECT_EQ(content_of(file, layout.tensors[2]), "ijkl");
  EXPECT_EQ(layout.tensors[1].name, "1");
}

TEST(ZipArchive, FindsAnArchiveBehindOtherBytes) {
  const std::string array =
      npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "12345678");
  const std::string file = make_zip({{"a", "x"}}).substr(0, 31) + make_zip({{"w.npy", array}});
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(content_of(file, layout.tensors[0]), "12345678");
}

TEST(ZipArchive, SaysWhichMemberIsBroken) {
  const std::string bad = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }", "1234");
  const Layout layout = detect(make_zip({{"a.npy", bad}}));
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_EQ(layout.opaque_reason, "a: npy: a tensor reaches past the end of the file");
}

TEST(ZipArchive, StopsAtFilesThatNestTooDeep) {
  std::string file = npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", "1");
  for (int depth = 0; depth < 8; ++depth) file = make_zip({{"z", file}});
  const Layout layout = detect(file);
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_NE(layout.opaque_reason.find("nested too deep"), std::string::npos);
}

}  // namespace
}  // namespace weightfs::format
