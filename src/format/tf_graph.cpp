// TensorFlow graphs: a frozen GraphDef, or a SavedModel with one GraphDef a meta graph. What is
// found are the tensors of Const nodes. tensorflow/core/framework/{graph,node_def,tensor}.proto.
#include "bounds.h"
#include "layout_builder.h"
#include "parsers.h"
#include "tf_dtype.h"
#include "wire.h"

namespace weightfs::format {
namespace {

// A constant inside of a function is a detail of its code: it gets an extent where it is worth a
// cut, and is not listed.
constexpr std::uint64_t kMinFunctionConstantBytes = 1024;

enum class Scope { graph, function };

struct ConstNode {
  std::string name;
  bool is_const = false;
  Tensor tensor;
  bool is_run = false;  // tensor_content, or a packed field of floats
};

class GraphReader {
 public:
  GraphReader(const ByteSource& source, LayoutBuilder& builder)
      : file_(source), builder_(builder) {}

  Status read_saved_model() {
    WireMessage message(file_);
    while (const auto field = message.next()) {
      if (field->is_bytes(2)) read_meta_graph(*field);
    }
    return status();
  }

  Status read_graph_def() {
    WireMessage message(file_);
    read_graph(message);
    return status();
  }

 private:
  Status status() const {
    if (file_.failed()) return fail(Code::invalid, "the protobuf message is broken");
    return {};
  }

  void read_meta_graph(const WireField& meta_graph) {
    WireMessage message(file_, meta_graph);
    while (const auto field = message.next()) {
      if (!field->is_bytes(2)) continue;
      WireMessage graph(file_, *field);
      read_graph(graph);
    }
  }

  void read_graph(WireMessage& graph) {
    while (const auto field = graph.next()) {
      if (field->is_bytes(1)) read_node(*field, Scope::graph);
      if (field->is_bytes(2)) read_library(*field);
    }
  }

  // FunctionDefLibrary.function, FunctionDef.node_def.
  void read_library(const WireField& library) {
    WireMessage message(file_, library);
    while (const auto function = message.next()) {
      if (!function->is_bytes(1)) continue;
      WireMessage nodes(file_, *function);
      while (const auto node = nodes.next()) {
        if (node->is_bytes(3)) read_node(*node, Scope::function);
      }
    }
  }

  void read_node(const WireField& node, Scope scope) {
    ConstNode found;
    WireMessage message(file_, node);
    while (const auto field = message.next()) {
      if (field->is_bytes(1)) found.name = file_.text(*field);
      if (field->is_bytes(2)) found.is_const = file_.text(*field) == "Const";
      if (field->is_bytes(5) && found.is_const) read_attribute(*field, found);
    }
    if (!found.is_const || found.tensor.length_bytes == 0) return;
    found.tensor.name = std::move(found.name);
    if (scope == Scope::graph) {
      add(std::move(found));
    } else {
      add_function_constant(found);
    }
  }

  static bool is_dense(const ConstNode& found) {
    const Tensor& tensor = found.tensor;
    return found.is_run && tensor_bytes_of(tensor.shape, tensor.dtype) == tensor.length_bytes;
  }

  void add_function_constant(const ConstNode& found) {
    const Tensor& tensor = found.tensor;
    if (!is_dense(found) || tensor.length_bytes < kMinFunctionConstantBytes) return;
    builder_.add_extent({.offset_bytes = tensor.offset_bytes,
                         .length_bytes = tensor.length_bytes,
                         .dtype = tensor.dtype,
                         .row_bytes = row_bytes_of(tensor.shape, tensor.dtype)});
  }

  void add(ConstNode found) {
    Tensor& tensor = found.tensor;
    if (is_dense(found)) {
      builder_.add_tensor(std::move(tensor));
      return;
    }
    // A single value that stands for all elements, strings, varints.
    tensor.note = "encoded";
    if (tensor.dtype != Dtype::string && found.is_run) builder_.add_view(std::move(tensor));
  }

  // An entry of the map `attr`: a name and an AttrValue, of which the tensor counts.
  void read_attribute(const WireField& entry, ConstNode& found) {
    WireMessage message(file_, entry);
    while (const auto field = message.next()) {
      if (!field->is_bytes(2)) continue;
      WireMessage value(file_, *field);
      while (const auto inner = value.next()) {
        if (inner->is_bytes(8)) read_tensor(*inner, found);
      }
    }
  }

  void read_tensor(const WireField& proto, ConstNode& found) {
    WireMessage message(file_, proto);
    while (const auto field = message.next()) {
      if (field->is_varint(1)) found.tensor.dtype = tf_dtype(field->value);
      if (field->is_bytes(2)) read_shape(*field, found.tensor.shape);
      // tensor_content, float_val, double_val: little-endian runs.
      if (field->is_bytes(4) || field->is_bytes(5) || field->is_bytes(6)) {
        found.is_run = found.tensor.length_bytes == 0;
        found.tensor.offset_bytes = field->offset_bytes;
        found.tensor.length_bytes = field->length_bytes;
      }
    }
  }

  void read_shape(const WireField& shape, std::vector<std::uint64_t>& dimensions) {
    WireMessage message(file_, shape);
    while (const auto field = message.next()) {
      if (!field->is_bytes(2) || dimensions.size() > kMaxDimensions) continue;
      std::uint64_t size = 0;
      WireMessage dimension(file_, *field);
      while (const auto inner = dimension.next()) {
        if (inner->is_varint(1)) size = inner->value;
      }
      dimensions.push_back(size);
    }
  }

  WireFile file_;
  LayoutBuilder& builder_;
};

// A NodeDef starts with its name and its op, both printable.
bool looks_like_node(const ByteSource& source, const WireField& node) {
  WireFile file(source);
  WireMessage message(file, node);
  const auto node_name = message.next();
  const auto op = message.next();
  if (!node_name || !op || !node_name->is_bytes(1) || !op->is_bytes(2)) return false;
  const std::string text = file.text(*op);
  if (file.failed() || text.empty()) return false;
  for (const char c : text) {
    const bool is_name = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '_' || c == '>';
    if (!is_name) return false;
  }
  // A FileDescriptorSet begins alike, and has more fields.
  constexpr std::uint32_t kLastNodeField = 7;
  while (const auto field = message.next()) {
    if (field->number > kLastNodeField) return false;
  }
  return !file.failed();
}

bool looks_like_graph_def(const ByteSource& source) {
  const auto fields = top_level_fields(source, 64);
  if (!fields || fields->empty() || !fields->front().is_bytes(1)) return false;
  for (const WireField& field : *fields) {
    const bool is_known = field.is_bytes(1) || field.is_bytes(2) || field.is_varint(3) ||
                          field.is_bytes(4) || field.is_bytes(5);
    if (!is_known) return false;
  }
  return looks_like_node(source, fields->front());
}

class GraphDefParser final : public Parser {
 public:
  std::string_view name() const override { return "tf-graphdef"; }

  Confidence detect(const ParseInput& input) const override {
    return looks_like_graph_def(input.source) ? Confidence::likely : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(GraphReader(input.source, builder).read_graph_def());
    return std::move(builder).finish();
  }
};

// SavedModel: a schema version, then MetaGraphDefs that start with a MetaInfoDef.
class SavedModelParser final : public Parser {
 public:
  std::string_view name() const override { return "tf-savedmodel"; }

  Confidence detect(const ParseInput& input) const override {
    const auto fields = top_level_fields(input.source, 8);
    if (!fields || fields->size() < 2) return Confidence::none;
    if (!fields->front().is_varint(1) || fields->front().value != 1) return Confidence::none;
    for (std::size_t i = 1; i < fields->size(); ++i) {
      if (!(*fields)[i].is_bytes(2)) return Confidence::none;
    }
    return starts_with_meta_info(input.source, (*fields)[1]) ? Confidence::likely
                                                             : Confidence::none;
  }

  Result<Layout> parse(const ParseInput& input) const override {
    LayoutBuilder builder(name(), input.source.size_bytes());
    WEIGHTFS_TRY(GraphReader(input.source, builder).read_saved_model());
    return std::move(builder).finish();
  }

 private:
  static bool starts_with_meta_info(const ByteSource& source, const WireField& meta_graph) {
    WireFile file(source);
    WireMessage message(file, meta_graph);
    bool has_graph = false;
    while (const auto field = message.next()) {
      if (field->number > 7) return false;
      has_graph = has_graph || field->is_bytes(2);
    }
    return has_graph && !file.failed();
  }
};

}  // namespace

const Parser& tf_graph_def_parser() {
  static const GraphDefParser kParser;
  return kParser;
}

const Parser& tf_saved_model_parser() {
  static const SavedModelParser kParser;
  return kParser;
}

}  // namespace weightfs::format
