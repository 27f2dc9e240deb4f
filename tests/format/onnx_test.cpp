#include <gmock/gmock.h>

#include <protozero/pbf_writer.hpp>

#include "hand_made.h"

namespace weightfs::format {
namespace {

using protozero::pbf_writer;
using testing::HandMade;
using testing::layout_of;

// TensorProto's and GraphProto's field numbers are those of onnx.proto.
std::string tensor_proto(const std::string& name, int dtype, std::vector<std::uint64_t> shape,
                         const std::string& raw_data) {
  std::string bytes;
  pbf_writer tensor(bytes);
  tensor.add_packed_uint64(1, shape.begin(), shape.end());
  tensor.add_int32(2, dtype);
  tensor.add_string(8, name);
  if (!raw_data.empty()) tensor.add_bytes(9, raw_data);
  return bytes;
}

std::string external_proto(const std::string& name, std::vector<std::uint64_t> shape,
                           const std::map<std::string, std::string>& entries) {
  std::string bytes = tensor_proto(name, 1, std::move(shape), {});
  pbf_writer tensor(bytes);
  for (const auto& [key, value] : entries) {
    pbf_writer entry(tensor, 13);
    entry.add_string(1, key);
    entry.add_string(2, value);
  }
  tensor.add_int32(14, 1);
  return bytes;
}

std::string model_of_graph(const std::string& graph) {
  std::string bytes;
  pbf_writer model(bytes);
  model.add_int64(1, 8);
  model.add_string(2, "by hand");
  model.add_message(7, graph);
  return bytes;
}

std::string graph_of_initializers(const std::vector<std::string>& tensors) {
  std::string bytes;
  pbf_writer graph(bytes);
  for (const std::string& tensor : tensors) graph.add_message(5, tensor);
  return bytes;
}

HandMade model_of(const std::vector<std::string>& tensors) {
  return {.bytes = model_of_graph(graph_of_initializers(tensors)), .name = "m.onnx"};
}

TEST(Onnx, CutsRawDataAtTheTensor) {
  const std::string raw = testing::floats(6);
  const HandMade file = model_of({tensor_proto("w", 1, {2, 3}, raw)});
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "onnx");
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "w"), raw);
  EXPECT_EQ(layout.extents[1].row_bytes, 12U);
}

TEST(Onnx, CutsPackedFloatsAndLeavesVarintsOpaque) {
  std::string typed = tensor_proto("f", 1, {2}, {});
  const std::vector<float> values = {1, 2};
  pbf_writer(typed).add_packed_float(4, values.begin(), values.end());
  std::string varints = tensor_proto("i", 7, {3}, {});
  const std::vector<std::int64_t> numbers = {1, 300, -1};
  pbf_writer(varints).add_packed_int64(7, numbers.begin(), numbers.end());
  const HandMade file = model_of({typed, varints});
  const Layout layout = layout_of(file);
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "f"), testing::floats(2));
  ASSERT_NE(testing::find_tensor(layout, "i"), nullptr);
  EXPECT_EQ(testing::find_tensor(layout, "i")->note, "encoded");
}

TEST(Onnx, FindsConstantsInSubgraphsAndNamesThemByTheirOutput) {
  std::string attribute;
  pbf_writer(attribute).add_message(5, tensor_proto("", 1, {2}, testing::floats(2)));
  std::string node;
  pbf_writer(node).add_string(2, "out");
  pbf_writer(node).add_message(5, attribute);
  std::string inner_graph;
  pbf_writer(inner_graph).add_message(1, node);
  std::string branch;
  pbf_writer(branch).add_message(6, inner_graph);
  std::string if_node;
  pbf_writer(if_node).add_message(5, branch);
  std::string graph;
  pbf_writer(graph).add_message(1, if_node);
  const HandMade file{.bytes = model_of_graph(graph)};
  EXPECT_EQ(testing::tensor_bytes_in(file, layout_of(file), "out"), testing::floats(2));
}

TEST(Onnx, TakesTheLayoutOfExternalDataFromItsModel) {
  const HandMade model = model_of(
      {external_proto("a", {2, 2}, {{"location", "w.data"}, {"offset", "8"}, {"length", "16"}}),
       external_proto("b", {2}, {{"location", "./w.data"}}),
       external_proto("c", {2}, {{"location", "other.data"}})});
  const HandMade data{
      .bytes = testing::floats(6), .name = "w.data", .neighbours = {{"m.onnx", model.bytes}}};
  const Layout layout = layout_of(data);
  EXPECT_EQ(layout.format, "onnx-data");
  EXPECT_EQ(layout.tensors.size(), 2U);
  EXPECT_EQ(testing::tensor_bytes_in(data, layout, "a"), data.bytes.substr(8));
  EXPECT_EQ(testing::tensor_bytes_in(data, layout, "b"), data.bytes.substr(0, 8));
  EXPECT_EQ(testing::find_tensor(layout_of(model), "a")->note, "external: w.data");
}

TEST(Onnx, LeavesExternalDataOpaqueThatIsTooShort) {
  const HandMade model = model_of({external_proto("a", {100}, {{"location", "w.data"}})});
  const Layout layout = layout_of(
      {.bytes = testing::floats(6), .name = "w.data", .neighbours = {{"m.onnx", model.bytes}}});
  EXPECT_TRUE(layout.tensors.empty());
  EXPECT_THAT(layout.opaque_reason, ::testing::HasSubstr("past the end"));
}

TEST(Onnx, FindsTensorsBeyondFourGigabytes) {
  constexpr std::uint64_t kPayload = 5ULL << 30;
  ByteWriter tensor;  // raw_data last, so that its end is the file's
  tensor.text(tensor_proto("big", 2, {kPayload}, {}));
  tensor.varint(9 << 3 | 2);
  tensor.varint(kPayload);
  const std::string tensor_head = testing::text_of_writer(std::move(tensor));
  ByteWriter graph;
  graph.varint(5 << 3 | 2);
  graph.varint(tensor_head.size() + kPayload);
  const std::string graph_head = testing::text_of_writer(std::move(graph)) + tensor_head;
  ByteWriter model;
  model.varint(1 << 3);
  model.varint(8);
  model.varint(7 << 3 | 2);
  model.varint(graph_head.size() + kPayload);
  const std::string head = testing::text_of_writer(std::move(model)) + graph_head;
  const testing::SparseSource source(head.size() + kPayload, {{0, head}});
  const Layout layout = detect_layout(source, "big.onnx");
  ASSERT_NE(testing::find_tensor(layout, "big"), nullptr) << layout.opaque_reason;
  EXPECT_EQ(testing::find_tensor(layout, "big")->offset_bytes, head.size());
  EXPECT_EQ(testing::find_tensor(layout, "big")->length_bytes, kPayload);
}

TEST(Onnx, LeavesTensorsWhoseShapeLiesOpaque) {
  const Layout layout = layout_of(model_of({tensor_proto("w", 1, {1ULL << 40}, "12345678")}));
  ASSERT_EQ(layout.tensors.size(), 1U);
  EXPECT_EQ(layout.extents.size(), 1U);
}

TEST(Onnx, SurvivesDamage) {
  testing::expect_survives_damage(model_of({tensor_proto("w", 1, {2, 3}, testing::floats(6)),
                                            external_proto("a", {2}, {{"location", "x"}})}));
}

}  // namespace
}  // namespace weightfs::format
