// Families of the corpus: each relative must find its base without being told a name.
#include <gtest/gtest.h>

#include "../format/corpus.h"
#include "weightfs/similar/base_search.h"

namespace weightfs::similar {
namespace {

// Smaller tensors hardly matter, and look alike.
constexpr std::uint64_t kLeastBytes = 4096;

struct Model {
  std::string bytes;
  std::vector<Tensor> tensors;

  ByteSpan tensor(std::size_t index) const {
    const Tensor& t = tensors[index];
    return bytes_of(bytes).subspan(t.offset_bytes, t.length_bytes);
  }
};

Model load(const std::string& path) {
  Model model{.bytes = format::testing::read_file(format::testing::corpus_directory() / path),
              .tensors = {}};
  const SpanSource source(bytes_of(model.bytes));
  for (Tensor& tensor : format::detect_layout(source, path).tensors) {
    if (tensor.length_bytes >= kLeastBytes) model.tensors.push_back(std::move(tensor));
  }
  return model;
}

TensorSketch sketch_of(const Model& model, std::size_t index, std::string_view name) {
  const Tensor& tensor = model.tensors[index];
  return sketch_tensor({.name = name,
                        .dtype = tensor.dtype,
                        .shape = tensor.shape,
                        .length_bytes = tensor.length_bytes},
                       model.tensor(index))
      .value();
}

struct Findings {
  double tensors = 0;
  double right = 0;  // the tensor of the same name was chosen
  double chosen_bytes = 0, raw_bytes = 0;

  double share_right() const { return right / tensors; }
  double ratio() const { return chosen_bytes / raw_bytes; }
};

// Looks for each tensor of `relative` among those of `base`, names hidden.
Findings search(const Model& base, const Model& relative) {
  SketchIndex index;
  for (std::size_t i = 0; i < base.tensors.size(); ++i) {
    index.insert(i, sketch_of(base, i, "base " + std::to_string(i)));
  }
  const auto read_stored = [&](std::uint64_t id, std::uint64_t offset, MutableByteSpan out) {
    return SpanSource(base.tensor(id)).read_at(offset, out);
  };
  codec::Scratch scratch;
  Findings findings;
  for (std::size_t i = 0; i < relative.tensors.size(); ++i) {
    const Tensor& tensor = relative.tensors[i];
    const SpanSource source(relative.tensor(i));
    const NewTensor wanted = {
        .dtype = tensor.dtype,
        .length_bytes = tensor.length_bytes,
        .read = [&](auto offset, auto out) { return source.read_at(offset, out); }};
    const auto candidates = index.candidates(sketch_of(relative, i, "relative"));
    const auto choice = choose_base(wanted, candidates, read_stored, scratch);
    EXPECT_TRUE(choice.has_value());
    const bool chosen = choice && choice->has_value();
    findings.tensors += 1;
    findings.raw_bytes += static_cast<double>(tensor.length_bytes);
    findings.chosen_bytes +=
        static_cast<double>(tensor.length_bytes) * (chosen ? (*choice)->ratio : 1);
    if (chosen && base.tensors[(*choice)->id].name == tensor.name) findings.right += 1;
  }
  return findings;
}

struct Family {
  const char* base;
  const char* relative;
  double least_right;  // share of tensors
  double most_ratio;
};

void PrintTo(const Family& family, std::ostream* out) {
  *out << family.relative;
}

class CorpusFamily : public testing::TestWithParam<Family> {};

TEST_P(CorpusFamily, FindsItsBaseUnderOtherNames) {
  const Family& family = GetParam();
  const Model base = load(family.base);
  const Model relative = load(family.relative);
  ASSERT_FALSE(base.bytes.empty()) << "no corpus: ../shared/corpus, or WEIGHTFS_CORPUS";
  ASSERT_FALSE(relative.tensors.empty());
  const Findings findings = search(base, relative);
  RecordProperty("ratio", std::to_string(findings.ratio()));
  EXPECT_GE(findings.share_right(), family.least_right);
  EXPECT_LE(findings.ratio(), family.most_ratio);
}

INSTANTIATE_TEST_SUITE_P(Trained, CorpusFamily,
                         testing::Values(Family{"trained/lm5m_base_bf16.safetensors",
                                                "trained/lm5m_ft_lr2e-6_bf16.safetensors", 1, 0.14},
                                         Family{"trained/lm5m_base_bf16.safetensors",
                                                "trained/lm5m_ft_lr1e-5_bf16.safetensors", 1, 0.27},
                                         Family{"trained/lm5m_base_bf16.safetensors",
                                                "trained/lm5m_ft_lora8b_bf16.safetensors", 1, 0.38},
                                         Family{"trained/lm1m_adam_step950.pt",
                                                "trained/lm1m_adam_step1000.pt", 0.33, 0.95}));

INSTANTIATE_TEST_SUITE_P(Found, CorpusFamily,
                         testing::Values(Family{
                             "keras-h5/minimaxir+textgenrnn__textgenrnn_textgenrnn_weights.hdf5",
                             "keras-h5/minimaxir+textgenrnn__weights_hacker_news.hdf5", 0.5, 1}));

}  // namespace
}  // namespace weightfs::similar
