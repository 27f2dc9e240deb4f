#include <charconv>

#include "pickle_machine_impl.h"

namespace weightfs::format {
namespace {

constexpr std::size_t kMaxMemo = 4U << 20;
constexpr std::size_t kMaxLineBytes = 64U << 20;
constexpr std::size_t kMaxKeptBytes = 128;

}  // namespace

std::uint64_t PickleMachine::unsigned_of(unsigned length_bytes) {
  switch (length_bytes) {
    case 1:
      return in_.u8();
    case 2:
      return in_.u16();
    case 4:
      return in_.u32();
    default:
      return in_.u64();
  }
}

// Up to the newline, which is read but not given; what is longer than `max_kept_bytes` is empty.
std::string PickleMachine::line(std::size_t max_kept_bytes) {
  std::string text;
  std::size_t length_bytes = 0;
  for (std::uint8_t byte = in_.u8(); byte != '\n' && !in_.failed(); byte = in_.u8()) {
    if (++length_bytes > kMaxLineBytes) return refuse("a line is too long"), std::string();
    if (length_bytes <= max_kept_bytes) text.push_back(static_cast<char>(byte));
  }
  return length_bytes <= max_kept_bytes ? text : std::string();
}

void PickleMachine::op_mark(unsigned) {
  if (marks_.size() >= kMaxStack) return refuse("a pickle has too many marks");
  marks_.push_back(stack_.size());
}

// POP takes a mark away where one is on top (pickle.py, load_pop).
void PickleMachine::op_pop(unsigned) {
  if (!marks_.empty() && marks_.back() == stack_.size()) return pop_mark();
  pop();
}

void PickleMachine::op_skip_and_push(unsigned length_bytes) {
  in_.skip(length_bytes);
  push(heap_.make_other());
}

void PickleMachine::op_unsigned(unsigned length_bytes) {
  push(heap_.make_integer(static_cast<std::int64_t>(unsigned_of(length_bytes))));
}

void PickleMachine::op_signed_32(unsigned) {
  push(heap_.make_integer(static_cast<std::int32_t>(in_.u32())));
}

// Two's complement, little-endian, of any length.
void PickleMachine::op_long(unsigned length_bytes) {
  const std::uint64_t count = unsigned_of(length_bytes);
  if (count > 8) {
    in_.skip(count);
    return push(heap_.make_other());
  }
  std::uint64_t value = 0;
  std::uint8_t last = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    last = in_.u8();
    value |= static_cast<std::uint64_t>(last) << (8 * i);
  }
  if (last >= 0x80 && count < 8) value |= ~std::uint64_t{0} << (8 * count);
  push(heap_.make_integer(static_cast<std::int64_t>(value)));
}

// "12", "12L"; "00" and "01" are booleans (pickle.py, load_int).
void PickleMachine::op_decimal_line(unsigned) {
  const std::string text = line();
  if (text == "00" || text == "01") {
    return push(text == "01" ? PickleHeap::kTrue : PickleHeap::kFalse);
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  push(error == std::errc() ? heap_.make_integer(value) : heap_.make_other());
}

void PickleMachine::op_other_line(unsigned) {
  line(0);
  push(heap_.make_other());
}

// Escapes are not undone: names have none, and an array that is escaped has no bytes to show.
void PickleMachine::op_string_line(unsigned is_text) {
  std::string text = line();
  if (is_text == 0 && text.size() >= 2) text = text.substr(1, text.size() - 2);
  push(heap_.make_string(is_text != 0 ? PickleKind::text : PickleKind::bytes, text, std::nullopt));
}

void PickleMachine::string(PickleKind kind, std::uint64_t length_bytes) {
  const PickleRange range{.offset_bytes = in_.position(), .length_bytes = length_bytes};
  if (length_bytes > in_.remaining()) return refuse("a string reaches past the end");
  // Bytes are names only in Python 2's pickles; longer ones are arrays, whose place is enough.
  const bool is_text = kind == PickleKind::text;
  if (length_bytes > (is_text ? PickleHeap::kMaxTextBytes : kMaxKeptBytes)) {
    in_.skip(length_bytes);
    return push(heap_.make_string(kind, {}, range));
  }
  push(heap_.make_string(kind, in_.text(length_bytes), range));
}

void PickleMachine::op_empty(unsigned kind) {
  push(heap_.make_container(static_cast<PickleKind>(kind)));
}

void PickleMachine::op_container(unsigned kind) {
  const PickleRef ref = heap_.make_container(static_cast<PickleKind>(kind));
  const bool are_pairs = static_cast<PickleKind>(kind) == PickleKind::dict;
  if (!heap_.append(ref, above_mark(), are_pairs)) refuse("a pickle builds nothing it can");
  pop_mark();
  push(ref);
}

void PickleMachine::op_tuple(unsigned) {
  const PickleRef ref = heap_.make_tuple(above_mark());
  pop_mark();
  push(ref);
}

void PickleMachine::op_tuple_of(unsigned count) {
  if (stack_.size() - floor() < count) return refuse("a pickle pops too much");
  const PickleRef ref = heap_.make_tuple(std::span(stack_).last(count));
  stack_.resize(stack_.size() - count);
  push(ref);
}

// APPEND and SETITEM: one item, or a key and its value, onto what lies below.
void PickleMachine::op_append(unsigned count) {
  if (stack_.size() - floor() < count + 1) return refuse("a pickle pops too much");
  const std::span<const PickleRef> items = std::span(stack_).last(count);
  const PickleRef container = stack_[stack_.size() - count - 1];
  if (!heap_.append(container, items, count == 2)) refuse("a pickle appends to no container");
  stack_.resize(stack_.size() - count);
}

void PickleMachine::op_append_many(unsigned are_pairs) {
  if (marks_.empty() || marks_.back() == 0) return refuse("a pickle lacks a container");
  const PickleRef container = stack_[marks_.back() - 1];
  if (!heap_.append(container, above_mark(), are_pairs != 0)) {
    refuse("a pickle appends to no container");
  }
  pop_mark();
}

void PickleMachine::op_global(unsigned) {
  const std::string module = line();
  push(heap_.make_global(module, line()));
}

void PickleMachine::op_stack_global(unsigned) {
  const std::string name(heap_.text(pop()));
  const std::string module(heap_.text(pop()));
  push(heap_.make_global(module, name));
}

void PickleMachine::op_reduce(unsigned has_keywords) {
  if (has_keywords != 0) pop();
  const PickleRef arguments = pop();
  const PickleRef callable = pop();
  push(heap_.make_object(callable, arguments));
}

void PickleMachine::op_inst(unsigned) {
  op_global(0);
  const PickleRef callable = pop();
  op_tuple(0);
  const PickleRef arguments = pop();
  push(heap_.make_object(callable, arguments));
}

void PickleMachine::op_obj(unsigned) {
  const std::span<const PickleRef> items = above_mark();
  if (items.empty()) return refuse("a pickle lacks a class");
  const PickleRef callable = items.front();
  const PickleRef arguments = heap_.make_tuple(items.subspan(1));
  pop_mark();
  push(heap_.make_object(callable, arguments));
}

void PickleMachine::op_build(unsigned) {
  const PickleRef state = pop();
  const PickleRef object = top();
  if (!heap_.set_state(object, state) || hooks_ == nullptr || !error_.empty()) return;
  const Status status = hooks_->built(heap_, object, in_);
  if (!status) refuse(status.error().message.c_str());
}

void PickleMachine::op_persistent(unsigned) {
  push(heap_.make_persistent(pop()));
}

void PickleMachine::op_persistent_line(unsigned) {
  push(heap_.make_persistent(heap_.make_string(PickleKind::text, line(), std::nullopt)));
}

// A key of 1 or 4 bytes, or 0 for a line of decimal digits.
std::uint64_t PickleMachine::memo_key(unsigned length_bytes) {
  if (length_bytes != 0) return unsigned_of(length_bytes);
  const std::string text = line();
  std::uint64_t key = kMaxMemo;
  std::from_chars(text.data(), text.data() + text.size(), key);
  return key;
}

void PickleMachine::op_get(unsigned length_bytes) {
  const std::uint64_t key = memo_key(length_bytes);
  if (key >= memo_.size()) return refuse("a pickle gets what it has not put");
  push(memo_[key]);
}

void PickleMachine::op_put(unsigned length_bytes) {
  memoize(memo_key(length_bytes));
}

void PickleMachine::memoize(std::size_t key) {
  if (key >= kMaxMemo) return refuse("a pickle's memo is too large");
  if (key >= memo_.size()) memo_.resize(key + 1);
  memo_[key] = top();
}

}  // namespace weightfs::format
