#include "controlplane/hello.h"

#include <algorithm>
#include <utility>

#include "common/wire/ethernet.h"
#include "common/wire/ipv4.h"
#include "common/wire/ipv6.h"
#include "common/wire/trailer.h"
#include "common/wire/udp.h"

namespace koi::controlplane {
namespace {

constexpr std::size_t kSigned = wire::kHelloLength + wire::kTrailerLength;
static_assert(wire::kEthernetLength + wire::kVlanTagLength + wire::kIpv6Length + wire::kUdpLength +
                  kSigned <=
              TransmitFrame::kMaxBytes);

/// The peer knows us by the address of its own one's scope.
IpAddress source_for(const HelloPlan& plan, const IpAddress& peer) {
  if (peer.is_v4()) return plan.from.source;
  const bool global = !peer.v6().is_link_local() && !plan.global_source6.is_unspecified();
  return global ? plan.global_source6 : plan.from.link_local;
}

bool has_source_for(const HelloPlan& plan, const IpAddress& peer) {
  const IpAddress source = source_for(plan, peer);
  return source.is_v4() ? !source.v4().is_zero() : !source.v6().is_unspecified();
}

bool is_ours(const HelloPlan& plan, const IpAddress& address) {
  return address == IpAddress(plan.from.source) || address == IpAddress(plan.from.link_local) ||
         address == IpAddress(plan.global_source6);
}

HelloExchange::Taken refused(HelloVerdict why) {
  return {.verdict = why, .report = std::nullopt, .gone = std::nullopt};
}

}  // namespace

TransmitFrame hello_frame(const HelloPlan& plan, const wire::Hello& hello, std::uint64_t sequence,
                          const IpAddress& to, const MacAddress& mac) {
  TransmitFrame frame;
  frame.kind = FrameKind::own;
  frame.family = to.family();
  frame.port = plan.from.port;
  const IpAddress source = source_for(plan, to);
  const std::span<std::byte> out(frame.bytes);
  constexpr std::size_t kLength = wire::kUdpLength + kSigned;
  std::size_t at =
      wire::write_ethernet(out, mac, plan.from.mac, plan.from.vlan,
                           to.is_v4() ? wire::kEtherIpv4 : wire::kEtherIpv6, plan.from.pcp);
  if (to.is_v4()) {
    wire::write_ipv4({.tos = plan.from.traffic.ipv4,
                      // RFC 6864: any id will do where it may not be fragmented.
                      .id = static_cast<std::uint16_t>(sequence),
                      .dont_fragment = true,
                      .ttl = wire::kHelloTtl,
                      .protocol = wire::kProtocolUdp,
                      .source = source.v4(),
                      .destination = to.v4(),
                      .payload_length = kLength},
                     out.subspan(at).first<wire::kIpv4Length>());
    at += wire::kIpv4Length;
  } else {
    wire::write_ipv6({.traffic_class = plan.from.traffic.ipv6,
                      .hop_limit = wire::kHelloTtl,
                      .protocol = wire::kProtocolUdp,
                      .source = source.v6(),
                      .destination = to.v6(),
                      .payload_length = kLength},
                     out.subspan(at).first<wire::kIpv6Length>());
    at += wire::kIpv6Length;
  }
  const auto message = out.subspan(at + wire::kUdpLength).first<wire::kHelloLength>();
  wire::write_hello(hello, message);
  wire::Trailer trailer{.key_id = plan.signer->id, .sequence = sequence};
  plan.signer->auth.sign({.protocol_version = auth::kTrailerOfHello,
                          .vhid = hello.vhid,
                          .source = source,
                          .pdu = message},
                         trailer);
  wire::write_trailer(
      trailer,
      out.subspan(at + wire::kUdpLength + wire::kHelloLength).first<wire::kTrailerLength>());
  wire::write_udp(source, to, wire::kHelloPort, wire::kHelloPort, out.subspan(at, kLength));
  frame.length = static_cast<std::uint16_t>(at + kLength);
  return frame;
}

HelloExchange::Group* HelloExchange::find(SlotIndex first) {
  const auto at =
      std::lower_bound(groups_.begin(), groups_.end(), first,
                       [](const Group& group, SlotIndex s) { return group.plan.first < s; });
  return at == groups_.end() || at->plan.first != first ? nullptr : &*at;
}

PeerReport HelloExchange::gone(const Group& group, const Peer& peer) {
  PeerReport report;
  report.slot = group.plan.first;
  report.address = peer.address;
  report.gone = true;
  return report;
}

void HelloExchange::follow(const std::vector<HelloPlan>& plans, Instant now) {
  std::vector<Group> before = std::exchange(groups_, {});
  for (const HelloPlan& plan : plans) {
    Group group{.plan = plan, .peers = {}, .guard = {}};
    const auto known = std::find_if(before.begin(), before.end(),
                                    [&](const Group& b) { return b.plan.first == plan.first; });
    if (known != before.end()) {
      group.peers = std::move(known->peers);
      group.guard = known->guard;
    }
    for (Peer& peer : group.peers) {
      peer.configured = false;
      peer.next = now;
    }
    // One that was taken out, and never heard, was only there for being configured.
    for (const IpAddress& address : plan.peers) {
      std::optional<PeerReport> gone;
      Peer* peer = find_or_add(group, address, now, gone);
      if (peer != nullptr) peer->configured = true;
    }
    std::erase_if(group.peers, [](const Peer& p) { return !p.configured && p.heard == Instant{}; });
    groups_.push_back(std::move(group));
  }
  std::sort(groups_.begin(), groups_.end(),
            [](const Group& a, const Group& b) { return a.plan.first < b.plan.first; });
  find_next();
}

/// Returns nothing iff there is no room, for all are configured.
HelloExchange::Peer* HelloExchange::find_or_add(Group& group, const IpAddress& address, Instant now,
                                                std::optional<PeerReport>& gone) {
  auto at = std::find_if(group.peers.begin(), group.peers.end(),
                         [&](const Peer& p) { return p.address == address; });
  if (at != group.peers.end()) return &*at;
  if (group.peers.size() >= kMostPeers) {
    // The one that was silent the longest makes room.
    const auto later = [](const Peer& a, const Peer& b) {
      if (a.configured != b.configured) return b.configured;
      return std::max(a.heard, a.added) < std::max(b.heard, b.added);
    };
    at = std::min_element(group.peers.begin(), group.peers.end(), later);
    if (at->configured) return nullptr;
    gone = HelloExchange::gone(group, *at);
    group.peers.erase(at);
  }
  Peer& added = group.peers.emplace_back();
  added.address = address;
  added.added = added.next = now;
  return &added;
}

std::optional<PeerReport> HelloExchange::on_advertisement(SlotIndex first, const IpAddress& from,
                                                          const MacAddress& mac, Instant now) {
  Group* group = find(first);
  // In the family of the group's hellos, or a box would be there twice.
  if (group == nullptr || from.family() != group->plan.family || is_ours(group->plan, from)) {
    return std::nullopt;
  }
  const auto known = std::find_if(group->peers.begin(), group->peers.end(),
                                  [&](const Peer& p) { return p.address == from; });
  if (known != group->peers.end()) {
    // A virtual MAC, mostly: it leads there as long as it reigns, and then its hello says more.
    if (known->mac.is_zero()) {
      known->mac = mac;
      known->next = std::min(known->next, now);
      bring_forward(*group, *known);
    }
    return std::nullopt;
  }
  if (group->peers.size() >= kMostPeers) return std::nullopt;
  std::optional<PeerReport> nobody;
  Peer& peer = *find_or_add(*group, from, now, nobody);
  peer.mac = mac;
  bring_forward(*group, peer);
  PeerReport found;
  found.slot = first;
  found.address = from;
  found.mac = mac;
  return found;
}

std::optional<HelloExchange::Taken> HelloExchange::on_hello(const HelloHeard& hello,
                                                            std::uint64_t oldest, Instant now) {
  Group* group = find(hello.slot);
  if (group == nullptr) return std::nullopt;
  if (is_ours(group->plan, hello.source)) return refused(HelloVerdict::own);
  switch (group->guard.check(hello.source, hello.sequence, oldest)) {
    case auth::SequenceGuard::Result::old:
      return refused(HelloVerdict::old);
    case auth::SequenceGuard::Result::stale:
      return refused(HelloVerdict::clock);
    case auth::SequenceGuard::Result::fresh:
      break;
  }
  Taken taken{.verdict = HelloVerdict::accepted, .report = std::nullopt, .gone = std::nullopt};
  Peer* peer = find_or_add(*group, hello.source, now, taken.gone);
  if (peer == nullptr) return refused(HelloVerdict::full);
  group->guard.remember(hello.source, hello.sequence);
  peer->mac = hello.source_mac;
  peer->heard = now;
  if (hello.asks) soon(*group, *peer, now);
  bring_forward(*group, *peer);
  taken.report = PeerReport{.slot = hello.slot,
                            .address = hello.source,
                            .mac = hello.source_mac,
                            .heard = now,
                            .gone = false,
                            .node = hello.node,
                            .demotion = hello.demotion,
                            .differs = hello.differs,
                            .masters = hello.masters,
                            .backups = hello.backups,
                            .version = hello.version};
  return taken;
}

void HelloExchange::soon(const Group& group, Peer& peer, Instant now) {
  const Duration gap = std::min(kSoon, group.plan.interval / 4);
  peer.next = std::min(peer.next, std::max(now, peer.sent + gap));
}

void HelloExchange::changed(SlotIndex first, Instant now) {
  Group* group = find(first);
  if (group == nullptr) return;
  // Not now: whoever rises has more urgent things to send.
  for (Peer& peer : group->peers) {
    soon(*group, peer, now + std::min(kSoon, group->plan.interval));
    bring_forward(*group, peer);
  }
}

std::optional<HelloExchange::Due> HelloExchange::due(Instant now) {
  if (now < next_) return std::nullopt;
  Group* group = nullptr;
  Peer* peer = nullptr;
  for (Group& g : groups_) {
    if (!g.plan.signer) continue;
    for (Peer& p : g.peers) {
      if (peer != nullptr && p.next >= peer->next) continue;
      group = &g;
      peer = &p;
    }
  }
  if (peer == nullptr || peer->next > now) {  // it was the turn of one that is gone
    find_next();
    return std::nullopt;
  }
  Due due{.first = group->plan.first, .frame = std::nullopt, .gone = std::nullopt};
  if (!peer->configured && now - std::max(peer->heard, peer->added) >= kForgetAfter) {
    due.gone = gone(*group, *peer);
    group->peers.erase(group->peers.begin() + (peer - group->peers.data()));
  } else {
    due.frame = hello_to(*group, *peer, now);
    peer->next = now + (due.frame ? group->plan.interval : std::min(kSoon, group->plan.interval));
    if (due.frame) {
      peer->sent = now;
      paced_ = now + kPace;
    }
  }
  find_next();
  return due;
}

std::optional<TransmitFrame> HelloExchange::hello_to(const Group& group, const Peer& peer,
                                                     Instant now) {
  const HelloPlan& plan = group.plan;
  std::optional<MacAddress> mac = source_.mac(plan, peer.address);
  if (!mac && !peer.mac.is_zero()) mac = peer.mac;
  const std::optional<Self> self = source_.self(plan);
  if (!mac || !self || !has_source_for(plan, peer.address)) return std::nullopt;
  const wire::Hello hello{.vhid = plan.vhid,
                          .node = node_,
                          .facts = plan.facts,
                          .demotion = self->demotion,
                          .asks = peer.heard == Instant{},
                          .masters = self->masters,
                          .backups = self->backups,
                          .version = wire::version_text(KOI_VERSION)};
  TransmitFrame frame = hello_frame(plan, hello, source_.sequence(), peer.address, *mac);
  frame.not_after = now + kFrameLasts;
  return frame;
}

/// Cheap, for hundreds of groups may rise at once: its time has only become an earlier one.
void HelloExchange::bring_forward(const Group& group, const Peer& peer) {
  if (group.plan.signer) next_ = std::min(next_, std::max(peer.next, paced_));
}

void HelloExchange::find_next() {
  next_ = Instant::max();
  for (const Group& group : groups_) {
    if (!group.plan.signer) continue;
    for (const Peer& peer : group.peers) next_ = std::min(next_, peer.next);
  }
  if (next_ != Instant::max()) next_ = std::max(next_, paced_);
}

}  // namespace koi::controlplane
