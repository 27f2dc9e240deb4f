// The machine behind read_pickle: a stack, marks and a memo, and one function for each kind of
// opcode. pickle_machine.cpp has the table of opcodes, pickle_opcodes.cpp what they do.
#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "pickle_machine.h"

namespace weightfs::format {

class PickleMachine {
 public:
  PickleMachine(SourceReader& in, PickleHeap& heap, PickleHooks* hooks)
      : in_(in), heap_(heap), hooks_(hooks) {}

  Result<PickleRef> run();

 private:
  static constexpr std::size_t kMaxStack = 4U << 20;  // also of marks

  // What an opcode does, with a number that tells variants apart: a length's bytes, mostly.
  using Action = void (PickleMachine::*)(unsigned);
  struct Opcode {
    Action action = nullptr;
    unsigned variant = 0;
  };
  static std::array<Opcode, 256> make_table();

  void refuse(const char* why) {
    if (error_.empty()) error_ = why;
  }

  // The stack. Nothing below the last mark can be popped.
  void push(PickleRef ref) {
    if (stack_.size() >= kMaxStack) return refuse("a pickle's stack is too large");
    stack_.push_back(ref);
  }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  PickleRef pop() {
    if (stack_.size() <= floor()) return refuse("a pickle pops too much"), PickleHeap::kNone;
    const PickleRef ref = stack_.back();
    stack_.pop_back();
    return ref;
  }
  PickleRef top() {
    const PickleRef ref = pop();
    push(ref);
    return ref;
  }
  // Everything above the last mark; pop_mark() takes it and the mark away.
  std::span<const PickleRef> above_mark() { return std::span(stack_).subspan(floor()); }
  void pop_mark() {
    if (marks_.empty()) return refuse("a pickle lacks a mark");
    stack_.resize(marks_.back());
    marks_.pop_back();
  }

  std::uint64_t unsigned_of(unsigned length_bytes);
  std::string line(std::size_t max_kept_bytes = PickleHeap::kMaxTextBytes);

  // Opcodes, in the order of the table.
  void op_mark(unsigned);
  void op_stop(unsigned) { is_done_ = true; }
  void op_pop(unsigned);
  void op_pop_mark(unsigned) { pop_mark(); }
  void op_dup(unsigned) { push(top()); }
  void op_constant(unsigned ref) { push(ref); }
  void op_skip(unsigned length_bytes) { in_.skip(length_bytes); }
  void op_skip_and_push(unsigned length_bytes);
  void op_unsigned(unsigned length_bytes);
  void op_signed_32(unsigned);
  void op_long(unsigned length_bytes);
  void op_decimal_line(unsigned);
  void op_other_line(unsigned);
  void op_text(unsigned length_bytes) { string(PickleKind::text, unsigned_of(length_bytes)); }
  void op_bytes(unsigned length_bytes) { string(PickleKind::bytes, unsigned_of(length_bytes)); }
  void op_string_line(unsigned is_text);
  void op_empty(unsigned kind);
  void op_container(unsigned kind);
  void op_tuple(unsigned);
  void op_tuple_of(unsigned count);
  void op_append(unsigned count);
  void op_append_many(unsigned are_pairs);
  void op_global(unsigned);
  void op_stack_global(unsigned);
  void op_reduce(unsigned has_keywords);
  void op_inst(unsigned);
  void op_obj(unsigned);
  void op_build(unsigned);
  void op_persistent(unsigned);
  void op_persistent_line(unsigned);
  void op_get(unsigned length_bytes);
  void op_put(unsigned length_bytes);
  void op_memoize(unsigned) { memoize(memo_.size()); }

  void string(PickleKind kind, std::uint64_t length_bytes);
  void memoize(std::size_t key);
  std::uint64_t memo_key(unsigned length_bytes);

  SourceReader& in_;
  PickleHeap& heap_;
  PickleHooks* hooks_;
  std::vector<PickleRef> stack_;
  std::vector<std::size_t> marks_;
  std::vector<PickleRef> memo_;
  std::string error_;
  bool is_done_ = false;
};

}  // namespace weightfs::format
