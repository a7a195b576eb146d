#include <string_view>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/sections.h"
#include "config/words.h"

namespace koi::config {
namespace {

constexpr std::size_t kMaxMembers = 32;  // protocol.md §10

/// The hash that the dialect's boxes know.
BalanceHash hash_of(Dialect dialect) {
  if (dialect == Dialect::openbsd) return BalanceHash::openbsd;
  if (dialect == Dialect::freebsd) return BalanceHash::freebsd;
  return BalanceHash::siphash;
}

void load_hash(YamlMap& map, const LoadOptions& options, const Group& group, Balance& balance) {
  balance.hash = hash_of(group.dialect);
  if (const auto node = map.find("hash")) {
    balance.hash = node->choice<BalanceHash>(kBalanceHashWords, "openbsd, freebsd, siphash")
                       .value_or(balance.hash);
  }
  if (const auto node = map.find("by")) {
    balance.by = node->choice<HashBy>(kHashByWords, "mac, ip").value_or(balance.by);
    if (balance.hash != BalanceHash::siphash) {
      node->error("is not for a hash that has no choice; allowed: with hash: siphash");
    }
  }
  if (const auto node = map.find("hash-key-file")) {
    if (balance.hash == BalanceHash::freebsd) {
      node->error("is not for a hash without key; allowed: with hash: siphash or openbsd");
      return;
    }
    const KeyUse use = balance.hash == BalanceHash::siphash ? KeyUse::siphash : KeyUse::carp;
    load_key(*node, options, group.allow_weak_key, use, balance.hash_key_file, balance.hash_key);
  }
}

/// By packet nobody chooses: every box folds the same addresses.
void refuse_hash(YamlMap& map) {
  for (const char* key : {"hash", "by", "hash-key-file"}) {
    if (const auto node = map.find(key)) {
      node->error("means nothing where each packet's addresses decide; allowed: with mode: arp");
    }
  }
}

/// A wrong member leaves a placeholder, so that the positions stay those of the file.
Member load_member(const YamlNode& node) {
  Member member;
  auto map = node.map();
  if (!map) return member;
  if (const auto vhid = map->require("vhid", "a whole number from 1 to 255")) {
    const auto value = vhid->whole_number(1, 255);
    if (value) member.vhid = Vhid(static_cast<std::uint8_t>(*value));
  }
  map->read("advskew", member.advskew, std::uint8_t{0}, std::uint8_t{254});
  map->finish();
  return member;
}

void load_members(YamlMap& map, std::vector<Member>& members) {
  const std::string allowed = fmt::format("a list of 1 to {} members", kMaxMembers);
  const auto node = map.require("members", allowed);
  const auto list = node ? node->list() : std::nullopt;
  if (!list) return;
  if (list->empty() || list->size() > kMaxMembers) {
    node->error(fmt::format("has {} members; allowed: {}", list->size(), allowed));
    return;
  }
  for (const YamlNode& item : *list) members.push_back(load_member(item));
}

}  // namespace

void load_balance(const YamlNode& node, const LoadOptions& options, Group& group) {
  Balance& balance = group.balance.emplace();
  auto map = node.map();
  if (!map) return;
  if (const auto mode = map->find("mode")) {
    balance.mode = mode->choice<BalanceMode>(kBalanceModeWords, "arp, ip, ip-stealth, ip-unicast")
                       .value_or(balance.mode);
  }
  if (is_by_packet(balance)) {
    refuse_hash(*map);
  } else {
    load_hash(*map, options, group, balance);
  }
  load_members(*map, balance.members);
  map->finish();
}

}  // namespace koi::config
