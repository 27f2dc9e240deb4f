#include "safetensors_header.h"

#include <array>
#include <nlohmann/json.hpp>

#include "bounds.h"

namespace weightfs::format {
namespace {

using Json = nlohmann::json;

constexpr std::array kDtypes = {
    Dtype::f64,     Dtype::f32,         Dtype::f16,         Dtype::bf16,    Dtype::f8_e4m3,
    Dtype::f8_e5m2, Dtype::f8_e4m3fnuz, Dtype::f8_e5m2fnuz, Dtype::f8_e8m0, Dtype::f6_e2m3,
    Dtype::f6_e3m2, Dtype::f4,          Dtype::i64,         Dtype::i32,     Dtype::i16,
    Dtype::i8,      Dtype::i4,          Dtype::u64,         Dtype::u32,     Dtype::u16,
    Dtype::u8,      Dtype::u4,          Dtype::boolean,     Dtype::c64,     Dtype::c128,
};

std::optional<Dtype> safetensors_dtype(std::string_view name) {
  for (const Dtype dtype : kDtypes) {
    if (dtype_name(dtype) == name) return dtype;
  }
  return std::nullopt;
}

// Receives nlohmann's SAX events. The grammar has three levels, and `place_` says where we are; an
// event that the grammar doesn't have there stops the parser, so that nesting costs nothing.
class HeaderHandler final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderHandler(SafetensorsHeader& header) : header_(header) {}

  const std::string& reason() const { return reason_; }

  bool null() override { return refuse("an unexpected null"); }
  bool boolean(bool) override { return refuse("an unexpected boolean"); }
  bool number_float(number_float_t, const string_t&) override {
    return refuse("a fraction where an integer belongs");
  }
  bool binary(binary_t&) override { return refuse("unexpected bytes"); }
  bool number_integer(number_integer_t) override { return refuse("a negative number"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (place_ == Place::shape && tensor_.shape.size() < kMaxDimensions) {
      tensor_.shape.push_back(value);
      return true;
    }
    if (place_ == Place::offsets && offsets_.size() < 2) {
      offsets_.push_back(value);
      return true;
    }
    return refuse("an unexpected number");
  }

  bool string(string_t& value) override {
    if (place_ == Place::metadata) {
      header_.metadata.emplace_back(std::move(key_), std::move(value));
      return true;
    }
    if (place_ != Place::tensor || field_ != Field::dtype) return refuse("an unexpected string");
    const auto dtype = safetensors_dtype(value);
    if (!dtype) return refuse("an unknown dtype");
    tensor_.dtype = *dtype;
    return true;
  }

  bool key(string_t& name) override {
    key_ = std::move(name);
    if (place_ != Place::tensor) return true;
    return begin_field();
  }

  bool start_object(std::size_t) override {
    switch (place_) {
      case Place::outside:
        place_ = Place::top;
        return true;
      case Place::top:
        return begin_member();
      default:
        return refuse("objects are nested too deep");
    }
  }

  bool end_object() override {
    const Place ended = place_;
    place_ = ended == Place::top ? Place::outside : Place::top;
    return ended != Place::tensor || end_tensor();
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::tensor || field_ == Field::dtype) return refuse("an unexpected array");
    place_ = field_ == Field::shape ? Place::shape : Place::offsets;
    return true;
  }

  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return refuse("not JSON at byte " + std::to_string(position));
  }

 private:
  enum class Place { outside, top, metadata, tensor, shape, offsets };
  enum class Field : unsigned { none = 0, dtype = 1, shape = 2, data_offsets = 4 };
  static constexpr unsigned kAllFields = 7;

  bool refuse(std::string reason) {
    if (reason_.empty()) reason_ = std::move(reason);
    return false;
  }

  bool begin_member() {
    if (key_ == "__metadata__") {
      place_ = Place::metadata;
      return true;
    }
    if (header_.tensors.size() >= kMaxTensors) return refuse("too many tensors");
    place_ = Place::tensor;
    tensor_ = Tensor{};
    tensor_.name = std::move(key_);
    offsets_.clear();
    fields_seen_ = 0;
    field_ = Field::none;
    return true;
  }

  bool begin_field() {
    field_ = key_ == "dtype"          ? Field::dtype
             : key_ == "shape"        ? Field::shape
             : key_ == "data_offsets" ? Field::data_offsets
                                      : Field::none;
    const auto bit = static_cast<unsigned>(field_);
    if (bit == 0 || (fields_seen_ & bit) != 0) return refuse("an unknown or repeated field");
    fields_seen_ |= bit;
    return true;
  }

  bool end_tensor() {
    if (fields_seen_ != kAllFields || offsets_.size() != 2 || offsets_[0] > offsets_[1]) {
      return refuse("tensor " + tensor_.name + " lacks a field or its offsets are wrong");
    }
    tensor_.offset_bytes = offsets_[0];
    tensor_.length_bytes = offsets_[1] - offsets_[0];
    header_.tensors.push_back(std::move(tensor_));
    return true;
  }

  SafetensorsHeader& header_;
  Place place_ = Place::outside;
  Field field_ = Field::none;
  unsigned fields_seen_ = 0;
  std::string key_;
  Tensor tensor_;
  std::vector<std::uint64_t> offsets_;
  std::string reason_;
};

}  // namespace

Result<SafetensorsHeader> parse_safetensors_header(std::string_view json) {
  SafetensorsHeader header;
  HeaderHandler handler(header);
  if (!Json::sax_parse(json, &handler)) return fail(Code::invalid, handler.reason());
  return header;
}

}  // namespace weightfs::format
