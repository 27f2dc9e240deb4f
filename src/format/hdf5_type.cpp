#include "hdf5_type.h"

#include "hdf5_attribute.h"

namespace weightfs::format {
namespace {

// Datatype classes.
enum : std::uint8_t {
  kInteger = 0,
  kFloat = 1,
  kString = 3,
  kCompound = 6,
  kEnumeration = 8,
  kVariableLength = 9,
};

Dtype integer_of(std::uint32_t size_bytes, bool is_signed) {
  switch (size_bytes) {
    case 1:
      return is_signed ? Dtype::i8 : Dtype::u8;
    case 2:
      return is_signed ? Dtype::i16 : Dtype::u16;
    case 4:
      return is_signed ? Dtype::i32 : Dtype::u32;
    case 8:
      return is_signed ? Dtype::i64 : Dtype::u64;
    default:
      return Dtype::opaque;
  }
}

// Of floats, the width of the exponent tells them apart.
Dtype float_of(std::uint32_t size_bytes, unsigned exponent_bits) {
  if (size_bytes == 8 && exponent_bits == 11) return Dtype::f64;
  if (size_bytes == 4 && exponent_bits == 8) return Dtype::f32;
  if (size_bytes == 2 && exponent_bits == 5) return Dtype::f16;
  if (size_bytes == 2 && exponent_bits == 8) return Dtype::bf16;
  if (size_bytes == 1 && exponent_bits == 5) return Dtype::f8_e5m2;
  return Dtype::opaque;
}

// Where a shared message's body is: the address of the object that committed the type.
std::uint64_t committed_address(Hdf5Reader& reader, const Hdf5Message& message) {
  constexpr std::uint8_t kCommitted = 2;
  reader.seek(message.address);
  const std::uint8_t version = reader.u8();
  const std::uint8_t kind = reader.u8();
  if (version == 1) reader.skip(6);
  if (version == 3 && kind != kCommitted) return Hdf5Reader::kUndefined;
  return reader.address_field();
}

class TypeReader {
 public:
  explicit TypeReader(Hdf5Reader& reader) : reader_(reader) {}

  Hdf5Type read(std::uint64_t address) {
    reader_.seek(address);
    const std::uint8_t class_and_version = reader_.u8();
    const std::uint8_t type_class = class_and_version & 0x0f;
    const unsigned version = class_and_version >> 4;
    const std::uint8_t flags = reader_.u8();
    reader_.skip(2);
    Hdf5Type type;
    type.element_bytes = reader_.u32();
    type.is_big_endian = (flags & 1) != 0 && type.element_bytes > 1;
    switch (type_class) {
      case kInteger:
        read_integer((flags & 0x08) != 0, type);
        break;
      case kFloat:
        read_float(type);
        break;
      case kString:
        type = {.dtype = Dtype::string, .element_bytes = type.element_bytes};
        break;
      case kCompound:
        read_complex(flags, type);
        break;
      case kEnumeration:
        read_enumeration(version, flags, type);
        break;
      case kVariableLength:
        type = {.dtype = Dtype::string, .element_bytes = type.element_bytes};
        type.is_variable_length = true;
        break;
      default:
        type.is_big_endian = false;
        break;
    }
    return type;
  }

 private:
  void read_integer(bool is_signed, Hdf5Type& type) {
    const unsigned bit_offset = reader_.u16();
    const unsigned precision_bits = reader_.u16();
    const bool is_whole = bit_offset == 0 && precision_bits == 8ULL * type.element_bytes;
    if (is_whole) type.dtype = integer_of(type.element_bytes, is_signed);
  }

  void read_float(Hdf5Type& type) {
    reader_.skip(5);  // bit offset, precision, where the exponent is
    type.dtype = float_of(type.element_bytes, reader_.u8());
  }

  // h5py's booleans are an enumeration of FALSE and TRUE; any other is what its base is.
  void read_enumeration(unsigned version, std::uint8_t member_count, Hdf5Type& type) {
    constexpr std::uint64_t kIntegerBytes = 12;
    const std::uint64_t base = reader_.address();
    const bool may_be_bool = member_count == 2 && type.element_bytes == 1;
    type = read(base);
    if (!may_be_bool) return;
    reader_.seek(base + kIntegerBytes);
    std::string names = reader_.terminated_text();
    // Before version 3 names are padded to multiples of 8 with their zero byte.
    if (version < 3) reader_.skip(7 - names.size() % 8);
    names.append(" ").append(reader_.terminated_text());
    if (names == "FALSE TRUE") type.dtype = Dtype::boolean;
  }

  // h5py's complex numbers: a compound of "r" and "i".
  void read_complex(std::uint8_t member_count, Hdf5Type& type) {
    type.is_big_endian = false;
    if (member_count != 2 || reader_.terminated_text() != "r") return;
    if (type.element_bytes == 8) type.dtype = Dtype::c64;
    if (type.element_bytes == 16) type.dtype = Dtype::c128;
  }

  Hdf5Reader& reader_;
};

// Keras keeps bfloat16 as opaque elements of two bytes, and says so in an attribute.
bool has_bfloat16_attribute(Hdf5Reader& reader, const std::vector<Hdf5Message>& messages) {
  return hdf5_text_attribute(reader, messages, "dtype").starts_with("bfloat16");
}

}  // namespace

Hdf5Type hdf5_type_of(Hdf5Reader& reader, const std::vector<Hdf5Message>& messages) {
  const Hdf5Message* message = find_message(messages, Hdf5MessageType::datatype);
  if (message == nullptr) return {};
  if (message->is_shared()) {
    const std::uint64_t address = committed_address(reader, *message);
    if (address == Hdf5Reader::kUndefined || reader.failed()) return {};
    const auto committed = hdf5_messages_of(reader, address);
    const Hdf5Message* body = find_message(committed, Hdf5MessageType::datatype);
    return body == nullptr || body->is_shared() ? Hdf5Type{}
                                                : TypeReader(reader).read(body->address);
  }
  Hdf5Type type = TypeReader(reader).read(message->address);
  const bool may_be_bf16 = type.dtype == Dtype::opaque && type.element_bytes == 2;
  if (may_be_bf16 && has_bfloat16_attribute(reader, messages)) type.dtype = Dtype::bf16;
  return type;
}

}  // namespace weightfs::format
