#include <gmock/gmock.h>

#include <protozero/pbf_writer.hpp>

#include "hand_made.h"

namespace weightfs::format {
namespace {

using protozero::pbf_writer;
using testing::HandMade;
using testing::layout_of;

std::string packed_floats(std::size_t count, bool with_shape) {
  std::string bytes;
  pbf_writer blob(bytes);
  if (!with_shape) {
    for (std::uint32_t field = 1; field <= 3; ++field) blob.add_int32(field, 1);
    blob.add_int32(4, static_cast<std::int32_t>(count));
  }
  blob.add_bytes(5, testing::floats(count));
  if (with_shape) {
    const std::vector<std::uint64_t> shape = {count / 2, 2};
    pbf_writer message(blob, 7);
    message.add_packed_uint64(1, shape.begin(), shape.end());
  }
  return bytes;
}

TEST(Caffe, FindsBlobsOfLayersByTheirShape) {
  HandMade file;
  pbf_writer net(file.bytes);
  net.add_string(1, "net");
  {
    pbf_writer layer(net, 100);
    layer.add_string(1, "conv");
    layer.add_message(7, packed_floats(8, true));
  }
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "caffe");
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "conv/0"), testing::floats(8));
  EXPECT_EQ(testing::find_tensor(layout, "conv/0")->shape, (std::vector<std::uint64_t>{4, 2}));
  testing::expect_survives_damage(file);
}

TEST(Caffe, FindsBlobsOfTheFirstVersionsLayers) {
  HandMade file;
  pbf_writer net(file.bytes);
  {
    pbf_writer layer(net, 2);
    layer.add_string(4, "ip");
    layer.add_message(6, packed_floats(8, false));
  }
  const Layout layout = layout_of(file);
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "ip/0"), testing::floats(8));
  EXPECT_EQ(testing::find_tensor(layout, "ip/0")->shape, (std::vector<std::uint64_t>{1, 1, 1, 8}));
}

}  // namespace
}  // namespace weightfs::format
