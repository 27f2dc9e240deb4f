// What torch.save, torch.export and torch.distributed.checkpoint write beside plain state dicts.
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

// Two elements of storage "0".
Pickle& rebuild(Pickle& pickle, std::string_view function, std::string_view storage_class) {
  pickle.global("torch._utils", function).op("((").text("storage");
  pickle.global("torch", storage_class).text("0").text("cpu").integer(2).op("tQ").integer(0);
  return pickle.tuple({2}).tuple({1}).op("\x89}");
}

std::string names_of(const Layout& layout) {
  std::string names;
  for (const Tensor& tensor : layout.tensors) names += tensor.name + " ";
  return names;
}

std::string archive(Pickle& pickle, const std::string& data) {
  return make_zip({{"m/data.pkl", pickle.stop()}, {"m/data/0", data}});
}

TEST(TorchZip, NamesATensorByEachKeyThatItHas) {
  Pickle pickle;
  rebuild(pickle.op("}(").text("a"), "_rebuild_tensor_v2", "FloatStorage").op("tRq\x01");
  pickle.text("b").op("h\x01").text("l").op("](h\x01h\x01").op("eu");
  EXPECT_EQ(names_of(detect(archive(pickle, "abcdefgh"))), "a b l.0 l.1 ");
}

TEST(TorchZip, NamesTheItemsOfADictByEachOfItsNames) {
  Pickle pickle;
  pickle.op("}(").text("model").op("}q\x02").text("w");
  rebuild(pickle, "_rebuild_tensor_v2", "FloatStorage").op("tRs");
  pickle.text("ema").op("h\x02u");
  EXPECT_EQ(names_of(detect(archive(pickle, "abcdefgh"))), "model.w ema.w ");
}

TEST(TorchZip, NamesWhatAnObjectHasTwiceOnce) {
  Pickle pickle;
  pickle.global("net", "Lstm").op(")\x81}(").text("weight");
  rebuild(pickle, "_rebuild_tensor_v2", "FloatStorage").op("tRq\x01");
  pickle.text("_flat_weights").op("]h\x01").op("aub");
  EXPECT_EQ(names_of(detect(archive(pickle, "abcdefgh"))), "weight ");
}

// A list of a list twice, of a list twice, ...: 2^40 names.
TEST(TorchZip, GivesUpNamingListsThatMultiply) {
  Pickle pickle;
  pickle.op("]q").op(std::string_view("\0", 1));
  rebuild(pickle, "_rebuild_tensor_v2", "FloatStorage").op("tRa0");
  for (char level = 1; level <= 40; ++level) {
    const char below[] = {'h', static_cast<char>(level - 1)};
    const char own[] = {']', 'q', level};
    pickle.op({own, 3}).op({below, 2}).op("a").op({below, 2}).op("a").op("0");
  }
  pickle.op("h\x28");
  const Layout layout = detect(archive(pickle, "abcdefgh"));
  EXPECT_GT(layout.tensors.size(), 1U);
}

TEST(TorchZip, KeepsTheSizeOfElementsThatNoDtypeIs) {
  Pickle pickle;
  rebuild(pickle.op("}").text("h"), "_rebuild_tensor_v3", "UntypedStorage");
  const std::string file = archive(pickle.global("torch", "complex32").op("}tRs"), "abcdefgh");
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::opaque);
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcdefgh");
}

TEST(TorchZip, ShowsTensorsOnTheMetaDeviceWithoutBytes) {
  Pickle pickle;
  pickle.op("}").text("m").global("torch._utils", "_rebuild_meta_tensor_no_storage").op("(");
  pickle.global("torch", "bfloat16").tuple({3, 4}).tuple({4, 1}).op("\x89tRs");
  const Layout layout = detect(make_zip({{"m/data.pkl", pickle.stop()}}));
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::bf16);
  EXPECT_EQ(layout.tensors[0].shape, (std::vector<std::uint64_t>{3, 4}));
  EXPECT_EQ(layout.tensors[0].length_bytes, 0U);
}

TEST(TorchZip, FindsArraysOfNumpyToo) {
  Pickle pickle;
  pickle.op("}").text("rng").global("numpy._core.multiarray", "_reconstruct");
  pickle.global("numpy", "ndarray").op(std::string_view("K\0\x85", 3)).bytes("b");
  pickle.op("\x87R(K\x01").tuple({2}).global("numpy", "dtype").text("u4").op("\x89\x88\x87R(K\x03");
  pickle.text("<").op("NNNtb\x89").bytes("abcdefgh").op("tbs");
  const std::string file = make_zip({{"m/data.pkl", pickle.stop()}});
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].name, "rng");
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcdefgh");
}

constexpr const char* kWeightsConfig = R"({"config": {
  "fc.weight": {"path_name": "weight_0", "use_pickle": false, "tensor_meta": {"dtype": 7,
    "sizes": [{"as_int": 1}, {"as_int": 2}], "strides": [{"as_int": 2}, {"as_int": 1}],
    "storage_offset": {"as_int": 0}}},
  "tied": {"path_name": "weight_0", "use_pickle": false, "tensor_meta": {"dtype": 7,
    "sizes": [{"as_int": 1}], "strides": [{"as_int": 1}], "storage_offset": {"as_int": 1}}}}})";

TEST(TorchExport, FindsTheWeightsThatTheConfigurationNames) {
  const std::string file = make_zip({{"m/data/weights/weight_0", "abcdefgh"},
                                     {"m/data/weights/model_weights_config.json", kWeightsConfig},
                                     {"m/byteorder", "little"}});
  const Layout layout = detect(file);
  EXPECT_EQ(layout.format, "pytorch-export") << layout.opaque_reason;
  ASSERT_EQ(names_of(layout), "fc.weight tied ");
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::f32);
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcdefgh");
  EXPECT_EQ(content_of(file, layout.tensors[1]), "efgh");
}

TEST(TorchExport, RefusesAWeightThatIsShorterThanItsShape) {
  const std::string file = make_zip({{"m/data/weights/weight_0", "abcd"},
                                     {"m/data/weights/model_weights_config.json", kWeightsConfig}});
  EXPECT_EQ(detect(file).opaque_reason, "zip: tensor fc.weight is not in its storage");
}

class OneFile final : public Neighbours {
 public:
  OneFile(std::string name, std::string bytes) : name_(std::move(name)), bytes_(std::move(bytes)) {}
  std::shared_ptr<const ByteSource> open(std::string_view name) const override {
    return name == name_ ? std::make_shared<SpanSource>(bytes_of(bytes_)) : nullptr;
  }
  std::vector<std::string> names() const override { return {name_}; }

 private:
  std::string name_;
  std::string bytes_;
};

void add_place(Pickle& pickle, std::string_view fqn, std::uint32_t row, std::uint32_t offset) {
  pickle.global("torch.distributed.checkpoint.metadata", "MetadataIndex").op(")\x81}(");
  pickle.text("fqn").text(fqn).text("offset").global("torch", "Size").op("(").tuple({row, 0});
  pickle.op("tRub").global("torch.distributed.checkpoint.filesystem", "_StorageInfo");
  pickle.op(")\x81}(").text("relative_path").text("__0_0.distcp").text("offset").integer(offset);
  pickle.op("ub");
}

TEST(TorchDistributed, NamesArchivesByTheMetadataBesideThem) {
  Pickle one;
  rebuild(one, "_rebuild_tensor_v2", "FloatStorage").op("tR");
  const std::string part = archive(one, "abcdefgh");
  Pickle metadata;
  metadata.global("torch.distributed.checkpoint.metadata", "Metadata").op(")\x81}");
  metadata.text("storage_data").op("}(");
  add_place(metadata, "w", 0, 0);
  add_place(metadata, "w", 512, static_cast<std::uint32_t>(part.size()));
  const OneFile neighbours(".metadata", metadata.op("usb").stop());
  const std::string two = part + part;
  const SpanSource source{bytes_of(two)};
  EXPECT_EQ(names_of(detect_layout(source, "__0_0.distcp", &neighbours)), "w w[512,0] ");
  EXPECT_EQ(names_of(detect_layout(source, "__1_0.distcp", &neighbours)), "0 1 ");
  const SpanSource alone{bytes_of(part)};
  EXPECT_EQ(names_of(detect_layout(alone, "__0_0.distcp", &neighbours)), "w ");
}

}  // namespace
}  // namespace weightfs::format
