#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/group_rules.h"
#include "config/sections.h"
#include "config/values.h"

namespace koi::config {
namespace {

/// Looks at one group after the other and remembers those before.
class GroupRules {
 public:
  GroupRules(const Config& config, Report& report, AddressBook& book)
      : config_(config), all_(report), book_(book) {}

  void check(const Group& group) {
    GroupReport report(group, all_);
    const auto own = check_place(group, report);
    if (report.clean({"port", "vlan"})) {
      check_vhids(group, report);
      check_addresses(group, own, report);
    }
    check_list("previous-addresses", group.previous_addresses, report);
    check_key_files(group, report);
  }

 private:
  /// Returns the own addresses of the group's port and VLAN, if it has some of use.
  const std::vector<InterfaceAddress>* check_place(const Group& group, GroupReport& report) {
    if (!report.clean({"port", "vlan"})) return nullptr;
    const auto port = std::find_if(config_.ports.begin(), config_.ports.end(),
                                   [&](const Port& p) { return p.name == group.port; });
    if (port == config_.ports.end()) {
      // A port that could not be loaded has its own error.
      if (!all_.clean("ports." + path_part(group.port))) return nullptr;
      report.error("port", fmt::format("there is no port {}; allowed: {}", in_quotes(group.port),
                                       some_of(config_.ports,
                                               [](const Port& p) { return path_part(p.name); })));
      return nullptr;
    }
    const std::string port_path = "ports." + path_part(port->name);
    std::string list = port_path + ".addresses";
    const std::vector<InterfaceAddress>* own = &port->addresses;
    if (group.vlan != VlanId{}) {
      if (!all_.clean(port_path + ".vlans")) return nullptr;
      const auto vlan = port->vlans.find(group.vlan);
      if (vlan == port->vlans.end()) {
        report.error(
            "vlan",
            fmt::format("VLAN {} is not among {}.vlans; allowed: {}", group.vlan.value(), port_path,
                        port->vlans.empty() ? "no vlan until some are given there"
                                            : some_of(port->vlans, [](const auto& v) {
                                                return std::to_string(v.first.value());
                                              })));
        return nullptr;
      }
      own = &vlan->second.addresses;
      list = fmt::format("{}.vlans.{}.addresses", port_path, group.vlan.value());
    }
    if (!all_.clean(list)) return nullptr;
    // A source for IPv6 can be derived from the MAC.
    const bool has_v4 =
        std::any_of(own->begin(), own->end(), [](const auto& a) { return a.address.is_v4(); });
    if (!has_v4 && (families_of(group) & family_bit(Family::ipv4)) != 0 &&
        report.clean("addresses")) {
      report.error(
          group.vlan == VlanId{} ? "port" : "vlan",
          fmt::format("{} has no IPv4 address of its own to send advertisements from; allowed: "
                      "at least one in {}",
                      describe({group.port, group.vlan}), list));
      return nullptr;
    }
    return own;
  }

  void check_vhids(const Group& group, GroupReport& report) {
    const Segment segment = segment_of(group);
    const auto members = members_of(group);
    for (std::size_t i = 0; i < members.size(); ++i) {
      const std::string key =
          group.balance ? fmt::format("balance.members[{}].vhid", i) : std::string("vhid");
      const Vhid vhid = members[i].vhid;
      if (vhid == Vhid{} || !report.clean(key)) continue;
      const auto [first, fresh] = vhids_.emplace(std::pair{segment, vhid}, group.name);
      if (fresh || first->second == group.name) continue;  // twice in a group: check_balance()
      report.error(key, fmt::format("{} is already group {}'s on {}; allowed: another vhid",
                                    vhid.value(), path_part(first->second), describe(segment)));
    }
  }

  /// Duplicates. Returns false for the addresses that are reported.
  std::vector<bool> check_list(std::string_view key, const std::vector<IpAddress>& addresses,
                               GroupReport& report) {
    std::vector<bool> good(addresses.size());
    std::set<IpAddress> seen;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const std::string item = fmt::format("{}[{}]", key, i);
      if (!report.clean(item)) continue;
      good[i] = seen.insert(addresses[i]).second;
      if (!good[i]) {
        report.error(item, fmt::format("{} given twice; allowed: once", addresses[i].to_string()));
      }
    }
    return good;
  }

  void check_addresses(const Group& group, const std::vector<InterfaceAddress>* own,
                       GroupReport& report) {
    const Segment segment = segment_of(group);
    const auto good = check_list("addresses", group.addresses, report);
    for (std::size_t i = 0; i < group.addresses.size(); ++i) {
      const IpAddress& address = group.addresses[i];
      if (!good[i]) continue;
      const std::string item = fmt::format("addresses[{}]", i);
      const std::string text = address.to_string();
      if (const auto* mine = book_.own(segment, address)) {
        report.error(item, fmt::format("{} is this node's own in {}; allowed: an address that no "
                                       "box has for itself",
                                       text, *mine));
      } else if (!book_.share(segment, address, group.name)) {
        report.error(item,
                     fmt::format("{} is already group {}'s on {}; allowed: in one group only", text,
                                 path_part(*book_.shared(segment, address)), describe(segment)));
      } else if (own != nullptr) {
        check_subnet(segment, address, item, *own, report);
      }
    }
  }

  void check_subnet(const Segment& segment, const IpAddress& address, const std::string& item,
                    const std::vector<InterfaceAddress>& own, GroupReport& report) {
    if (is_link_local(address)) return;  // on every link
    bool comparable = false;
    bool inside = false;
    for (const InterfaceAddress& mine : own) {
      if (mine.address.family() != address.family() || is_link_local(mine.address)) continue;
      comparable = true;
      if (!same_subnet(mine.address, address, mine.prefix_length)) continue;
      inside = true;
      const auto reserved = reserved_in_subnet({address, mine.prefix_length});
      if (reserved.empty()) continue;
      report.error(item,
                   fmt::format("{} is {} in {}/{}; allowed: a host's address", address.to_string(),
                               reserved, mine.address.to_string(), mine.prefix_length));
      return;
    }
    // A group with IPv6 alone needs no own address in the file, so there may be none to compare.
    if (inside || !comparable) return;
    report.warning(item, fmt::format("{} is in no subnet of this node's own addresses on {}; hosts "
                                     "there may not find it",
                                     address.to_string(), describe(segment)));
  }

  void check_key_files(const Group& group, GroupReport& report) {
    std::set<std::string> seen{group.key_file};
    for (std::size_t i = 0; i < group.accept_key_files.size(); ++i) {
      const std::string item = fmt::format("accept-key-files[{}]", i);
      if (!report.clean(item) || seen.insert(group.accept_key_files[i]).second) continue;
      report.error(item, fmt::format("{} given twice; allowed: once, and not the key-file itself",
                                     in_quotes(group.accept_key_files[i])));
    }
  }

  const Config& config_;
  Report& all_;
  AddressBook& book_;
  std::map<std::pair<Segment, Vhid>, std::string> vhids_;
};

/// One slot for each virtual host.
void check_slots(const Config& config, Report& report) {
  std::size_t slots = 0;
  for (const Group& group : config.groups) slots += members_of(group).size();
  if (slots <= kMaxSlots || !report.clean("groups")) return;
  report.error("groups", fmt::format("has {} virtual hosts, members of balanced groups counted; "
                                     "allowed: at most {}",
                                     slots, kMaxSlots));
}

}  // namespace

void validate_groups(const Config& config, Report& all) {
  AddressBook book(config, all);
  GroupRules rules(config, all, book);
  for (const Group& group : config.groups) rules.check(group);
  for (const Group& group : config.groups) {
    GroupReport report(group, all);
    check_timing(group, report);
    check_dialect(group, report);
    check_balance(group, report);
    check_trailer(group, report);
    check_peers(group, book, report);
  }
  check_ties(config, all);
  check_tracks(config, all);
  check_hosts(config, all);
  check_slots(config, all);
}

}  // namespace koi::config
