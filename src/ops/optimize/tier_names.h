// Tiers as people and the store name them.
#pragma once

#include <optional>
#include <string_view>

#include "weightfs/codec/codec.h"

namespace weightfs::ops {

// Persisted as part of a key (docs/store-format.md).
constexpr std::string_view tier_name(codec::Tier tier) {
  switch (tier) {
    case codec::Tier::fast:
      return "fast";
    case codec::Tier::default_tier:
      return "default";
    case codec::Tier::cold:
      return "cold";
  }
  return "";
}

constexpr std::optional<codec::Tier> tier_named(std::string_view name) {
  for (const codec::Tier tier : {codec::Tier::fast, codec::Tier::default_tier, codec::Tier::cold}) {
    if (tier_name(tier) == name) return tier;
  }
  return std::nullopt;
}

}  // namespace weightfs::ops
