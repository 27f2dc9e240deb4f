#include <algorithm>
#include <array>
#include <exception>

#include "bounds.h"
#include "guess.h"
#include "nested.h"
#include "parsers.h"
#include "source_io.h"

namespace weightfs::format {
namespace {

struct Candidate {
  const Parser* parser;
  Confidence confidence;
};

// No exception of a parser or of the library beneath it leaves this file.
Confidence detect_safely(const Parser& parser, const ParseInput& input) {
  try {
    return parser.detect(input);
  } catch (const std::exception&) {
    return Confidence::none;
  }
}

Result<Layout> parse_safely(const Parser& parser, const ParseInput& input) {
  try {
    Result<Layout> layout = parser.parse(input);
    if (layout) WEIGHTFS_TRY(validated(*layout, input.source.size_bytes()));
    return layout;
  } catch (const std::exception& exception) {
    return fail(Code::invalid, exception.what());
  }
}

// The surest first; among equals, the order of all_parsers().
std::vector<Candidate> candidates_of(const ParseInput& input, Confidence least) {
  std::vector<Candidate> candidates;
  for (const Parser* parser : all_parsers()) {
    const Confidence confidence = detect_safely(*parser, input);
    if (confidence >= least) candidates.push_back({parser, confidence});
  }
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const Candidate& a, const Candidate& b) { return a.confidence > b.confidence; });
  return candidates;
}

struct Attempt {
  std::optional<Layout> layout;
  // Otherwise: what the surest parser said, and whether it was more than a weak suspicion.
  std::string reason;
  bool was_sure = false;
};

// A parser that was sure of the file ends the search when it fails: what looks like a broken
// safetensors file is not to be taken for a headerless array of floats.
Attempt first_layout(const std::vector<Candidate>& candidates, const ParseInput& input) {
  Attempt attempt;
  for (const Candidate& candidate : candidates) {
    if (attempt.was_sure && candidate.confidence == Confidence::weak) break;
    Result<Layout> layout = parse_safely(*candidate.parser, input);
    if (layout) {
      attempt.layout = *std::move(layout);
      break;
    }
    attempt.was_sure = attempt.was_sure || candidate.confidence != Confidence::weak;
    if (attempt.reason.empty()) {
      attempt.reason = std::string(candidate.parser->name()) + ": " + layout.error().message;
    }
  }
  return attempt;
}

Layout guessed_or_opaque(const ByteSource& source, Attempt attempt) {
  if (!attempt.was_sure) {
    if (auto layout = guess_layout(source)) {
      layout->opaque_reason = std::move(attempt.reason);
      return *std::move(layout);
    }
  }
  if (attempt.reason.empty()) attempt.reason = "no parser knows this file";
  return opaque_layout(source.size_bytes(), std::move(attempt.reason));
}

}  // namespace

std::span<const Parser* const> all_parsers() {
  static const std::array kParsers = {
      &darknet_parser(),
      &gguf_parser(),
      &ggml_legacy_parser(),
      &llama2c_parser(),
      &tesseract_parser(),
      &npy_parser(),
      &pickle_parser(),
      &safetensors_parser(),
      &safetensors_index_parser(),
      &torch_legacy_parser(),
      &torch_tar_parser(),
      &zip_parser(),
      &onnx_parser(),
      &onnx_data_parser(),
      &tf_graph_def_parser(),
      &tf_saved_model_parser(),
      &caffe_parser(),
      &tflite_parser(),
      &mnn_parser(),
      &hdf5_parser(),
      &keras_parser(),
      &tf_index_parser(),
      &tf_shard_parser(),
      &tfjs_manifest_parser(),
      &tfjs_shard_parser(),
      &coreml_model_parser(),
      &coreml_weights_parser(),
      &mxnet_parser(),
      &flax_parser(),
      &dlib_parser(),
      &ncnn_parser(),
      &zarr_parser(),
      &ocdbt_parser(),
  };
  return kParsers;
}

Layout detect_layout(const ByteSource& source, std::string_view name,
                     const Neighbours* neighbours) {
  const MeteredSource metered(source, kMaxReadBytes, kMaxParseTime);
  const Result<ByteVector> head = read_head(metered, kHeadBytes);
  if (!head) return opaque_layout(source.size_bytes(), head.error().message);
  const ParseInput input{.source = metered, .head = *head, .name = name, .neighbours = neighbours};
  Attempt attempt = first_layout(candidates_of(input, Confidence::weak), input);
  if (attempt.layout) return *std::move(attempt.layout);
  return guessed_or_opaque(metered, std::move(attempt));
}

Layout parse_nested(const ParseInput& outer, const NestedFile& file) {
  if (outer.nesting + 1 >= kMaxNesting) return opaque_layout(file.length_bytes, "nested too deep");
  const SliceSource slice(outer.source, file.offset_bytes, file.length_bytes);
  const Result<ByteVector> head = read_head(slice, kHeadBytes);
  if (!head) return opaque_layout(file.length_bytes, head.error().message);
  const ParseInput input{
      .source = slice, .head = *head, .name = file.name, .nesting = outer.nesting + 1};
  Attempt attempt = first_layout(candidates_of(input, Confidence::likely), input);
  if (attempt.layout) return *std::move(attempt.layout);
  return opaque_layout(file.length_bytes, std::move(attempt.reason));
}

}  // namespace weightfs::format
