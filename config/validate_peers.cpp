#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "config/derived.h"
#include "config/group_rules.h"

namespace koi::config {
namespace {

std::string_view name_of(Family family) { return family == Family::ipv4 ? "IPv4" : "IPv6"; }

void check_list(const Group& group, const AddressBook& book, GroupReport& report) {
  const Segment segment = segment_of(group);
  const FamilySet families = families_of(group);
  std::set<IpAddress> seen;
  for (std::size_t i = 0; i < group.peers.size(); ++i) {
    const std::string item = fmt::format("peers[{}]", i);
    const IpAddress& peer = group.peers[i];
    if (!report.clean(item)) continue;
    const std::string text = peer.to_string();
    if (!seen.insert(peer).second) {
      report.error(item, fmt::format("{} given twice; allowed: once", text));
    } else if (const auto* mine = book.own(segment, peer)) {
      report.error(item, fmt::format("{} is this node's own in {}; allowed: another box's own "
                                     "address",
                                     text, *mine));
    } else if (const auto* owner = book.shared(segment, peer)) {
      report.error(item, fmt::format("{} is shared by group {}; allowed: another box's own address",
                                     text, path_part(*owner)));
    } else if ((families & family_bit(peer.family())) == 0 && report.clean("addresses")) {
      report.error(item, fmt::format("{} is {}, and the group has no such address to advertise; "
                                     "allowed: {}",
                                     text, name_of(peer.family()), peer.is_v4() ? "IPv6" : "IPv4"));
    }
  }
}

/// Without multicast somebody must hear each family.
void check_reach(const Group& group, GroupReport& report) {
  if (group.multicast || !report.clean({"multicast", "peers", "addresses"})) return;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    if ((families_of(group) & family_bit(family)) == 0) continue;
    const bool reached = std::any_of(group.peers.begin(), group.peers.end(),
                                     [&](const IpAddress& p) { return p.family() == family; });
    if (reached) continue;
    report.error("multicast", fmt::format("false leaves nobody to advertise the {} addresses to; "
                                          "allowed: true, or at least one {} address in peers",
                                          name_of(family), name_of(family)));
  }
}

/// protocol.md §2 and §16, 5: an OpenBSD has one carppeer, IPv4, and keeps what is unicast and what
/// is multicast apart. A UCarp has none.
void check_dialect_peers(const Group& group, GroupReport& report) {
  if (group.peers.empty() || !report.clean({"dialect", "peers"})) return;
  if (group.dialect == Dialect::ucarp) {
    report.error("peers", fmt::format("has {} addresses; allowed with dialect ucarp: none",
                                      group.peers.size()));
  }
  if (group.dialect != Dialect::openbsd) return;
  if (group.peers.size() > 1 || !group.peers[0].is_v4()) {
    report.error("peers", fmt::format("has {} addresses; allowed with dialect openbsd: exactly "
                                      "one, IPv4",
                                      group.peers.size()));
  }
  if (group.multicast && report.clean("multicast")) {
    report.error("multicast",
                 "true beside peers is not heard by an OpenBSD, which takes either; allowed with "
                 "peers and dialect openbsd: false");
  }
  for (std::size_t i = 0; i < group.addresses.size(); ++i) {
    const std::string item = fmt::format("addresses[{}]", i);
    if (group.addresses[i].is_v4() || !report.clean(item)) continue;
    report.error(item, fmt::format("{} is IPv6, which an OpenBSD does not advertise to a peer; "
                                   "allowed with peers and dialect openbsd: IPv4",
                                   group.addresses[i].to_string()));
  }
}

}  // namespace

void check_peers(const Group& group, const AddressBook& book, GroupReport& report) {
  check_list(group, book, report);
  check_dialect_peers(group, report);
  check_reach(group, report);
}

}  // namespace koi::config
