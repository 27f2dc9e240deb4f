// Files that libhdf5 writes are the reference: what the reader says of a dataset must be the bytes
// that were written.
#include <gmock/gmock.h>
#include <hdf5.h>

#include "hand_made.h"

namespace weightfs::format {
namespace {

using testing::HandMade;
using testing::layout_of;

// A file in memory that libhdf5 writes. Closes what it opens.
class Hdf5Writer {
 public:
  struct Options {
    bool is_latest = false;
    hsize_t user_block_bytes = 0;
  };

  explicit Hdf5Writer(const Options& options) {
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, false);
    if (options.is_latest) H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(creation, options.user_block_bytes);
    file_ = H5Fcreate("in memory", H5F_ACC_TRUNC, creation, access);
    H5Pclose(creation);
    H5Pclose(access);
  }
  ~Hdf5Writer() { H5Fclose(file_); }
  Hdf5Writer(const Hdf5Writer&) = delete;
  Hdf5Writer& operator=(const Hdf5Writer&) = delete;

  struct Dataset {
    std::string name;
    std::vector<hsize_t> shape;
    std::vector<hsize_t> chunk = {};
    std::vector<hsize_t> max_shape = {};
    hid_t stored_type = H5T_NATIVE_FLOAT;
    bool is_compact = false;
    bool is_filtered = false;
    bool is_allocated_early = false;
  };

  // The floats 1, 2, ... in the dataset's order.
  void write(const Dataset& dataset) {
    const int rank = static_cast<int>(dataset.shape.size());
    const hid_t space = H5Screate_simple(
        rank, dataset.shape.data(), dataset.max_shape.empty() ? nullptr : dataset.max_shape.data());
    const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    if (dataset.is_compact) H5Pset_layout(creation, H5D_COMPACT);
    if (!dataset.chunk.empty()) H5Pset_chunk(creation, rank, dataset.chunk.data());
    if (dataset.is_filtered) H5Pset_shuffle(creation);
    if (dataset.is_allocated_early) H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY);
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(links, 1);
    const hid_t id = H5Dcreate2(file_, dataset.name.c_str(), dataset.stored_type, space, links,
                                creation, H5P_DEFAULT);
    hsize_t count = 1;
    for (const hsize_t dimension : dataset.shape) count *= dimension;
    const std::string values = testing::floats(count);
    H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(id);
    H5Pclose(links);
    H5Pclose(creation);
    H5Sclose(space);
  }

  // One element of `type`, all zeros; an attribute "dtype" of variable length if it is not empty.
  void write_zero(const char* name, hid_t type, const std::string& dtype_attribute = "") {
    const hid_t space = H5Screate(H5S_SCALAR);
    const hid_t id = H5Dcreate2(file_, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    const char zeros[8] = {};
    H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros);
    if (!dtype_attribute.empty()) {
      const hid_t text = H5Tcopy(H5T_C_S1);
      H5Tset_size(text, H5T_VARIABLE);
      const hid_t attribute = H5Acreate2(id, "dtype", text, space, H5P_DEFAULT, H5P_DEFAULT);
      const char* value = dtype_attribute.c_str();
      H5Awrite(attribute, text, &value);
      H5Aclose(attribute);
      H5Tclose(text);
    }
    H5Dclose(id);
    H5Sclose(space);
  }

  HandMade finish() {
    H5Fflush(file_, H5F_SCOPE_GLOBAL);
    HandMade result;
    result.bytes.resize(static_cast<std::size_t>(H5Fget_file_image(file_, nullptr, 0)));
    H5Fget_file_image(file_, result.bytes.data(), result.bytes.size());
    return result;
  }

 private:
  hid_t file_;
};

// Each test runs on files of the oldest and of the newest structures.
class Hdf5 : public ::testing::TestWithParam<bool> {
 protected:
  Hdf5Writer writer_{Hdf5Writer::Options{.is_latest = GetParam()}};
};
INSTANTIATE_TEST_SUITE_P(Versions, Hdf5, ::testing::Bool());

TEST_P(Hdf5, FindsContiguousDatasetsInGroups) {
  writer_.write({.name = "layers/dense/kernel", .shape = {4, 3}});
  const HandMade file = writer_.finish();
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "hdf5");
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "layers/dense/kernel"), testing::floats(12));
  const Tensor* tensor = testing::find_tensor(layout, "layers/dense/kernel");
  EXPECT_EQ(tensor->shape, (std::vector<std::uint64_t>{4, 3}));
  EXPECT_EQ(tensor->dtype, Dtype::f32);
}

TEST_P(Hdf5, FindsCompactDatasetsInTheirHeader) {
  writer_.write({.name = "small", .shape = {5}, .is_compact = true});
  const HandMade file = writer_.finish();
  EXPECT_EQ(testing::tensor_bytes_in(file, layout_of(file), "small"), testing::floats(5));
}

TEST_P(Hdf5, FindsAllOfManyLinks) {
  constexpr int kCount = 700;
  for (int i = 0; i < kCount; ++i) {
    writer_.write({.name = "weights/with a long name " + std::to_string(i), .shape = {2}});
  }
  const HandMade file = writer_.finish();
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.tensors.size(), static_cast<std::size_t>(kCount)) << layout.opaque_reason;
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "weights/with a long name 699"),
            testing::floats(2));
}

// All chunks of whole rows, in whatever order they lie, hold the rows that their place says.
TEST_P(Hdf5, CutsChunksOfWholeRows) {
  writer_.write({.name = "w", .shape = {64, 8}, .chunk = {16, 8}});
  const HandMade file = writer_.finish();
  const Layout layout = layout_of(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  std::string found;
  for (const Extent& extent : layout.extents) {
    if (extent.dtype != Dtype::f32) continue;
    EXPECT_EQ(extent.row_bytes, 32U);
    found += file.bytes.substr(extent.offset_bytes, extent.length_bytes);
  }
  EXPECT_EQ(found, testing::floats(64 * 8));
}

TEST_P(Hdf5, LeavesOutThePaddingOfTheLastChunk) {
  writer_.write({.name = "w", .shape = {10, 4}, .chunk = {16, 4}, .max_shape = {20, 4}});
  const HandMade file = writer_.finish();
  EXPECT_EQ(testing::tensor_bytes_in(file, layout_of(file), "w"), testing::floats(40));
}

std::size_t extents_of_floats(const Layout& layout) {
  return static_cast<std::size_t>(
      std::count_if(layout.extents.begin(), layout.extents.end(),
                    [](const Extent& extent) { return extent.dtype == Dtype::f32; }));
}

TEST_P(Hdf5, CutsEachChunkOfATiledDataset) {
  writer_.write({.name = "w", .shape = {8, 8}, .chunk = {4, 4}});
  const Layout layout = layout_of(writer_.finish());
  EXPECT_EQ(extents_of_floats(layout), 4U) << layout.opaque_reason;
  EXPECT_EQ(testing::find_tensor(layout, "w")->note, "chunked");
}

TEST_P(Hdf5, FindsChunksThatGrowInTwoDimensions) {
  writer_.write({.name = "w",
                 .shape = {64, 64},
                 .chunk = {4, 4},
                 .max_shape = {H5S_UNLIMITED, H5S_UNLIMITED}});
  EXPECT_EQ(extents_of_floats(layout_of(writer_.finish())), 256U);
}

TEST_P(Hdf5, FindsChunksThatWereAllocatedEarly) {
  writer_.write({.name = "w", .shape = {8, 8}, .chunk = {4, 4}, .is_allocated_early = true});
  EXPECT_EQ(extents_of_floats(layout_of(writer_.finish())), 4U);
}

TEST_P(Hdf5, FindsMoreChunksThanAPageOfTheirIndexHolds) {
  writer_.write({.name = "w", .shape = {4096, 2}, .chunk = {1, 1}});
  EXPECT_EQ(extents_of_floats(layout_of(writer_.finish())), 8192U);
}

TEST_P(Hdf5, LeavesFilteredChunksOpaque) {
  writer_.write({.name = "w", .shape = {8, 8}, .chunk = {4, 4}, .is_filtered = true});
  const Layout layout = layout_of(writer_.finish());
  EXPECT_EQ(extents_of_floats(layout), 0U);
  EXPECT_EQ(testing::find_tensor(layout, "w")->note, "filtered chunks");
}

TEST_P(Hdf5, DoesNotTakeBigEndianElementsForNumbers) {
  writer_.write({.name = "w", .shape = {8}, .stored_type = H5T_IEEE_F32BE});
  const Layout layout = layout_of(writer_.finish());
  EXPECT_EQ(extents_of_floats(layout), 0U);
  EXPECT_EQ(testing::find_tensor(layout, "w")->note, "big-endian");
  EXPECT_EQ(testing::find_tensor(layout, "w")->dtype, Dtype::f32);
}

TEST_P(Hdf5, KnowsTheElementTypes) {
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  writer_.write({.name = "f16", .shape = {2}, .stored_type = half});
  writer_.write({.name = "f64", .shape = {2}, .stored_type = H5T_IEEE_F64LE});
  writer_.write({.name = "i64", .shape = {2}, .stored_type = H5T_STD_I64LE});
  writer_.write({.name = "u8", .shape = {2}, .stored_type = H5T_STD_U8LE});
  H5Tclose(half);
  const Layout layout = layout_of(writer_.finish());
  for (const Dtype dtype : {Dtype::f16, Dtype::f64, Dtype::i64, Dtype::u8}) {
    std::string name(dtype_name(dtype));
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    ASSERT_NE(testing::find_tensor(layout, name), nullptr) << name << layout.opaque_reason;
    EXPECT_EQ(testing::find_tensor(layout, name)->dtype, dtype);
  }
}

TEST_P(Hdf5, SurvivesDamage) {
  writer_.write({.name = "g/a", .shape = {4, 3}});
  writer_.write({.name = "g/b", .shape = {8, 8}, .chunk = {4, 4}});
  writer_.write({.name = "g/c", .shape = {3}, .is_compact = true});
  testing::expect_survives_damage(writer_.finish());
}

TEST(Hdf5File, IsFoundBehindAUserBlock) {
  Hdf5Writer writer({.user_block_bytes = 512});
  writer.write({.name = "w", .shape = {4}});
  // libhdf5 leaves the user block out of a file's image.
  const HandMade file{.bytes = std::string(512, '#') + writer.finish().bytes};
  EXPECT_EQ(testing::tensor_bytes_in(file, layout_of(file), "w"), testing::floats(4));
}

TEST(Hdf5File, IsOpaqueWhereItIsCutOff) {
  Hdf5Writer writer({});
  writer.write({.name = "w", .shape = {4096}});
  HandMade file = writer.finish();
  file.bytes.resize(file.bytes.size() / 2);
  const Layout layout = layout_of(file);
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_THAT(layout.opaque_reason, ::testing::StartsWith("hdf5: "));
}

hid_t enumeration_of(const char* first, const char* second) {
  const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
  const char values[] = {0, 1};
  H5Tenum_insert(type, first, &values[0]);
  H5Tenum_insert(type, second, &values[1]);
  return type;
}

TEST(Hdf5, TakesOnlyFalseAndTrueForABoolean) {
  for (const bool is_latest : {false, true}) {
    Hdf5Writer writer({.is_latest = is_latest});
    writer.write_zero("bool", enumeration_of("FALSE", "TRUE"));
    writer.write_zero("enum", enumeration_of("RED", "GREEN"));
    const Layout layout = layout_of(writer.finish());
    ASSERT_EQ(layout.tensors.size(), 2U) << layout.opaque_reason;
    EXPECT_EQ(testing::find_tensor(layout, "bool")->dtype, Dtype::boolean);
    EXPECT_EQ(testing::find_tensor(layout, "enum")->dtype, Dtype::i8);
  }
}

TEST(Hdf5, KnowsTheBfloat16OfKerasByItsAttribute) {
  const hid_t type = H5Tcreate(H5T_OPAQUE, 2);
  for (const bool is_latest : {false, true}) {
    Hdf5Writer writer({.is_latest = is_latest});
    writer.write_zero("b", type, "bfloat16");
    writer.write_zero("o", type, "int16");
    const Layout layout = layout_of(writer.finish());
    ASSERT_EQ(layout.tensors.size(), 2U) << layout.opaque_reason;
    EXPECT_EQ(testing::find_tensor(layout, "b")->dtype, Dtype::bf16);
    EXPECT_EQ(testing::find_tensor(layout, "o")->dtype, Dtype::opaque);
  }
}

}  // namespace
}  // namespace weightfs::format
