#include <gmock/gmock.h>

#include <protozero/pbf_writer.hpp>

#include "hand_made.h"

namespace weightfs::format {
namespace {

using protozero::pbf_writer;
using testing::HandMade;
using testing::layout_of;

// Field numbers are those of tensor.proto, node_def.proto and graph.proto.
std::string tensor_proto(std::vector<std::uint64_t> shape, const std::string& content) {
  std::string bytes;
  pbf_writer tensor(bytes);
  tensor.add_int32(1, 1);
  {
    pbf_writer shape_message(tensor, 2);
    for (const std::uint64_t size : shape) {
      pbf_writer dimension(shape_message, 2);
      dimension.add_uint64(1, size);
    }
  }
  tensor.add_bytes(4, content);
  return bytes;
}

std::string const_node(const std::string& name, const std::string& tensor) {
  std::string bytes;
  pbf_writer node(bytes);
  node.add_string(1, name);
  node.add_string(2, "Const");
  pbf_writer attribute(node, 5);
  attribute.add_string(1, "value");
  pbf_writer value(attribute, 2);
  value.add_message(8, tensor);
  return bytes;
}

std::string graph_def(const std::vector<std::string>& nodes, const std::string& function_node) {
  std::string bytes;
  pbf_writer graph(bytes);
  for (const std::string& node : nodes) graph.add_message(1, node);
  pbf_writer library(graph, 2);
  pbf_writer function(library, 1);
  function.add_message(3, function_node);
  return bytes;
}

const std::string kLarge = testing::floats(512);

HandMade frozen_graph() {
  return {.bytes = graph_def({const_node("w", tensor_proto({2, 3}, testing::floats(6)))},
                             const_node("inner", tensor_proto({512}, kLarge)))};
}

TEST(TfGraph, FindsTheConstantsOfAFrozenGraph) {
  const HandMade file = frozen_graph();
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "tf-graphdef");
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "w"), testing::floats(6));
}

TEST(TfGraph, CutsTheLargeConstantsOfFunctionsWithoutListingThem) {
  const HandMade file = frozen_graph();
  const Layout layout = layout_of(file);
  EXPECT_EQ(testing::find_tensor(layout, "inner"), nullptr);
  const Extent& last = layout.extents.back();
  EXPECT_EQ(last.length_bytes, kLarge.size());
  EXPECT_EQ(last.offset_bytes, file.bytes.find(kLarge));
}

TEST(TfGraph, FindsTheConstantsOfASavedModel) {
  HandMade file;
  pbf_writer model(file.bytes);
  model.add_int64(1, 1);
  {
    pbf_writer meta_graph(model, 2);
    meta_graph.add_message(1, std::string());
    meta_graph.add_message(2, frozen_graph().bytes);
  }
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "tf-savedmodel");
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "w"), testing::floats(6));
}

TEST(TfGraph, SurvivesDamage) {
  testing::expect_survives_damage(frozen_graph());
}

// A FileDescriptorSet: files of a name, a package and, in field 12, a syntax.
TEST(TfGraphDef, TakesNoDescriptorOfProtobufForAGraph) {
  const std::string file(
      "\x0a\x12\x0a\x03"
      "a.p"
      "\x12\x03"
      "xla"
      "\x62\x06"
      "proto3",
      20);
  EXPECT_EQ(layout_of({.bytes = file}).format, "opaque");
}

}  // namespace
}  // namespace weightfs::format
