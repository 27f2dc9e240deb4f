#include "torch_distributed.h"

#include <algorithm>

#include "bounds.h"
#include "pickle_machine.h"

namespace weightfs::format {
namespace {

constexpr std::string_view kMetadata = ".metadata";

// torch.Size([512, 0]) as "[512,0]"; nothing for what begins at the beginning.
std::string offset_suffix(const PickleHeap& heap, PickleRef size) {
  if (heap.kind(size) != PickleKind::object) return {};
  const std::span<const PickleRef> arguments = heap.items(heap.object(size).arguments);
  if (arguments.empty()) return {};
  std::string suffix;
  bool is_later = false;
  for (const PickleRef item : heap.items(arguments.front())) {
    const std::uint64_t offset = heap.count(item).value_or(0);
    is_later = is_later || offset != 0;
    suffix.append(suffix.empty() ? "[" : ",").append(std::to_string(offset));
  }
  return is_later ? suffix + "]" : std::string();
}

PickleRef attribute(const PickleHeap& heap, PickleRef object, std::string_view name) {
  if (heap.kind(object) != PickleKind::object) return PickleHeap::kNone;
  return heap.find(heap.object(object).state, name);
}

}  // namespace

std::unordered_map<std::uint64_t, std::string> distributed_names(const ParseInput& input) {
  const auto metadata = input.neighbours == nullptr ? nullptr : input.neighbours->open(kMetadata);
  if (metadata == nullptr || metadata->size_bytes() > kMaxHeaderBytes) return {};
  SourceReader in(*metadata);
  PickleHeap heap;
  const Result<PickleRef> root = read_pickle(in, heap);
  if (!root) return {};
  std::unordered_map<std::uint64_t, std::string> names;
  const std::span<const PickleRef> pairs = heap.items(attribute(heap, *root, "storage_data"));
  for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
    const PickleRef place = pairs[i + 1];
    if (heap.text(attribute(heap, place, "relative_path")) != input.name) continue;
    const auto offset = heap.count(attribute(heap, place, "offset"));
    const std::string_view name = heap.text(attribute(heap, pairs[i], "fqn"));
    if (!offset || name.empty()) continue;
    names.emplace(*offset,
                  std::string(name) + offset_suffix(heap, attribute(heap, pairs[i], "offset")));
  }
  return names;
}

}  // namespace weightfs::format
