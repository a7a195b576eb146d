#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/contract/channel.h"
#include "common/contract/counters.h"
#include "common/contract/messages.h"
#include "common/contract/slot_board.h"
#include "common/contract/view.h"
#include "dataplane/advert_receiver.h"
#include "dataplane/classify.h"
#include "dataplane/conflicts.h"
#include "dataplane/frame.h"
#include "dataplane/host_gate.h"
#include "dataplane/lease.h"
#include "tests/support/frames.h"
#include "tests/unit/common/test_bytes.h"

/// A small world for the tests of what workers do: topologies, views, and one worker without DPDK.
namespace koi::test {

/// One group without balancing, as the configuration would have it.
struct Group {
  PortIndex port{};
  VlanId vlan{};
  Vhid vhid{1};
  std::vector<std::string> keys = {kKey};  // the sending one first
  std::vector<Ipv4Address> addresses;
  std::vector<Ipv6Address> addresses6 = {};
  FamilySet families = family_bit(Family::ipv4);
  ReplayRule replay = ReplayRule::strict;
  bool multicast = true;
  bool unicast = false;
  TrailerRule trailer = TrailerRule::ignored;
  std::vector<std::pair<std::uint8_t, std::string>> trailer_keys = {};  // id and key
};

enum class ByPacket : std::uint8_t { ip, ip_stealth, ip_unicast };

/// Ports and own addresses first, then the groups that use them.
class TopologyBuilder {
 public:
  TopologyBuilder& port(const MacAddress& mac, std::uint8_t receivers = 1) {
    topology_.ports.push_back({.mac = mac, .receivers = receivers});
    return *this;
  }

  TopologyBuilder& own(PortIndex port, VlanId vlan, Ipv4Address address) {
    own_.push_back({port, vlan, address});
    add(port, vlan, address, Entry{.kind = EntryKind::own, .slot = {}});
    return *this;
  }

  /// The first own one of a (port, VLAN) is its groups' source.
  TopologyBuilder& own6(PortIndex port, VlanId vlan, const Ipv6Address& address) {
    own6_.push_back({port, vlan, address});
    add(port, vlan, address, Entry{.kind = EntryKind::own, .slot = {}});
    return *this;
  }
  TopologyBuilder& peer(PortIndex port, VlanId vlan, Ipv4Address address) {
    add(port, vlan, address, Entry{.kind = EntryKind::peer, .slot = {}});
    return *this;
  }
  TopologyBuilder& peer6(PortIndex port, VlanId vlan, const Ipv6Address& address) {
    add(port, vlan, address, Entry{.kind = EntryKind::peer, .slot = {}});
    return *this;
  }

  TopologyBuilder& group(const Group& g) {
    const SlotIndex index(static_cast<std::uint16_t>(topology_.slots.size()));
    std::vector<IpAddress> covered(g.addresses.begin(), g.addresses.end());
    covered.insert(covered.end(), g.addresses6.begin(), g.addresses6.end());
    topology_.slots.push_back(
        {.port = g.port,
         .vlan = g.vlan,
         .vhid = g.vhid,
         .mac = virtual_mac(g.vhid),
         .told = virtual_mac(g.vhid),
         .sends_from = virtual_mac(g.vhid),
         .first = index,
         .families = g.families,
         .replay = g.replay,
         .multicast = g.multicast,
         .unicast = g.unicast,
         .transmitter = WorkerIndex(0),
         .source = source(own_, g.port, g.vlan),
         .source6 = source(own6_, g.port, g.vlan),
         .first_auth = static_cast<std::uint32_t>(topology_.auths.size()),
         .auth_count = static_cast<std::uint32_t>(g.keys.size()),
         .trailer = g.trailer,
         .first_trailer_key = static_cast<std::uint32_t>(topology_.trailer_keys.size()),
         .trailer_key_count = static_cast<std::uint32_t>(g.trailer_keys.size())});
    for (const auto& [id, key] : g.trailer_keys) {
      topology_.trailer_keys.push_back({id, auth::TrailerAuth(from_text(key))});
    }
    for (const std::string& key : g.keys) {
      topology_.auths.push_back(auth::CarpAuth::prepare(from_text(key), g.vhid, covered));
    }
    for (const Ipv4Address& address : g.addresses) {
      add(g.port, g.vlan, address, Entry{.kind = EntryKind::shared, .slot = index});
    }
    for (const Ipv6Address& address : g.addresses6) {
      add(g.port, g.vlan, address, Entry{.kind = EntryKind::shared, .slot = index});
    }
    vhids_.push_back({Topology::vhid_key(g.port, g.vlan, g.vhid), index});
    return *this;
  }

  /// Every port gets a host, which has the own addresses, and the shared ones iff assigned.
  TopologyBuilder& hosted(bool assigned = false) {
    for (PortView& port : topology_.ports) port.host = true;
    for_entries([assigned](Entry& entry) {
      entry.on_host = entry.kind == EntryKind::own || (assigned && entry.kind == EntryKind::shared);
    });
    return *this;
  }

  /// Ports and groups as those of a configuration with trailers.
  TopologyBuilder& hellos() {
    for (PortView& port : topology_.ports) port.hello = true;
    topology_.facts.assign(topology_.slots.size(), {});
    return *this;
  }

  /// The same with a member for each vhid, ascending.
  TopologyBuilder& balanced(const Group& g, const std::vector<std::uint8_t>& vhids,
                            const balance::Balancer& balancer) {
    const SlotIndex first(static_cast<std::uint16_t>(topology_.slots.size()));
    members(g, vhids);
    // Of equal addresses the first one's entry counts: that of the group's first slot.
    for_entries([this, first](Entry& entry) {
      if (entry.kind == EntryKind::shared && entry.slot == first) {
        entry.balancer = static_cast<std::uint16_t>(topology_.balancers.size());
      }
    });
    topology_.balancers.push_back(balancer);
    return *this;
  }

  /// Balanced by packet. protocol.md §11: who tells what, and sends from where.
  TopologyBuilder& by_packet(const Group& g, const std::vector<std::uint8_t>& vhids, ByPacket how) {
    for (SlotView& slot : members(g, vhids)) {
      slot.by_packet = true;
      slot.told = virtual_mac(Vhid(vhids[0]));
      if (how == ByPacket::ip) slot.told.bytes[0] = std::byte{1};
      if (how != ByPacket::ip_unicast) slot.sends_from = topology_.ports[g.port.value()].mac;
    }
    return *this;
  }

  std::shared_ptr<const Topology> build(NodeId node = kOwnNode) {
    for_entries(
        [number = 0U](Entry& entry) mutable { entry.number = number++ & Entry::kNumberMask; });
    topology_.addresses = Topology::Addresses(addresses_);
    topology_.addresses6 = Topology::Addresses6(addresses6_);
    topology_.vhids = Topology::Vhids(vhids_);
    topology_.node_id = node;
    topology_.prepare_replies();
    return std::make_shared<const Topology>(topology_);
  }

 private:
  template <class Address>
  struct Own {
    PortIndex port;
    VlanId vlan;
    Address address;
  };

  std::span<SlotView> members(Group g, const std::vector<std::uint8_t>& vhids) {
    const std::size_t first = topology_.slots.size();
    for (const std::uint8_t vhid : vhids) {
      g.vhid = Vhid(vhid);
      group(g);
    }
    const auto slots = std::span(topology_.slots).subspan(first);
    for (SlotView& slot : slots) {
      slot.first = SlotIndex(static_cast<std::uint16_t>(first));
      slot.members = static_cast<std::uint8_t>(vhids.size());
    }
    return slots;
  }

  void add(PortIndex port, VlanId vlan, Ipv4Address address, Entry entry) {
    addresses_.push_back({Topology::address_key(port, vlan, address), entry});
  }

  void add(PortIndex port, VlanId vlan, const Ipv6Address& address, Entry entry) {
    addresses6_.push_back({Topology::address_key(port, vlan, address), entry});
  }

  template <class Function>
  void for_entries(Function function) {
    for (auto& item : addresses_) function(item.value);
    for (auto& item : addresses6_) function(item.value);
  }

  template <class Address>
  static Address source(const std::vector<Own<Address>>& own, PortIndex port, VlanId vlan) {
    for (const Own<Address>& o : own) {
      if (o.port == port && o.vlan == vlan) return o.address;
    }
    return {};
  }

  Topology topology_;
  std::vector<Topology::Addresses::Item> addresses_;
  std::vector<Topology::Addresses6::Item> addresses6_;
  std::vector<Topology::Vhids::Item> vhids_;
  std::vector<Own<Ipv4Address>> own_;
  std::vector<Own<Ipv6Address>> own6_;
};

/// The slots of the usual topology.
inline constexpr SlotIndex kLan{0};        // port 0, untagged, vhid 1, 192.0.2.1
inline constexpr SlotIndex kTagged{1};     // port 0, VLAN 20, vhid 7, 198.51.100.1
inline constexpr SlotIndex kForeign{2};    // port 0, untagged, vhid 9, 192.0.2.9, another dialect
inline constexpr SlotIndex kOtherPort{3};  // port 1, untagged, vhid 3, 203.0.113.1
inline constexpr SlotIndex kBoth{4};       // port 0, untagged, vhid 6, both families
inline constexpr SlotIndex kTagged6{5};    // port 0, VLAN 20, vhid 8, 2001:db8:20::1
inline constexpr SlotIndex kForeign6{6};   // port 0, untagged, vhid 10, both, another dialect
inline constexpr FamilySet kBothFamilies = family_bit(Family::ipv4) | family_bit(Family::ipv6);
inline constexpr Ipv4Address kBothIp = ipv4(192, 0, 2, 6);
inline constexpr Ipv4Address kForeignBothIp = ipv4(192, 0, 2, 10);

inline TopologyBuilder usual_builder(std::uint8_t receivers = 1,
                                     FamilySet families = family_bit(Family::ipv4)) {
  const PortIndex first(0);
  const PortIndex second(1);
  const VlanId untagged(0);
  return TopologyBuilder()
      .port(kPortMac, receivers)
      .port(kSecondPortMac, 1)
      .own(first, untagged, kOwnIp)
      .own(first, kVlan, kTaggedOwnIp)
      .own(second, untagged, ipv4(203, 0, 113, 2))
      .group({.port = first, .vhid = Vhid(1), .addresses = {kSharedIp}, .families = families})
      .group({.port = first, .vlan = kVlan, .vhid = Vhid(7), .addresses = {kTaggedSharedIp}})
      .group({.port = first,
              .vhid = Vhid(9),
              .addresses = {kForeignSharedIp},
              .replay = ReplayRule::none})
      .group({.port = second, .vhid = Vhid(3), .addresses = {ipv4(203, 0, 113, 1)}})
      .own6(first, untagged, kOwnLinkLocal)
      .own6(first, untagged, kOwnIp6)
      .own6(first, kVlan, kTaggedOwnIp6)
      .peer(first, untagged, kUnicastPeerIp)
      .peer6(first, untagged, kUnicastPeerIp6)
      .group({.port = first,
              .vhid = Vhid(6),
              .addresses = {kBothIp},
              .addresses6 = {kSharedIp6},
              .families = kBothFamilies})
      .group({.port = first,
              .vlan = kVlan,
              .vhid = Vhid(8),
              .addresses = {},
              .addresses6 = {kTaggedSharedIp6},
              .families = family_bit(Family::ipv6)})
      .group({.port = first,
              .vhid = Vhid(10),
              .addresses = {kForeignBothIp},
              .addresses6 = {kForeignSharedIp6},
              .families = kBothFamilies,
              .replay = ReplayRule::none});
}

inline std::shared_ptr<const Topology> usual_topology(
    std::uint8_t receivers = 1, FamilySet families = family_bit(Family::ipv4)) {
  return usual_builder(receivers, families).build();
}

/// An up ring that remembers, and is full when and for as long as told so.
class RecordingSender final : public Sender<UpMessage> {
 public:
  bool try_send(const UpMessage& message) override {
    if (refuse_next != 0) {
      --refuse_next;
      return false;
    }
    if (messages.size() >= capacity) return false;
    messages.push_back(message);
    return true;
  }
  const VerifiedAdvert* advert(std::size_t at) const {
    return at < messages.size() ? std::get_if<VerifiedAdvert>(&messages[at]) : nullptr;
  }

  std::vector<UpMessage> messages;
  std::size_t capacity = SIZE_MAX;
  unsigned refuse_next = 0;  // this many times, whatever the capacity
};

/// "answer", "taken", or the label of the reason.
inline std::string verdict(const dataplane::Fate& fate) {
  switch (fate.kind()) {
    case dataplane::Fate::Kind::answer:
      return "answer";
    case dataplane::Fate::Kind::taken:
      return "taken";
    case dataplane::Fate::Kind::pass:
      return "pass";
    case dataplane::Fate::Kind::not_ours:  // never out of classify()
      return "not ours";
    case dataplane::Fate::Kind::noted:
      return "noted";
    case dataplane::Fate::Kind::undecided:  // never out of decide()
      return "undecided";
    case dataplane::Fate::Kind::drop:
      break;
  }
  return std::string(to_string(fate.reason()));
}

/// "ok", or the label of the reason.
inline std::string verdict(const std::optional<DropReason>& refusal) {
  return refusal ? std::string(to_string(*refusal)) : "ok";
}

/// One worker, number 0, with everything it works with. Time passes only by poll().
class World {
 public:
  explicit World(std::shared_ptr<const Topology> usual = usual_topology())
      : topology(std::move(usual)),
        view{.number = ViewNumber(1), .topology = topology, .terms = {}},
        board(std::make_unique<SlotBoard>()),
        counters(std::make_unique<WorkerCounters>()),
        lease(*board, WorkerIndex(0)),
        adverts(*board, lease, up, *counters),
        reporter(up),
        conflicts(reporter) {
    view.terms.resize(topology->slots.size());
    poll();
  }

  /// Makes the slot MASTER by every word of L1, with a lease as long as given.
  void reign(SlotIndex slot, Term term = Term(5), Duration left = 3s) {
    view.terms[slot.value()] = term;
    board->slot(slot).term.store(term.value());
    for (std::size_t f = 0; f < kFamilies; ++f) {
      board->slot(slot).deadline[f].store(Stamp(term.value(), now + left).word());
    }
  }

  /// A poll that finds the queues empty, or takes all that is in them.
  void poll(Duration after = 100us) {
    now += after;
    lease.begin_poll(now);
    reporter.begin_poll(now);
    lease.end_poll(now);
  }

  dataplane::BurstContext burst(PortIndex port = PortIndex(0)) {
    return {.view = view,
            .port = port,
            .lease = lease,
            .reporter = reporter,
            .conflicts = conflicts,
            .dad = dad,
            .askers = askers};
  }

  /// What becomes of a frame; it is changed into its answer and has its length.
  dataplane::Fate receive(Bytes& frame, PortIndex port = PortIndex(0)) {
    const std::size_t length = frame.size();
    if (room != 0) frame.resize(length + room, std::byte{0xee});
    const dataplane::BurstContext context = burst(port);
    dataplane::QuickLook quick(context);
    const auto bytes = std::span(frame).first(length);
    quick.fetch(bytes);
    const dataplane::Fate fate = dataplane::decide(
        quick, bytes, [this] { return room; }, adverts);
    const bool answer = fate.kind() == dataplane::Fate::Kind::answer;
    if (answer || room != 0) frame.resize(answer ? fate.length() : length);
    return fate;
  }
  /// "pass", and then the frame is as it leaves, or the label of the reason.
  std::string from_host(Bytes& frame, PortIndex port = PortIndex(0)) {
    return verdict(dataplane::from_host(frame, burst(port)));
  }
  /// Of what a NIC is to cut into frames of so many bytes; frame is its beginning.
  std::string segments_from_host(Bytes& frame, std::size_t longest) {
    return verdict(dataplane::segments_from_host(frame, longest, burst(PortIndex(0))));
  }
  std::string verdict_on(Bytes frame, PortIndex port = PortIndex(0)) {
    return verdict(receive(frame, port));
  }

  std::shared_ptr<const Topology> topology;
  View view;
  std::unique_ptr<SlotBoard> board;
  std::unique_ptr<WorkerCounters> counters;
  dataplane::WorkerLease lease;
  RecordingSender up;
  dataplane::AdvertReceiver adverts;
  dataplane::UpReporter reporter;
  dataplane::ConflictWatch conflicts;
  dataplane::DadLimit dad;
  dataplane::AskerMemory askers;
  std::size_t room = 0;  // of the buffer after a frame; 0 lets a sanitizer see the frame's end
  Instant now{10s};
};

}  // namespace koi::test
