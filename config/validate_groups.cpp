#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>

#include <fmt/format.h>

#include "config/key_file.h"
#include "config/report.h"
#include "config/sections.h"

namespace koi::config {
namespace {

/// Where a group lives: two groups with different ones never meet.
using Segment = std::pair<std::string, VlanId>;

std::string describe(const Segment& segment) {
  if (segment.second == VlanId{}) return fmt::format("port {}", segment.first);
  return fmt::format("port {} VLAN {}", segment.first, segment.second.value());
}

/// The first names, for a message about one that is not among them.
template <class Range, class Name>
std::string some_of(const Range& range, Name name) {
  constexpr std::size_t kShown = 8;
  std::string out;
  std::size_t shown = 0;
  for (const auto& item : range) {
    if (shown == kShown) return out + ", ...";
    out += fmt::format("{}{}", shown++ == 0 ? "" : ", ", name(item));
  }
  return out;
}

std::uint32_t mask_of(std::uint8_t prefix_length) {
  return prefix_length == 0 ? 0 : ~0U << (32U - prefix_length);
}

/// Looks at one group after the other and remembers those before.
class GroupRules {
 public:
  GroupRules(const Config& config, Report& report) : config_(config), report_(report) {
    const auto add = [&](const std::string& path, const std::vector<InterfaceAddress>& addresses) {
      for (std::size_t i = 0; i < addresses.size(); ++i) {
        if (report.clean(fmt::format("{}[{}]", path, i))) own_.emplace(addresses[i].address, path);
      }
    };
    for (const Port& port : config.ports) {
      const std::string path = "ports." + path_part(port.name);
      add(path + ".addresses", port.addresses);
      for (const auto& [id, vlan] : port.vlans) {
        add(fmt::format("{}.vlans.{}.addresses", path, id.value()), vlan.addresses);
      }
    }
  }

  void check(const Group& group) {
    path_ = "groups." + path_part(group.name) + ".";
    const auto own = check_place(group);
    if (clean({"port", "vlan"})) {
      check_vhid(group);
      check_addresses(group, own);
    }
    check_list("previous-addresses", group.previous_addresses);
    check_timing(group);
    check_dialect(group);
    check_key_files(group);
  }

 private:
  bool clean(std::initializer_list<std::string_view> keys) const {
    return std::all_of(keys.begin(), keys.end(), [&](std::string_view key) {
      return report_.clean(path_ + std::string(key));
    });
  }
  void error(std::string_view key, std::string text) {
    report_.error(path_ + std::string(key), std::move(text));
  }

  /// Returns the own addresses of the group's port and VLAN, if it has some of use.
  const std::vector<InterfaceAddress>* check_place(const Group& group) {
    if (!clean({"port", "vlan"})) return nullptr;
    const auto port = std::find_if(config_.ports.begin(), config_.ports.end(),
                                   [&](const Port& p) { return p.name == group.port; });
    if (port == config_.ports.end()) {
      // A port that could not be loaded has its own error.
      if (!report_.clean("ports." + path_part(group.port))) return nullptr;
      error("port",
            fmt::format("there is no port {}; allowed: {}", in_quotes(group.port),
                        some_of(config_.ports, [](const Port& p) { return path_part(p.name); })));
      return nullptr;
    }
    const std::string port_path = "ports." + path_part(port->name);
    std::string list = port_path + ".addresses";
    const std::vector<InterfaceAddress>* own = &port->addresses;
    if (group.vlan != VlanId{}) {
      if (!report_.clean(port_path + ".vlans")) return nullptr;
      const auto vlan = port->vlans.find(group.vlan);
      if (vlan == port->vlans.end()) {
        error("vlan", fmt::format("VLAN {} is not among {}.vlans; allowed: {}", group.vlan.value(),
                                  port_path,
                                  port->vlans.empty() ? "no vlan until some are given there"
                                                      : some_of(port->vlans, [](const auto& v) {
                                                          return std::to_string(v.first.value());
                                                        })));
        return nullptr;
      }
      own = &vlan->second.addresses;
      list = fmt::format("{}.vlans.{}.addresses", port_path, group.vlan.value());
    }
    if (!report_.clean(list)) return nullptr;
    if (std::none_of(own->begin(), own->end(), [](const auto& a) { return a.address.is_v4(); })) {
      error(group.vlan == VlanId{} ? "port" : "vlan",
            fmt::format("{} has no IPv4 address of its own to send advertisements from; allowed: "
                        "at least one in {}",
                        describe({group.port, group.vlan}), list));
      return nullptr;
    }
    return own;
  }

  void check_vhid(const Group& group) {
    if (!clean({"vhid"})) return;
    const Segment segment{group.port, group.vlan};
    const auto [first, fresh] = vhids_.emplace(std::pair{segment, group.vhid}, group.name);
    if (fresh) return;
    error("vhid", fmt::format("{} is already group {}'s on {}; allowed: another vhid",
                              group.vhid.value(), path_part(first->second), describe(segment)));
  }

  /// Duplicates. Returns false for the addresses that are reported.
  std::vector<bool> check_list(std::string_view key, const std::vector<IpAddress>& addresses) {
    std::vector<bool> good(addresses.size());
    std::set<IpAddress> seen;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const std::string item = fmt::format("{}[{}]", key, i);
      if (!clean({item})) continue;
      good[i] = seen.insert(addresses[i]).second;
      if (!good[i]) {
        error(item, fmt::format("{} given twice; allowed: once", addresses[i].to_string()));
      }
    }
    return good;
  }

  void check_addresses(const Group& group, const std::vector<InterfaceAddress>* own) {
    const Segment segment{group.port, group.vlan};
    const auto good = check_list("addresses", group.addresses);
    for (std::size_t i = 0; i < group.addresses.size(); ++i) {
      const IpAddress& address = group.addresses[i];
      if (!good[i] || !address.is_v4()) continue;
      const std::string item = fmt::format("addresses[{}]", i);
      const std::string text = address.to_string();
      if (const auto mine = own_.find(address); mine != own_.end()) {
        error(item, fmt::format("{} is this node's own in {}; allowed: an address that no box has "
                                "for itself",
                                text, mine->second));
        continue;
      }
      const auto [first, fresh] = shared_.emplace(std::pair{segment, address}, group.name);
      if (!fresh) {
        error(item, fmt::format("{} is already group {}'s on {}; allowed: in one group only", text,
                                path_part(first->second), describe(segment)));
        continue;
      }
      if (own != nullptr) check_subnet(segment, address.v4(), item, *own);
    }
  }

  void check_subnet(const Segment& segment, Ipv4Address address, const std::string& item,
                    const std::vector<InterfaceAddress>& own) {
    bool inside = false;
    for (const InterfaceAddress& mine : own) {
      if (!mine.address.is_v4()) continue;
      const std::uint32_t mask = mask_of(mine.prefix_length);
      if ((mine.address.v4().to_u32() & mask) != (address.to_u32() & mask)) continue;
      inside = true;
      const std::uint32_t host = address.to_u32() & ~mask;
      if (mine.prefix_length < 31 && (host == 0 || host == ~mask)) {
        error(item, fmt::format("{} is the network's own or its broadcast address in {}/{}; "
                                "allowed: a host's address",
                                address.to_string(), mine.address.to_string(), mine.prefix_length));
        return;
      }
    }
    if (inside) return;
    report_.warning(path_ + item,
                    fmt::format("{} is in no subnet of this node's own addresses on {}; hosts "
                                "there may not find it",
                                address.to_string(), describe(segment)));
  }

  /// protocol.md §6: a backup whose master-down time, 3·max(advskew, 1)/256 s, is not longer than
  /// the master's interval of advskew/256 s takes over from a healthy master, again and again.
  void check_timing(const Group& group) {
    if (!clean({"advbase", "advskew", "lowest-advskew"})) return;
    if (!group.lowest_advskew) {
      if (group.advbase != 0) return;
      error("lowest-advskew",
            "is missing; required with advbase 0: the lowest advskew of any box "
            "in the group, 0 to 254");
      return;
    }
    const unsigned lowest = *group.lowest_advskew;
    const unsigned highest = 2 * std::max(lowest, 1U);
    if (group.advskew < lowest) {
      error("lowest-advskew", fmt::format("{} is above this box's own advskew {}; allowed: 0 to {}",
                                          lowest, group.advskew, group.advskew));
    } else if (group.advbase == 0 && group.advskew > highest) {
      error("advskew", fmt::format("{} is too far from the lowest of the group: the others would "
                                   "take over from this box while it is well; allowed with advbase "
                                   "0 and lowest-advskew {}: {} to {}, at most twice the lowest "
                                   "(counted as 1 if it is 0)",
                                   group.advskew, lowest, lowest, highest));
    }
  }

  void check_dialect(const Group& group) {
    if (!clean({"dialect"})) return;
    const bool ucarp = group.dialect == Dialect::ucarp;
    if (group.advbase == 0 && group.dialect != Dialect::koi && clean({"advbase"})) {
      error("advbase", "0 is for boxes of koi alone; allowed: 1 to 254, or dialect: koi");
    }
    if (group.dead_ratio != 3 && !ucarp && clean({"dead-ratio"})) {
      error("dead-ratio",
            fmt::format("{} is for groups with a UCarp that has the same; allowed: 3, "
                        "or dialect: ucarp",
                        group.dead_ratio));
    }
    if (!ucarp) return;
    check_dead_ratio(group);
    if (group.addresses.size() > 1 || (clean({"addresses"}) && !group.addresses[0].is_v4())) {
      error("addresses", fmt::format("has {} addresses; allowed with dialect ucarp: exactly one, "
                                     "IPv4",
                                     group.addresses.size()));
    }
    if (group.key.bytes().size() > kMaxPassphrase) {
      report_.warning(path_ + "key-file",
                      "holds a key of 20 bytes, which a UCarp cannot be given; better: a "
                      "passphrase of 8 to 19 bytes");
    }
  }

  /// The lease (design.md, L5) is dead-ratio · advbase less 5 %; an advertisement of a demoted box
  /// (advskew 240) must leave before it is over, or the box silences itself.
  void check_dead_ratio(const Group& group) {
    if (!clean({"dead-ratio", "advbase", "advskew"})) return;
    const double lease = 0.95 * group.dead_ratio * group.advbase;
    const double interval = group.advbase + std::max<double>(group.advskew, 240) / 256;
    if (group.advbase == 0 || interval < lease) return;
    error(
        "dead-ratio",
        fmt::format("{} leaves no time between two advertisements of this box and the takeover of "
                    "another; allowed with advbase {}: {} or more",
                    group.dead_ratio, group.advbase,
                    static_cast<int>(interval / (0.95 * group.advbase)) + 1));
  }

  void check_key_files(const Group& group) {
    std::set<std::string> seen{group.key_file};
    for (std::size_t i = 0; i < group.accept_key_files.size(); ++i) {
      const std::string item = fmt::format("accept-key-files[{}]", i);
      if (!clean({item}) || seen.insert(group.accept_key_files[i]).second) continue;
      error(item, fmt::format("{} given twice; allowed: once, and not the key-file itself",
                              in_quotes(group.accept_key_files[i])));
    }
  }

  const Config& config_;
  Report& report_;
  std::string path_;  // of the group, with its dot
  std::map<IpAddress, std::string> own_;
  std::map<std::pair<Segment, Vhid>, std::string> vhids_;
  std::map<std::pair<Segment, IpAddress>, std::string> shared_;
};

}  // namespace

void validate_groups(const Config& config, Report& report) {
  GroupRules rules(config, report);
  for (const Group& group : config.groups) rules.check(group);
}

}  // namespace koi::config
