// Core ML's blobs, MXNet's lists, Flax's msgpack, and the formats that are known and stay opaque.
#include <gmock/gmock.h>

#include <functional>
#include <protozero/pbf_writer.hpp>

#include "hand_made.h"

namespace weightfs::format {
namespace {

using testing::HandMade;
using testing::layout_of;

void pad_to(ByteWriter& out, std::size_t alignment_bytes) {
  while (out.view().size() % alignment_bytes != 0) out.u8(0);
}

std::string coreml_weights() {
  ByteWriter out;
  out.u32(2);
  out.u32(2);
  pad_to(out, 64);
  for (const std::uint32_t type : {2U, 1U}) {  // float32, float16
    out.u32(0xdeadbeef);
    out.u32(type);
    out.u64(24);
    out.u64(out.view().size() + 48);
    pad_to(out, 64);
    out.text(testing::floats(6));
    pad_to(out, 64);
  }
  return testing::text_of_writer(std::move(out));
}

using protozero::pbf_writer;

std::string message(const std::function<void(pbf_writer&)>& write) {
  std::string bytes;
  pbf_writer writer(bytes);
  write(writer);
  return bytes;
}

// WeightParams of floats, or of `bits` wide integers.
std::string float_weights(std::size_t count) {
  return message([&](pbf_writer& weights) { weights.add_bytes(1, testing::floats(count)); });
}
std::string quantized_weights(const std::string& raw, std::uint64_t bits) {
  return message([&](pbf_writer& weights) {
    weights.add_bytes(30, raw);
    weights.add_message(40, message([&](pbf_writer& how) { how.add_uint64(1, bits); }));
  });
}

// A convolution of [2, 3, 1, 1], an inner product of 2 by 4 in 4 bits, and an LSTM.
std::string coreml_network() {
  const std::string convolution = message([](pbf_writer& layer) {
    layer.add_string(1, "conv");
    layer.add_message(100, message([](pbf_writer& parameters) {
                        parameters.add_uint64(1, 2);
                        parameters.add_uint64(2, 3);
                        const std::uint64_t kernel[] = {1, 1};
                        parameters.add_packed_uint64(20, kernel, kernel + 2);
                        parameters.add_message(90, float_weights(6));
                        parameters.add_message(91, float_weights(2));
                      }));
  });
  const std::string product = message([](pbf_writer& layer) {
    layer.add_string(1, "fc");
    layer.add_message(140, message([](pbf_writer& parameters) {
                        parameters.add_uint64(1, 4);
                        parameters.add_uint64(2, 2);
                        parameters.add_message(20, quantized_weights("wxyz", 4));
                        parameters.add_message(21, quantized_weights("v", 4));
                      }));
  });
  const std::string lstm = message([](pbf_writer& layer) {
    layer.add_string(1, "rnn");
    layer.add_message(430, message([](pbf_writer& parameters) {
                        for (int direction = 0; direction < 2; ++direction) {
                          parameters.add_message(20, message([](pbf_writer& weights) {
                                                   weights.add_message(1, float_weights(3));
                                                 }));
                        }
                      }));
  });
  return message([&](pbf_writer& network) {
    for (const std::string& layer : {convolution, product, lstm}) network.add_message(1, layer);
  });
}

std::string coreml_model(std::uint32_t type_field, const std::string& content) {
  return message([&](pbf_writer& model) {
    model.add_int32(1, 4);
    model.add_message(2, std::string());
    model.add_message(type_field, content);
  });
}

TEST(CoremlModel, FindsTheWeightsOfItsLayers) {
  const HandMade file{.bytes = coreml_model(500, coreml_network())};
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "coreml-model") << layout.opaque_reason;
  ASSERT_EQ(layout.tensors.size(), 6U);
  EXPECT_EQ(testing::find_tensor(layout, "fc/bias")->shape, std::vector<std::uint64_t>{2});
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "conv/weights"), testing::floats(6));
  EXPECT_EQ(testing::find_tensor(layout, "conv/weights")->shape,
            (std::vector<std::uint64_t>{2, 3, 1, 1}));
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "conv/bias"), testing::floats(2));
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "fc/weights"), "wxyz");
  EXPECT_EQ(testing::find_tensor(layout, "fc/weights")->dtype, Dtype::u4);
  EXPECT_EQ(testing::find_tensor(layout, "fc/weights")->shape, (std::vector<std::uint64_t>{2, 4}));
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "rnn/backward/inputGateWeightMatrix"),
            testing::floats(3));
  testing::expect_survives_damage(file);
}

TEST(CoremlModel, FindsTheModelsOfAPipeline) {
  const std::string inner = coreml_model(403, coreml_network());
  const HandMade file{.bytes = coreml_model(200, message([&](pbf_writer& classifier) {
                                              classifier.add_message(
                                                  1, message([&](pbf_writer& pipeline) {
                                                    pipeline.add_message(1, inner);
                                                  }));
                                            }))};
  const Layout layout = layout_of(file);
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "0/conv/weights"), testing::floats(6));
}

TEST(CoremlModel, HasNoWeightsWhereItIsAProgram) {
  const Layout layout = layout_of({.bytes = coreml_model(502, std::string())});
  EXPECT_EQ(layout.format, "coreml-model") << layout.opaque_reason;
  EXPECT_TRUE(layout.tensors.empty());
}

TEST(CoremlWeights, FindsItsBlobs) {
  const HandMade file{.bytes = coreml_weights()};
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "coreml-weights");
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "blob@64"), testing::floats(6));
  EXPECT_EQ(testing::find_tensor(layout, "blob@192")->dtype, Dtype::f16);
  testing::expect_survives_damage(file);
}

void append_named(ByteWriter& out, std::string_view name) {
  out.u64(name.size());
  out.text(name);
}

// NDArray's second version, and the one before all versions.
std::string mxnet_params() {
  ByteWriter out;
  out.u64(0x112);
  out.u64(0);
  out.u64(2);
  out.u32(0xf993fac9);
  out.u32(0);
  out.u32(2);
  out.u64(2);
  out.u64(3);
  out.u64(1);  // device
  out.u32(0);
  out.text(testing::floats(6));
  out.u32(1);  // rank
  out.u32(2);
  out.u64(1);
  out.u32(0);
  out.text(testing::floats(2));
  out.u64(2);
  append_named(out, "arg:w");
  append_named(out, "arg:old");
  return testing::text_of_writer(std::move(out));
}

TEST(Mxnet, FindsArraysOfEachVersion) {
  const HandMade file{.bytes = mxnet_params()};
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "mxnet") << layout.opaque_reason;
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "arg:w"), testing::floats(6));
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "arg:old"), testing::floats(2));
  testing::expect_survives_damage(file);
}

std::string flax_array(std::string_view shape, const std::string& data) {
  ByteWriter triple;
  triple.u8(0x93);
  triple.text(shape);
  triple.u8(0xa7);
  triple.text("float32");
  triple.u8(0xc4);
  triple.u8(static_cast<std::uint8_t>(data.size()));
  triple.text(data);
  ByteWriter extension;
  extension.u8(0xc7);
  extension.u8(static_cast<std::uint8_t>(triple.view().size()));
  extension.u8(1);
  extension.append(triple.view());
  return testing::text_of_writer(std::move(extension));
}

HandMade flax_file() {
  return {.bytes = "\x82\xa6params\x81\xa1w" + flax_array("\x92\x02\x03", testing::floats(6)) +
                   "\xa4step" + flax_array("\x90", testing::floats(1))};
}

TEST(Flax, FindsArraysInATreeOfMaps) {
  const HandMade file = flax_file();
  const Layout layout = layout_of(file);
  EXPECT_EQ(layout.format, "flax-msgpack") << layout.opaque_reason;
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "params/w"), testing::floats(6));
  EXPECT_EQ(testing::tensor_bytes_in(file, layout, "step"), testing::floats(1));
  testing::expect_survives_damage(file);
}

TEST(Flax, IsNotWhatHasBytesBehindTheMsgpack) {
  HandMade file = flax_file();
  file.bytes += "more";
  EXPECT_NE(layout_of(file).format, "flax-msgpack");
}

TEST(Flax, IsNotWhatNestsWithoutEnd) {
  std::string bytes = "\x81\xa1w";
  for (int i = 0; i < 100'000; ++i) bytes += "\x91";
  EXPECT_NE(layout_of({.bytes = bytes}).format, "flax-msgpack");
}

TEST(Dlib, IsKnownAndOpaque) {
  const Layout layout =
      layout_of({.bytes = std::string("\1\1\1\x14loss_multiclass_log_", 24) + "weights"});
  EXPECT_EQ(layout.format, "dlib");
  EXPECT_THAT(layout.opaque_reason, ::testing::HasSubstr("length of its own"));
}

TEST(Ocdbt, IsKnownAndOpaque) {
  ByteWriter out;
  out.text("\x0c\xdb\x3a\x2a");
  out.u64(20);
  out.u64(0);
  const Layout layout = layout_of({.bytes = testing::text_of_writer(std::move(out))});
  EXPECT_EQ(layout.format, "ocdbt");
}

}  // namespace
}  // namespace weightfs::format
