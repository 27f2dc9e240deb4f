// TFLite beyond what the corpus has, and MNN's own corpus file.
#include <gmock/gmock.h>

#include "hand_made.h"

namespace weightfs::format {
namespace {

using testing::HandMade;
using testing::layout_of;

// Writes a flatbuffer front to back: each part knows where the parts that it refers to will be.
class FlatWriter {
 public:
  std::size_t position() const { return bytes_.size(); }
  template <std::unsigned_integral T>
  void put(T value) {
    bytes_.append(sizeof value, '\0');
    set(position() - sizeof value, value);
  }
  template <std::unsigned_integral T>
  void set(std::size_t at, T value) {
    std::memcpy(bytes_.data() + at, &value, sizeof value);
  }
  void text(std::string_view text) { bytes_ += text; }

  // A table with its vtable before it: `sizes` are the bytes of each field, 0 where it is absent.
  // Returns where each field is.
  std::vector<std::size_t> table(const std::vector<std::uint16_t>& sizes) {
    while (position() % 4 != 0) put<std::uint8_t>(0);
    const std::size_t vtable = position();
    std::uint16_t table_bytes = 4;
    put(static_cast<std::uint16_t>(4 + 2 * sizes.size()));
    put<std::uint16_t>(0);
    std::vector<std::uint16_t> offsets;
    for (const std::uint16_t size : sizes) {
      put<std::uint16_t>(size == 0 ? std::uint16_t{0} : table_bytes);
      offsets.push_back(table_bytes);
      table_bytes = static_cast<std::uint16_t>(table_bytes + size);
    }
    table_ = position();
    put(static_cast<std::uint32_t>(table_ - vtable));
    bytes_.append(table_bytes - 4U, '\0');
    std::vector<std::size_t> fields;
    for (const std::uint16_t offset : offsets) fields.push_back(table_ + offset);
    return fields;
  }
  std::size_t last_table() const { return table_; }
  // Makes the offset at `at` lead to `target`.
  void link(std::size_t at, std::size_t target) {
    set(at, static_cast<std::uint32_t>(target - at));
  }
  // A vector of one offset, to be linked; returns where it starts.
  std::size_t vector_of_one() {
    put<std::uint32_t>(1);
    put<std::uint32_t>(0);
    return position() - 8;
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
  std::size_t table_ = 0;
};

struct BufferRange {
  std::uint64_t offset_bytes;
  std::uint64_t length_bytes;
};

// A model of one tensor of i8, whose buffer says that its bytes are behind the flatbuffer.
std::string model_of_far_buffer(const BufferRange& range) {
  FlatWriter out;
  out.put<std::uint32_t>(0);
  out.text("TFL3");
  const auto model = out.table({0, 0, 4, 0, 4});
  out.link(0, out.last_table());
  const std::size_t subgraphs = out.vector_of_one();
  const std::size_t buffers = out.vector_of_one();
  out.link(model[2], subgraphs);
  out.link(model[4], buffers);
  const auto buffer = out.table({0, 8, 8});
  out.link(buffers + 4, out.last_table());
  out.set(buffer[1], range.offset_bytes);
  out.set(buffer[2], range.length_bytes);
  const auto subgraph = out.table({4});
  out.link(subgraphs + 4, out.last_table());
  const std::size_t tensors = out.vector_of_one();
  out.link(subgraph[0], tensors);
  const auto tensor = out.table({4, 1, 4, 4});
  out.link(tensors + 4, out.last_table());
  out.set<std::uint8_t>(tensor[1], 9);  // INT8
  out.link(tensor[0], out.position());
  out.put<std::uint32_t>(1);
  out.put(static_cast<std::uint32_t>(range.length_bytes));
  out.link(tensor[3], out.position());
  out.put<std::uint32_t>(1);
  out.text("w");
  return out.take();
}

TEST(Tflite, FindsBuffersBeyondTwoGigabytes) {
  constexpr std::uint64_t kOffset = 3ULL << 30;
  const std::string head = model_of_far_buffer({kOffset, 1000});
  const testing::SparseSource source(kOffset + 1000, {{0, head}});
  const Layout layout = detect_layout(source, "m.tflite");
  ASSERT_NE(testing::find_tensor(layout, "w"), nullptr) << layout.opaque_reason;
  EXPECT_EQ(testing::find_tensor(layout, "w")->offset_bytes, kOffset);
  EXPECT_EQ(layout.extents.back().length_bytes, 1000U);
}

TEST(Tflite, IsOpaqueWhereABufferLeavesTheFile) {
  HandMade file{.bytes = model_of_far_buffer({1000, 1000})};
  file.bytes.resize(1500);
  const Layout layout = layout_of(file);
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_THAT(layout.opaque_reason, ::testing::HasSubstr("out of the file"));
}

TEST(Tflite, SurvivesDamage) {
  HandMade file{.bytes = model_of_far_buffer({1000, 16})};
  file.bytes.resize(1016);
  testing::expect_survives_damage(file);
}

// The same weights as the Caffe and ONNX files of this family: INDEX.tsv has 104 tensors there.
TEST(Mnn, FindsTheWeightsOfItsOperators) {
  const auto path = testing::corpus_directory() / "mnn";
  ASSERT_TRUE(std::filesystem::exists(path));
  const auto file = *std::filesystem::directory_iterator(path);
  const testing::StringSource source(testing::read_file(file.path()));
  const Layout layout = detect_layout(source, "m.mnn");
  EXPECT_EQ(layout.format, "mnn");
  const auto floats = std::count_if(layout.tensors.begin(), layout.tensors.end(),
                                    [](const Tensor& t) { return t.dtype == Dtype::f32; });
  EXPECT_EQ(floats, 104);
}

}  // namespace
}  // namespace weightfs::format
