// Blobs: who refers to them against what is counted, bases, and the index of content ids.
#include <fmt/format.h>

#include "findings.h"

namespace weightfs::ops::fsck {
namespace {

Findings::Fix set_count(store::BlobId id, std::uint64_t count) {
  return [id, count](tree::Change& change) {
    change.put_blob_references(id, count);
    return Status();
  };
}

void count_bases(Findings& findings, BlobTable& blobs, std::uint64_t first_unsettled) {
  for (const auto& [id, blob] : blobs) {
    if (blob.base == store::BlobId::none || blob.is_condemned) continue;
    // Blobs that a crash left without a reference are swept, and were never counted.
    const bool counted =
        blob.references > 0 || blob.is_doomed || store::number(id) < first_unsettled;
    const auto base = blobs.find(blob.base);
    if (base == blobs.end()) {
      findings.damage(fmt::format("blob {} needs blob {}, which is not there", store::number(id),
                                  store::number(blob.base)));
    } else if (base->second.base != store::BlobId::none) {
      findings.damage(fmt::format("blob {} has a base that has a base itself", store::number(id)));
    } else if (counted) {
      ++base->second.references;
    }
  }
}

class ReferenceChecker {
 public:
  ReferenceChecker(Findings& findings, const BlobTable& blobs, std::uint64_t first_unsettled)
      : findings_(findings), blobs_(blobs), first_unsettled_(first_unsettled) {}

  void check_count(store::BlobId id, std::uint64_t count) {
    counted_.insert(id);
    const auto blob = blobs_.find(id);
    if (blob == blobs_.end()) {
      findings_.problem(fmt::format("{} references to blob {}, which is not there, are counted",
                                    count, store::number(id)),
                        set_count(id, 0));
      return;
    }
    if (blob->second.references == count) return;
    // Where a record is damaged, what it refers to is kept by the count.
    if (blob->second.references < count && findings_.has_damage()) return;
    report_count(id, blob->second, count);
  }

  void check_uncounted() {
    for (const auto& [id, blob] : blobs_) {
      if (counted_.contains(id)) continue;
      if (blob.references > 0)
        report_count(id, blob, 0);
      else
        check_unreferenced(id, blob);
    }
  }

  void check_doomed() {
    for (const auto& [id, blob] : blobs_) {
      if (!blob.is_doomed || blob.references == 0) continue;
      findings_.problem(
          fmt::format("blob {} waits to be removed, but is referred to", store::number(id)),
          [id = id](tree::Change& change) {
            change.erase_doomed_blob(id);
            return Status();
          });
    }
  }

 private:
  void report_count(store::BlobId id, const BlobFacts& blob, std::uint64_t count) {
    findings_.problem(fmt::format("blob {} counts {} references and has {}", store::number(id),
                                  count, blob.references),
                      [id, found = blob.references, doomed = blob.is_doomed](tree::Change& change) {
                        change.put_blob_references(id, found);
                        if (found == 0 && !doomed) change.add_doomed_blob(id);
                        return Status();
                      });
  }

  // Nothing can find such a blob any more, and nothing would ever free it.
  void check_unreferenced(store::BlobId id, const BlobFacts& blob) {
    if (blob.is_doomed) return;
    if (store::number(id) >= first_unsettled_) {
      ++findings_.result().pending_cleanups;
      return;
    }
    if (findings_.has_damage()) return;
    findings_.problem(fmt::format("nothing refers to blob {}", store::number(id)),
                      [id](tree::Change& change) {
                        change.add_doomed_blob(id);
                        return Status();
                      });
  }

  Findings& findings_;
  const BlobTable& blobs_;
  const std::uint64_t first_unsettled_;
  std::unordered_set<store::BlobId> counted_;
};

// The index is repaired by the blob store; what it still complains of afterwards is left.
Status check_index(const Parts& parts, Findings& findings) {
  std::vector<std::string> lines;
  const auto add = [&lines](const std::string& line) { lines.push_back(line); };
  WEIGHTFS_TRY(parts.blobs.check_index(findings.repairs(), add));
  std::unordered_set<std::string> left(lines.begin(), lines.end());
  if (findings.repairs() && !lines.empty()) {
    left.clear();
    WEIGHTFS_TRY(parts.blobs.check_index(
        /*repair=*/false, [&left](const std::string& line) { left.insert(line); }));
  }
  for (const std::string& line : lines) {
    if (left.contains(line) && findings.repairs())
      findings.problem(line);
    else
      findings.problem(line, [](tree::Change&) { return Status(); });
  }
  return {};
}

}  // namespace

Status load_blobs(const Parts& parts, Findings& findings, BlobTable& blobs) {
  constexpr std::size_t kMostDoomed = std::size_t{1} << 26;
  WEIGHTFS_TRY(check_index(parts, findings));
  WEIGHTFS_TRY(parts.blobs.for_each(store::BlobId::none, [&](const store::BlobRecord& record) {
    blobs[record.id] = {.length_bytes = record.content.length_bytes,
                        .encoded_bytes = record.encoded_bytes,
                        .base = record.base,
                        .is_doomed = false,
                        .is_condemned = false,
                        .references = 0};
    return true;
  }));
  findings.result().blobs = blobs.size();
  WEIGHTFS_ASSIGN(const std::vector<store::BlobId> doomed,
                  parts.tree.doomed_blobs(store::BlobId::none, kMostDoomed));
  for (const store::BlobId id : doomed) {
    ++findings.result().pending_cleanups;
    const auto blob = blobs.find(id);
    if (blob == blobs.end()) continue;
    WEIGHTFS_ASSIGN(const tree::Doom doom, parts.tree.doom_of(id));
    blob->second.is_doomed = true;
    blob->second.is_condemned = doom == tree::Doom::condemned;
  }
  return {};
}

Status check_references(const Parts& parts, Findings& findings, BlobTable& blobs) {
  WEIGHTFS_ASSIGN(const tree::Counters counters, parts.tree.counters());
  count_bases(findings, blobs, counters.first_unsettled_blob);
  ReferenceChecker checker(findings, blobs, counters.first_unsettled_blob);
  WEIGHTFS_TRY(parts.tree.for_each_blob_reference([&](store::BlobId id, std::uint64_t count) {
    checker.check_count(id, count);
    return true;
  }));
  checker.check_uncounted();
  checker.check_doomed();
  return findings.apply_fixes();
}

}  // namespace weightfs::ops::fsck
