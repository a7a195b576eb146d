// A whole frame into classify-and-answer: never a read or write past it and its room, and an answer
// never longer than what was asked, but for the option that a solicitation may lack. The worlds
// have everything that a frame can meet: both families, VLANs, two ports, peers, other dialects,
// and a group balanced by each hash and mode of which this box reigns half; one has no hosts, one
// has them, and in one they have the shared addresses as well.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "common/balance/balancer.h"
#include "common/wire/checksum.h"
#include "dataplane/classify.h"
#include "tests/support/world.h"

namespace {

using koi::test::Bytes;

constexpr std::size_t kMost = 2048;
constexpr koi::Ipv4Address kBalanced4[] = {
    koi::test::ipv4(192, 0, 2, 20), koi::test::ipv4(192, 0, 2, 21), koi::test::ipv4(192, 0, 2, 22)};
constexpr koi::Ipv6Address kBalanced6[] = {koi::ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x20}),
                                           koi::ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x21}),
                                           koi::ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x22})};

constexpr koi::Ipv4Address by_packet4(std::uint8_t n) { return koi::test::ipv4(192, 0, 2, 30 + n); }
constexpr koi::Ipv6Address by_packet6(std::uint16_t n) {
  return koi::ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, static_cast<std::uint16_t>(0x30 + n)});
}

enum class Host : std::uint8_t { none, plain, has_shared };

/// others: own addresses on another port, of which there are so many that the table is large, or
/// far (QuickLook::Tables).
struct Box {
  Host host;
  std::uint32_t others;
};
constexpr Box kBoxes[] = {{Host::none, 0},
                          {Host::plain, 0},
                          {Host::has_shared, 0},
                          {Host::none, 600},
                          {Host::plain, 10'300}};

std::shared_ptr<const koi::Topology> everything(const Box& box) {
  using koi::balance::Balancer;
  const Bytes key = koi::test::from_text("sixteen bytes 16");
  const Balancer balancers[] = {
      Balancer::openbsd(key, 4), Balancer::freebsd(4),
      Balancer::siphash(std::span(key).first<16>(), koi::balance::By::ip, 4)};
  koi::test::TopologyBuilder builder = koi::test::usual_builder(1, koi::test::kBothFamilies);
  std::uint8_t vhid = 100;
  for (std::size_t n = 0; n < std::size(balancers); ++n) {
    std::vector<std::uint8_t> vhids(4);
    for (std::uint8_t& member : vhids) member = vhid++;
    builder.balanced({.addresses = {kBalanced4[n]},
                      .addresses6 = {kBalanced6[n]},
                      .families = koi::test::kBothFamilies,
                      .unicast = n == 0},
                     vhids, balancers[n]);
  }
  for (std::uint8_t mode = 0; mode < 3; ++mode, vhid = static_cast<std::uint8_t>(vhid + 2)) {
    builder.by_packet({.addresses = {by_packet4(mode)},
                       .addresses6 = {by_packet6(mode)},
                       .families = koi::test::kBothFamilies},
                      {vhid, static_cast<std::uint8_t>(vhid + 1)},
                      static_cast<koi::test::ByPacket>(mode));
  }
  for (std::uint32_t n = 0; n < box.others; ++n) {
    builder.own(koi::PortIndex(1), koi::VlanId(0), koi::Ipv4Address::from_u32(0x0a00'0000 + n));
  }
  if (box.host != Host::none) builder.hosted(box.host == Host::has_shared);
  return builder.build();
}

/// Every second slot, and all but one of the first ones.
void reign(koi::test::World& world) {
  for (std::uint16_t slot = 0; slot < world.topology->slots.size(); ++slot) {
    if (slot < 6 ? slot != 3 : slot % 2 == 0)
      world.reign(koi::SlotIndex(slot), koi::Term(5), std::chrono::hours(1));
  }
}

/// The same bytes as the host's, which has the port's MAC.
void from_host(koi::test::World& world, const Bytes& input) {
  for (const bool whole : {true, false}) {
    Bytes sent = input;
    const auto& mac = koi::test::kPortMac.bytes;
    if (sent.size() >= 12) std::copy(mac.begin(), mac.end(), sent.begin() + 6);
    whole ? world.from_host(sent) : world.segments_from_host(sent, 1514);
  }
}

/// The shortest that a quick look decides over.
Bytes padded(Bytes frame) {
  frame.resize(std::max<std::size_t>(frame.size(), 60));
  return frame;
}

/// What a burst may have begun with.
void begin(koi::dataplane::QuickLook& quick) {
  static const std::vector<Bytes>& frames = *new std::vector<Bytes>{
      padded(koi::test::arp({})), padded(koi::test::arp({})),
      padded(koi::test::arp({.target_ip = kBalanced4[1]})), koi::test::neighbor({})};
  for (Bytes frame : frames) quick.decide(frame);
}

void receive(const Bytes& input, std::size_t room, std::size_t which) {
  static koi::test::World* worlds[std::size(kBoxes)] = {};
  static koi::Instant until[std::size(worlds)] = {};
  if (worlds[which] == nullptr) worlds[which] = new koi::test::World(everything(kBoxes[which]));
  koi::test::World& world = *worlds[which];
  if (world.now >= until[which]) {  // the leases are for an hour
    reign(world);
    until[which] = world.now + std::chrono::minutes(30);
  }
  world.poll();
  world.up.messages.clear();
  const koi::PortIndex port(input.size() % 16 == 0 ? 1 : 0);
  // Exactly as large as the frame and its room, so that the sanitizer sees its ends.
  Bytes frame(input.size() + room);
  std::copy(input.begin(), input.end(), frame.begin());
  const koi::dataplane::BurstContext burst = world.burst(port);
  // What the quick look alone decides, again and again, for it keeps what it is asked for often;
  // then classify() must decide the same.
  koi::dataplane::QuickLook quick(burst);
  Bytes quickly = frame;
  const auto by_quick_look = quick.decide(std::span(quickly).first(input.size()));
  for (int more = 0; more < 2; ++more) {
    Bytes again = frame;
    if (quick.decide(std::span(again).first(input.size())) != by_quick_look || again != quickly) {
      std::abort();
    }
  }
  koi::dataplane::QuickLook later(burst);
  begin(later);
  Bytes in_between = frame;
  if (later.decide(std::span(in_between).first(input.size())) != by_quick_look ||
      in_between != quickly) {
    std::abort();
  }
  const koi::dataplane::Fate fate =
      koi::dataplane::classify(std::span(frame).first(input.size()), room, burst, world.adverts);
  if (by_quick_look.kind() != koi::dataplane::Fate::Kind::undecided) {
    // Behind an answer's end lies what nobody sends.
    const bool answered = fate.kind() == koi::dataplane::Fate::Kind::answer;
    const std::size_t length = answered ? fate.length() : frame.size();
    if (by_quick_look != fate ||
        !std::ranges::equal(std::span(quickly).first(length), std::span(frame).first(length))) {
      std::abort();
    }
  }
  // What was verified would lie outstanding for ever, and nothing be answered (L7).
  for (const auto& message : world.up.messages) {
    if (const auto* advert = std::get_if<koi::VerifiedAdvert>(&message)) {
      world.board->slot(advert->slot).acknowledged[0].store(advert->heard_number);
    }
  }
  if (kBoxes[which].host != Host::none) from_host(world, input);
  if (fate.kind() != koi::dataplane::Fate::Kind::answer) return;
  const std::size_t longer = fate.what() == koi::AnswerKind::nd ? room : 0;
  if (fate.length() > input.size() + longer) std::abort();
}

void receive_all(const Bytes& frame) {
  for (std::size_t which = 0; which < std::size(kBoxes); ++which) {
    for (const std::size_t room : {std::size_t{0}, std::size_t{8}}) receive(frame, room, which);
  }
}

/// A right checksum for an ICMPv6 message without extension headers, which a fuzzer hardly finds.
bool mend(Bytes& frame) {
  if (frame.size() < 14 + 40 + 4 || frame[12] != std::byte{0x86} || frame[13] != std::byte{0xdd} ||
      frame[20] != std::byte{58}) {
    return false;
  }
  const std::size_t length = koi::wire::get_be16(frame, 18);
  if (length < 4 || length > frame.size() - 54) return false;
  koi::test::Ip6 ip;
  std::copy_n(frame.begin() + 22, 16, ip.source.bytes.begin());
  std::copy_n(frame.begin() + 38, 16, ip.destination.bytes.begin());
  Bytes message(frame.begin() + 54, frame.begin() + 54 + static_cast<std::ptrdiff_t>(length));
  koi::test::set_checksum6(message, 2, ip, 58);
  std::copy(message.begin(), message.end(), frame.begin() + 54);
  return true;
}

/// The same for an IPv4 header without options.
bool mend4(Bytes& frame) {
  const std::size_t tag = frame.size() > 18 && koi::wire::get_be16(frame, 12) == 0x8100 ? 4 : 0;
  const std::size_t at = 14 + tag;
  if (frame.size() < at + 20 || koi::wire::get_be16(frame, at - 2) != 0x0800) return false;
  koi::wire::put_be16(frame, at + 10, 0);
  koi::wire::put_be16(frame, at + 10,
                      koi::wire::internet_checksum(std::span(frame).subspan(at, 20)));
  return true;
}

/// Frames that go all the way, to start from.
const std::vector<Bytes>& valid_frames() {
  static const std::vector<Bytes>& frames = *new std::vector<Bytes>([] {
    using namespace koi::test;
    const koi::Ipv6Address balanced = kBalanced6[0];
    std::vector<Bytes> out = {
        arp({}),
        arp({.target_ip = kTaggedSharedIp}, {.tag = std::uint16_t{20}}),
        arp({.operation = 2, .sender_mac = kUnicastPeerMac, .sender_ip = kUnicastPeerIp}),
        echo({}, {.to = kPortMac}),
        echo6({}, {.to = kPortMac}),
        neighbor({}),
        neighbor({.options = {}}),
        neighbor({.target = balanced,
                  .ip = {.destination = Neighbor::solicited_group(balanced)},
                  .ethernet = {.to = koi::mac_from({0x33, 0x33, 0xff, 0, 0, 0x20})}}),
        neighbor(advertised(kUnicastPeerIp6, kUnicastPeerMac)),
        neighbor(advertised(kSharedIp6, kClientMac)),
        frame({}),
        frame6({.vhid = 6, .addresses = {kBothIp}, .addresses6 = {kSharedIp6}}),
        ethernet({.to = koi::mac_from({0x01, 0, 0x5e, 0, 0, 1})}, 0x0800,
                 ip_packet({.ttl = 1, .protocol = 2, .destination = ipv4(224, 0, 0, 1)},
                           Frame().u8(0x11).u8(100).be16(0xee9b).be32(0).bytes)),
    };
    for (const koi::Ipv4Address& address : kBalanced4) out.push_back(arp({.target_ip = address}));
    // Through the firewall, and to an address that its host may have.
    const Ethernet to_gateway{.to = koi::virtual_mac(koi::Vhid(1))};
    const Ip elsewhere{.protocol = 6, .destination = ipv4(203, 0, 113, 9)};
    out.push_back(ethernet(to_gateway, 0x0800, ip_packet(elsewhere, Bytes(26))));
    out.push_back(ethernet({.to = kPortMac, .tag = std::uint16_t{20}}, 0x0800,
                           ip_packet(elsewhere, Bytes(26))));
    out.push_back(ethernet(to_gateway, 0x0800,
                           ip_packet({.protocol = 17, .destination = kSharedIp}, Bytes(26))));
    out.push_back(ethernet(to_gateway, 0x86dd,
                           ip6_packet({.next = 6, .destination = kBalanced6[1]}, Bytes(20))));
    for (const std::uint8_t vhid : {112, 114, 117}) {  // by packet
      const Ethernet to_member{.to = koi::virtual_mac(koi::Vhid(vhid))};
      out.push_back(ethernet(to_member, 0x0800, ip_packet(elsewhere, Bytes(26))));
    }
    out.push_back(ethernet({.to = kPortMac, .tag = std::uint16_t{20}}, 0x86dd,
                           ip6_packet({.next = 17, .destination = kBalanced6[1]}, Bytes(20))));
    const Ethernet to_group{.to = koi::mac_from({0x01, 0, 0x5e, 0, 0x01, 112})};
    const Bytes about = ip_packet({.source = by_packet4(0)}, Bytes(8));
    out.push_back(arp({.target_ip = by_packet4(0)}, to_group));
    out.push_back(echo({.destination = by_packet4(0)}, to_group));
    out.push_back(
        ethernet(to_group, 0x0800, ip_packet({.destination = by_packet4(0)}, icmp(3, 4, about))));
    const Ip6 outer{.destination = by_packet6(0)};
    const Bytes rest = Frame().be32(0).add(ip6_packet({.source = by_packet6(0)}, Bytes(8))).bytes;
    out.push_back(ethernet(to_group, 0x86dd, ip6_packet(outer, icmp6(2, 0, rest, outer))));
    return out;
  }());
  return frames;
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned seed) {
  if (seed % 64 == 0) {
    const Bytes& frame = valid_frames()[seed / 64 % valid_frames().size()];
    if (frame.size() <= most) {
      std::transform(frame.begin(), frame.end(), data,
                     [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
      size = frame.size();
    }
  }
  return LLVMFuzzerMutate(data, size, most);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kMost) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  Bytes frame(bytes, bytes + size);
  receive_all(frame);
  if (mend(frame) || mend4(frame)) receive_all(frame);  // never both
  return 0;
}
