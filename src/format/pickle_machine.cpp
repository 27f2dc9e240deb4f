#include "pickle_machine.h"

#include "pickle_machine_impl.h"

namespace weightfs::format {
namespace {

constexpr std::size_t kMaxOpcodes = 64U << 20;

}  // namespace

std::array<PickleMachine::Opcode, 256> PickleMachine::make_table() {
  constexpr auto kList = static_cast<unsigned>(PickleKind::list);
  constexpr auto kDict = static_cast<unsigned>(PickleKind::dict);
  struct Entry {
    unsigned code;
    Opcode opcode;
  };
  const Entry entries[] = {
      {'(', {&PickleMachine::op_mark}},
      {'.', {&PickleMachine::op_stop}},
      {'0', {&PickleMachine::op_pop}},
      {'1', {&PickleMachine::op_pop_mark}},
      {'2', {&PickleMachine::op_dup}},
      // Constants and numbers.
      {'N', {&PickleMachine::op_constant, PickleHeap::kNone}},
      {0x88, {&PickleMachine::op_constant, PickleHeap::kTrue}},
      {0x89, {&PickleMachine::op_constant, PickleHeap::kFalse}},
      {'K', {&PickleMachine::op_unsigned, 1}},
      {'M', {&PickleMachine::op_unsigned, 2}},
      {'J', {&PickleMachine::op_signed_32}},
      {0x8a, {&PickleMachine::op_long, 1}},
      {0x8b, {&PickleMachine::op_long, 4}},
      {'I', {&PickleMachine::op_decimal_line}},
      {'L', {&PickleMachine::op_decimal_line}},
      {'F', {&PickleMachine::op_other_line}},
      {'G', {&PickleMachine::op_skip_and_push, 8}},
      // Strings.
      {'X', {&PickleMachine::op_text, 4}},
      {0x8c, {&PickleMachine::op_text, 1}},
      {0x8d, {&PickleMachine::op_text, 8}},
      {'T', {&PickleMachine::op_bytes, 4}},
      {'U', {&PickleMachine::op_bytes, 1}},
      {'B', {&PickleMachine::op_bytes, 4}},
      {'C', {&PickleMachine::op_bytes, 1}},
      {0x8e, {&PickleMachine::op_bytes, 8}},
      {0x96, {&PickleMachine::op_bytes, 8}},
      {'S', {&PickleMachine::op_string_line, 0}},
      {'V', {&PickleMachine::op_string_line, 1}},
      // Containers; a set is kept as a list.
      {']', {&PickleMachine::op_empty, kList}},
      {0x8f, {&PickleMachine::op_empty, kList}},
      {'}', {&PickleMachine::op_empty, kDict}},
      {'l', {&PickleMachine::op_container, kList}},
      {0x91, {&PickleMachine::op_container, kList}},
      {'d', {&PickleMachine::op_container, kDict}},
      {'t', {&PickleMachine::op_tuple}},
      {')', {&PickleMachine::op_tuple_of, 0}},
      {0x85, {&PickleMachine::op_tuple_of, 1}},
      {0x86, {&PickleMachine::op_tuple_of, 2}},
      {0x87, {&PickleMachine::op_tuple_of, 3}},
      {'a', {&PickleMachine::op_append, 1}},
      {'s', {&PickleMachine::op_append, 2}},
      {'e', {&PickleMachine::op_append_many, 0}},
      {0x90, {&PickleMachine::op_append_many, 0}},
      {'u', {&PickleMachine::op_append_many, 1}},
      // Globals, objects and references.
      {'c', {&PickleMachine::op_global}},
      {0x93, {&PickleMachine::op_stack_global}},
      {0x82, {&PickleMachine::op_skip_and_push, 1}},
      {0x83, {&PickleMachine::op_skip_and_push, 2}},
      {0x84, {&PickleMachine::op_skip_and_push, 4}},
      {'R', {&PickleMachine::op_reduce, 0}},
      {0x81, {&PickleMachine::op_reduce, 0}},
      {0x92, {&PickleMachine::op_reduce, 1}},
      {'i', {&PickleMachine::op_inst}},
      {'o', {&PickleMachine::op_obj}},
      {'b', {&PickleMachine::op_build}},
      {'Q', {&PickleMachine::op_persistent}},
      {'P', {&PickleMachine::op_persistent_line}},
      // The memo.
      {'g', {&PickleMachine::op_get, 0}},
      {'h', {&PickleMachine::op_get, 1}},
      {'j', {&PickleMachine::op_get, 4}},
      {'p', {&PickleMachine::op_put, 0}},
      {'q', {&PickleMachine::op_put, 1}},
      {'r', {&PickleMachine::op_put, 4}},
      {0x94, {&PickleMachine::op_memoize}},
      // Protocol, frames, and buffers out of band.
      {0x80, {&PickleMachine::op_skip, 1}},
      {0x95, {&PickleMachine::op_skip, 8}},
      {0x97, {&PickleMachine::op_skip_and_push, 0}},
      {0x98, {&PickleMachine::op_skip, 0}},
  };
  std::array<Opcode, 256> table{};
  for (const Entry& entry : entries) table[entry.code] = entry.opcode;
  return table;
}

Result<PickleRef> PickleMachine::run() {
  static const std::array<Opcode, 256> kTable = make_table();
  for (std::size_t count = 0; !is_done_ && error_.empty() && !in_.failed(); ++count) {
    const Opcode opcode = kTable[in_.u8()];
    if (count >= kMaxOpcodes) refuse("a pickle is too long");
    if (opcode.action == nullptr) refuse("an unknown pickle opcode");
    if (error_.empty()) (this->*opcode.action)(opcode.variant);
    if (heap_.is_full()) refuse("a pickle has too many values");
  }
  if (in_.failed()) refuse("a pickle is cut off");
  const PickleRef value = pop();
  if (!error_.empty()) return fail(Code::invalid, std::move(error_));
  return value;
}

Result<PickleRef> read_pickle(SourceReader& in, PickleHeap& heap, PickleHooks* hooks) {
  return PickleMachine(in, heap, hooks).run();
}

}  // namespace weightfs::format
