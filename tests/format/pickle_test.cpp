// The pickle machine, and the arrays in pickles, .npy and joblib's files.
#include <gtest/gtest.h>

#include "file_maker.h"
#include "pickle_machine.h"
#include "pickle_walk.h"

namespace weightfs::format {
namespace {

using testing::Bytes;
using testing::content_of;
using testing::detect;
using testing::Pickle;

struct Read {
  explicit Read(std::string text) : file(std::move(text)), source(bytes_of(file)), in(source) {
    value = read_pickle(in, heap);
  }
  std::string file;
  SpanSource source;
  SourceReader in;
  PickleHeap heap;
  Result<PickleRef> value{PickleHeap::kNone};
};

TEST(PickleMachine, ReadsNumbersOfAllProtocols) {
  const Read read(Pickle().op("(K\x07M\x34\x12J\xff\xff\xff\xffI12\nL-3L\n\x8a\x01\xfet").stop());
  ASSERT_TRUE(read.value) << read.value.error().message;
  const auto items = read.heap.items(*read.value);
  ASSERT_EQ(items.size(), 6U);
  const std::int64_t expected[] = {7, 0x1234, -1, 12, -3, -2};
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_EQ(read.heap.integer(items[i]), expected[i]) << i;
  }
}

TEST(PickleMachine, KeepsContainersThatGrowAfterTheyWereMemoized) {
  const Read read(Pickle(4).op("]\x94(h").op(std::string_view("\0", 1)).op("K\x01").op("e").stop());
  ASSERT_TRUE(read.value) << read.value.error().message;
  const auto items = read.heap.items(*read.value);
  ASSERT_EQ(items.size(), 2U);
  EXPECT_EQ(items[0], *read.value);
}

TEST(PickleMachine, CallsNothingAndRemembersWhatWouldHaveBeenCalled) {
  const Read read(Pickle().global("os", "system").text("rm -rf /").op("\x85R").stop());
  ASSERT_TRUE(read.value);
  EXPECT_EQ(read.heap.callable_name(*read.value), "os.system");
  EXPECT_EQ(read.heap.text(read.heap.items(read.heap.object(*read.value).arguments)[0]),
            "rm -rf /");
}

TEST(PickleMachine, SaysWhereTheBytesOfStringsLie) {
  const std::string data(5000, 'x');
  const Read read(Pickle().bytes(data).stop());
  ASSERT_TRUE(read.value);
  const auto range = read.heap.range(*read.value);
  ASSERT_TRUE(range);
  EXPECT_EQ(read.file.substr(range->offset_bytes, range->length_bytes), data);
  EXPECT_EQ(read.heap.text(*read.value), "");  // too long to be a name
}

TEST(PickleMachine, RefusesWhatNoPicklerWrites) {
  const std::string cases[] = {
      Pickle().stop(),                           // nothing on the stack
      Pickle().op("N").str(),                    // no STOP
      Pickle().op("0").stop(),                   // pops nothing
      Pickle().op("N(0N0t").op("0").stop(),      // pops below a mark
      Pickle().op("t").stop(),                   // no mark
      Pickle().op("h\x07").stop(),               // not memoized
      Pickle().op("Nr\xff\xff\xff\x7f").stop(),  // a memo of two billion entries
      Pickle().op("X\xff\xff\xff\xff").stop(),   // a string past the end
      Pickle().op("\x8e\xff\xff\xff\xff\xff\xff\xff\xff").stop(),
      Pickle().op("NNa").stop(),   // None is no list
      Pickle().op("\xff").stop(),  // unknown
  };
  for (const std::string& text : cases) EXPECT_FALSE(Read(text).value) << text;
}

TEST(PickleMachine, EndsOnMarksAndDepthWithoutBound) {
  EXPECT_FALSE(Read(Pickle().op(std::string(6'000'000, '(')).stop()).value);
  EXPECT_FALSE(Read(Pickle().op(std::string(6'000'000, 'N')).stop()).value);
}

class Collect final : public PickleVisitor {
 public:
  bool visit(PickleRef, std::string_view name) override {
    names.emplace_back(name);
    return false;
  }
  std::vector<std::string> names;
};

TEST(PickleWalk, NamesObjectsByKeysAndIndices) {
  Read read(Pickle()
                .op("}")
                .text("a")
                .op("](")
                .global("m", "C")
                .op(")\x81")
                .global("m", "D")
                .op(")\x81}")
                .text("x")
                .global("m", "E")
                .op(")\x81sbes")
                .stop());
  ASSERT_TRUE(read.value) << read.value.error().message;
  Collect collect;
  walk_pickle(read.heap, *read.value, collect);
  EXPECT_EQ(collect.names, (std::vector<std::string>{"a.0", "a.1", "a.1.x"}));
}

TEST(PickleWalk, EndsOnCyclesAndDeepNesting) {
  Read cycle(Pickle(4).op("]\x94h").op(std::string_view("\0", 1)).op("a").stop());
  Collect collect;
  walk_pickle(cycle.heap, *cycle.value, collect);
  Read deep(Pickle().op(std::string(100'000, ']')).op(std::string(99'999, 'a')).stop());
  ASSERT_TRUE(deep.value);
  walk_pickle(deep.heap, *deep.value, collect);
  EXPECT_TRUE(collect.names.empty());
}

// numpy.core.multiarray._reconstruct with its state.
void add_array(Pickle& pickle, std::string_view dtype, std::string_view order,
               const std::vector<std::uint32_t>& shape, std::string_view data) {
  pickle.global("numpy.core.multiarray", "_reconstruct").global("numpy", "ndarray");
  pickle.op(std::string_view("K\0\x85", 3)).bytes("b").op("\x87R(K\x01").tuple(shape);
  pickle.global("numpy", "dtype").text(dtype).op("\x89\x88\x87R(K\x03").text(order).op("NNNtb");
  pickle.op("\x89").bytes(data).op("tb");
}

TEST(NumpyPickle, FindsArraysInObjectsOfAnyClass) {
  Pickle pickle;
  pickle.global("sklearn.svm", "SVC").op(")\x81}").text("coef_");
  add_array(pickle, "f4", "<", {2, 1}, "abcdefgh");
  const std::string file = pickle.op("sb").stop();
  const Layout layout = detect(file);
  EXPECT_EQ(layout.format, "pickle");
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].name, "coef_");
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcdefgh");
  EXPECT_EQ(testing::typed_extents(layout)[0].row_bytes, 4U);
}

TEST(NumpyPickle, KnowsTheTypesOfMlDtypes) {
  Pickle pickle;
  pickle.global("numpy._core.multiarray", "_reconstruct").global("numpy", "ndarray");
  pickle.op(std::string_view("K\0\x85", 3)).bytes("b").op("\x87R(K\x01").tuple({2});
  pickle.global("numpy", "dtype").global("ml_dtypes", "bfloat16").op("\x89\x88\x87R(K\x03");
  const std::string file = pickle.text("<").op("NNNtb\x89").bytes("abcd").op("tb").stop();
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::bf16);
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcd");
}

TEST(NumpyPickle, FindsTheArraysOfJax) {
  Pickle pickle;
  pickle.global("jax._src.array", "_reconstruct_array").op("(");
  pickle.global("numpy._core.multiarray", "_reconstruct").op(")(K\x01").tuple({2});
  pickle.global("numpy", "dtype").text("f4").op("\x89\x88\x87R(K\x03").text("<").op("NNNtb\x89");
  const std::string file = pickle.bytes("abcdefgh").op("t}tR").stop();
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcdefgh");
}

TEST(NumpyPickle, RefusesAnArrayWithoutItsBytes) {
  Pickle pickle;
  add_array(pickle, "f4", "<", {3}, "abcdefgh");
  EXPECT_EQ(detect(pickle.stop()).opaque_reason, "pickle: an array in the pickle is broken");
}

TEST(NumpyPickle, ShowsSwappedBytesAsOpaque) {
  Pickle pickle;
  add_array(pickle, "f4", ">", {1}, "abcd");
  const Layout layout = detect(pickle.stop());
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].note, "big-endian");
  EXPECT_TRUE(testing::typed_extents(layout).empty());
}

TEST(NumpyPickle, FindsTheBuffersOfProtocol5) {
  Pickle pickle(5);
  pickle.global("numpy.core.numeric", "_frombuffer")
      .op("(\x96")
      .op(Bytes().u64(4).text("abcd").str());
  pickle.global("numpy", "dtype").text("i2").op("\x89\x88\x87R(K\x03").text("<").op("NNNtb");
  const std::string file = pickle.tuple({2}).text("C").op("tR").stop();
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::i16);
  EXPECT_EQ(content_of(file, layout.tensors[0]), "abcd");
}

TEST(Joblib, FindsArraysBetweenTheOpcodes) {
  Pickle pickle(4);
  pickle.op("}").text("w").global("joblib.numpy_pickle", "NumpyArrayWrapper").op(")\x81}(");
  pickle.text("shape").tuple({2, 2}).text("order").text("F");
  pickle.text("dtype").global("numpy", "dtype").text("f8").op("\x89\x88\x87R");
  pickle.text("numpy_array_alignment_bytes").integer(16).op("ub");
  // One byte says how many of padding follow.
  pickle.op("\x03\xff\xff\xff").op("0123456789abcdef0123456789ABCDEF").op("s");
  const std::string file = pickle.stop();
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].name, "w");
  EXPECT_EQ(layout.tensors[0].note, "transposed");
  EXPECT_EQ(content_of(file, layout.tensors[0]), "0123456789abcdef0123456789ABCDEF");
}

std::string npy(std::uint8_t version, std::string_view dict, std::size_t data_bytes) {
  Bytes out;
  out.text("\x93NUMPY").u8(version).u8(0);
  version == 1 ? out.u16(static_cast<std::uint16_t>(dict.size()))
               : out.u32(static_cast<std::uint32_t>(dict.size()));
  return out.text(dict).zeros(data_bytes).str();
}

TEST(Npy, ReadsAllVersionsAndOrders) {
  for (std::uint8_t version = 1; version <= 3; ++version) {
    const Layout layout =
        detect(npy(version, "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }\n", 48));
    ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
    EXPECT_EQ(layout.tensors[0].note, "transposed");
    EXPECT_EQ(layout.tensors[0].strides_elements, (std::vector<std::int64_t>{1, 2}));
    EXPECT_EQ(testing::typed_extents(layout)[0].row_bytes, 16U);
  }
}

TEST(Npy, ShowsRecordsAsBytesOfTheirShape) {
  const std::string file = npy(
      1, "{'descr': [('x', '<f4'), ('y', '<i4')], 'fortran_order': False, 'shape': (2,), }", 16);
  const Layout layout = detect(file);
  ASSERT_EQ(layout.tensors.size(), 1U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].dtype, Dtype::opaque);
  EXPECT_EQ(layout.tensors[0].shape, std::vector<std::uint64_t>{2});
  EXPECT_EQ(layout.tensors[0].length_bytes, 16U);
  EXPECT_TRUE(testing::typed_extents(layout).empty());
}

TEST(Npy, FindsEachOfTheArraysThatWereSavedToOneFile) {
  const std::string first = npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 8);
  const Layout layout =
      detect(first + npy(1, "{'descr': '<i2', 'fortran_order': False, 'shape': (3,), }", 6));
  ASSERT_EQ(layout.tensors.size(), 2U) << layout.opaque_reason;
  EXPECT_EQ(layout.tensors[0].name, "array");
  EXPECT_EQ(layout.tensors[1].name, "array#2");
  EXPECT_EQ(layout.tensors[1].dtype, Dtype::i16);
  EXPECT_GT(layout.tensors[1].offset_bytes, first.size());
}

TEST(Npy, RefusesHeadersThatLie) {
  const char* dicts[] = {
      "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4), }",
      "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296), }",
      "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
      "{'descr': '<q9', 'fortran_order': False, 'shape': (1,), }",
      "{'descr': '<f8', 'fortran_order': False}",
      "",
  };
  for (const char* dict : dicts) {
    EXPECT_EQ(detect(npy(1, dict, 48)).opaque_reason.substr(0, 3), "npy") << dict;
  }
}

}  // namespace
}  // namespace weightfs::format
