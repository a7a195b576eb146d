#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <utility>

#include "tests/bench/operation.h"
#include "tests/support/balanced.h"
#include "tests/support/world.h"

namespace koi::bench {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames
using dataplane::Fate;
using dataplane::QuickLook;

constexpr std::size_t kFrames = 512;  // each of another sender, as tools/bench has them
constexpr std::size_t kBurst = 64;
constexpr std::size_t kAhead = 4;             // of the frame, its entries are fetched
constexpr std::size_t kRoom = 64;             // of a buffer after its frame
constexpr std::size_t kShortest = 60;         // of a frame on the wire, without its checksum
constexpr std::uint32_t kFirst = 0x0a010000;  // 10.1.0.0: of many shared addresses

MacAddress sender(std::size_t n) {
  return mac_from({2, 1, 0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
}

/// Which of so many is the target of a frame: the same ones in each run.
std::size_t any_of(std::size_t count, std::size_t n) {
  std::mt19937 random(static_cast<std::uint32_t>(n));
  return random() % count;
}

/// Frames and the worker that decides over them, all with the same fate.
struct Traffic {
  Traffic(std::shared_ptr<const Topology> topology, std::function<Bytes(std::size_t)> maker)
      : world(std::move(topology)), make(std::move(maker)) {}

  World world;
  std::function<Bytes(std::size_t)> make;
  bool fresh = false;  // made anew for each run: what has been accepted once is a replay
  Fate::Kind fate{};
  std::size_t made = 0;
  std::vector<Bytes> requests{kFrames};
  std::vector<Bytes> frames{kFrames};

  std::span<std::byte> frame(std::size_t n) {
    return std::span(frames[n]).first(requests[n].size());
  }

  void make_all() {
    for (Bytes& request : requests) {
      request = make(made++);
      request.resize(std::max(request.size(), kShortest));
    }
  }

  void prepare() {
    if (fresh) make_all();
    for (std::size_t n = 0; n < kFrames; ++n) {
      frames[n].resize(requests[n].size() + kRoom);
      std::copy(requests[n].begin(), requests[n].end(), frames[n].begin());
    }
    world.up.messages.clear();
  }

  std::size_t run() {
    std::size_t right = 0;
    for (std::size_t burst = 0; burst < kFrames; burst += kBurst) {
      world.poll(Duration(1500));  // ns: what a core takes for so many
      const dataplane::BurstContext context = world.burst();
      QuickLook quick(context);
      QuickLook::compiled_for(quick.tables(), [&]<QuickLook::Tables kTables> {
        for (std::size_t n = 0; n < kBurst; ++n) {
          if (kTables == QuickLook::Tables::far) {
            quick.fetch(frame(std::min(burst + n + kAhead, kFrames - 1)));
          }
          const Fate is = dataplane::or_classify(
              quick.decide<kTables>(frame(burst + n)), quick, frame(burst + n),
              [] { return kRoom; }, world.adverts);
          right += is.kind() == fate ? 1 : 0;
        }
      });
    }
    return right;
  }
};

/// This box reigns everywhere. expected: what becomes of each frame, as verdict() says it.
Operation decide(std::string name, std::shared_ptr<const Topology> topology,
                 const std::string& expected, std::function<Bytes(std::size_t)> make,
                 bool fresh = false) {
  const auto traffic = std::make_shared<Traffic>(std::move(topology), std::move(make));
  traffic->fresh = fresh;
  World& world = traffic->world;
  for (std::uint16_t slot = 0; slot < world.topology->slots.size(); ++slot) {
    world.reign(SlotIndex(slot));
  }
  world.room = kRoom;
  traffic->make_all();
  for (Bytes frame : traffic->requests) {
    const Fate fate = world.receive(frame);
    if (verdict(fate) != expected) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(), verdict(fate).c_str());
      std::exit(1);
    }
    traffic->fate = fate.kind();
  }
  return {.name = std::move(name),
          .times = kFrames,
          .prepare = [traffic] { traffic->prepare(); },
          .run = [traffic] { return traffic->run(); }};
}

Ipv4Address shared(std::size_t n) {
  return Ipv4Address::from_u32(kFirst + static_cast<std::uint32_t>(n));
}
Ipv6Address shared6(std::size_t n) {
  return ipv6_from({0x2001, 0xdb8, 0, 1, 0, 0, 0, static_cast<std::uint16_t>(n)});
}

/// One group of so many addresses of a family.
std::shared_ptr<const Topology> many(std::size_t addresses, std::size_t addresses6 = 0) {
  Group group;
  for (std::size_t n = 0; n < addresses; ++n) group.addresses.push_back(shared(n));
  for (std::size_t n = 0; n < addresses6; ++n) group.addresses6.push_back(shared6(n));
  return TopologyBuilder()
      .port(kPortMac)
      .own(PortIndex(0), VlanId(0), kOwnIp)
      .own6(PortIndex(0), VlanId(0), kOwnIp6)
      .group(group)
      .build();
}

Bytes ask(std::size_t n, Ipv4Address target, std::optional<std::uint16_t> tag = std::nullopt) {
  const Ipv4Address sender_ip =
      ipv4(10, 200, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n));
  return arp({.sender_mac = sender(n), .sender_ip = sender_ip, .target_ip = target},
             {.from = sender(n), .tag = tag});
}

Bytes solicit(std::size_t n, const Ipv6Address& target, bool option = true) {
  Neighbor asks{.target = target, .options = option ? link_layer(1, sender(n)) : Bytes{}};
  asks.ip.destination = Neighbor::solicited_group(target);
  asks.ip.source.bytes[15] = static_cast<std::byte>(n);
  asks.ip.source.bytes[14] = static_cast<std::byte>(n >> 8 | 0x80);
  asks.ethernet.to.bytes[4] = target.bytes[14];
  asks.ethernet.to.bytes[5] = target.bytes[15];
  asks.ethernet.from = sender(n);
  return neighbor(asks);
}

Ethernet from(std::size_t n, const MacAddress& to) { return {.to = to, .from = sender(n)}; }

balance::Balancer siphash(balance::By by) {
  const Bytes key = from_text("sixteen bytes 16");
  return balance::Balancer::siphash(std::span(key).first<16>(), by, 8);
}

}  // namespace

void add_frame_operations(std::vector<Operation>& all) {
  const auto usual = usual_topology();
  const auto hosted = usual_builder().hosted().build();
  const auto add = [&all](auto&&... what) {
    all.push_back(decide(std::forward<decltype(what)>(what)...));
  };
  // Not ours.
  const Ip elsewhere{.protocol = 17, .destination = ipv4(203, 0, 113, 9)};
  const Ip6 elsewhere6{.next = 17, .destination = ipv6_from({0x2001, 0xdb8, 0, 9, 0, 0, 0, 9})};
  const Bytes udp(26);
  constexpr MacAddress kGateway = virtual_mac(Vhid(1));
  add("classify/other-mac", usual, "not_our_mac", [=](std::size_t n) {
    return ethernet(from(n, kSecondPortMac), 0x0800, ip_packet(elsewhere, udp));
  });
  add("classify/ipv4", usual, "ipv4_not_ours", [=](std::size_t n) {
    return ethernet(from(n, kPortMac), 0x0800, ip_packet(elsewhere, udp));
  });
  add("classify/ipv4-to-host", hosted, "pass", [=](std::size_t n) {
    return ethernet(from(n, kPortMac), 0x0800, ip_packet(elsewhere, udp));
  });
  add("classify/ipv4-by-gateway", hosted, "pass", [=](std::size_t n) {
    return ethernet(from(n, kGateway), 0x0800, ip_packet(elsewhere, udp));
  });
  add("classify/ipv6-by-gateway", hosted, "pass", [=](std::size_t n) {
    return ethernet(from(n, kGateway), 0x86dd, ip6_packet(elsewhere6, udp));
  });
  add("classify/tagged-by-gateway", hosted, "pass", [=](std::size_t n) {
    Ethernet tagged = from(n, virtual_mac(Vhid(7)));
    tagged.tag = static_cast<std::uint16_t>(kVlan.value());
    return ethernet(tagged, 0x0800, ip_packet(elsewhere, udp));
  });
  add("classify/ipv4-to-shared", usual_builder().hosted(true).build(), "pass", [=](std::size_t n) {
    return ethernet(from(n, kGateway), 0x0800,
                    ip_packet({.protocol = 6, .destination = kSharedIp}, udp));
  });
  add("classify/arp-for-others", usual, "arp_not_ours",
      [](std::size_t n) { return ask(n, ipv4(192, 0, 2, 200)); });
  add("classify/arp-malformed", usual, "arp_format", [](std::size_t n) {
    Bytes frame = ask(n, kSharedIp);
    frame[18] = std::byte{8};  // hardware address length
    return frame;
  });
  // Answers.
  const auto master = std::make_shared<World>(usual);
  master->reign(kLan);
  all.push_back({.name = "lease/judge",
                 .times = kFrames,
                 .prepare = [] {},
                 .run =
                     [master] {
                       std::size_t right = 0;
                       for (std::size_t n = 0; n < kFrames; ++n) {
                         right += master->lease.judge(master->view, kLan) ? 0 : 1;
                       }
                       return right;
                     }});
  add("arp/1", many(1), "answer", [](std::size_t n) { return ask(n, shared(0)); });
  add("arp/4096", many(4096), "answer",
      [](std::size_t n) { return ask(n, shared(any_of(4096, n))); });
  add("arp/65536", many(65536), "answer",
      [](std::size_t n) { return ask(n, shared(any_of(65536, n))); });
  add("arp/vlan", usual, "answer", [](std::size_t n) {
    return ask(n, kTaggedSharedIp, static_cast<std::uint16_t>(kVlan.value()));
  });
  const std::vector<std::uint8_t> eight = {1, 2, 3, 4, 5, 6, 7, 8};
  for (const auto& [hash, balancer] : {std::pair{"openbsd", openbsd_balancer(8)},
                                       {"freebsd", balance::Balancer::freebsd(8)},
                                       {"siphash-mac", siphash(balance::By::mac)},
                                       {"siphash-ip", siphash(balance::By::ip)}}) {
    add(std::string("arp/balanced/").append(hash), balanced_topology(eight, balancer), "answer",
        [](std::size_t n) { return ask(n, kSharedIp); });
  }
  add("ns/1", many(0, 1), "answer", [](std::size_t n) { return solicit(n, shared6(0)); });
  add("ns/4096", many(0, 4096), "answer",
      [](std::size_t n) { return solicit(n, shared6(any_of(4096, n))); });
  add("ns/without-option", many(0, 1), "answer",
      [](std::size_t n) { return solicit(n, shared6(0), false); });
  add("echo/ipv4", usual, "answer", [](std::size_t n) { return echo({}, from(n, kPortMac)); });
  add("echo/ipv6", usual, "answer", [](std::size_t n) { return echo6({}, from(n, kPortMac)); });
  // Advertisements.
  add(
      "advert/taken", usual, "taken",
      [](std::size_t n) { return frame(Advert{.counter = counter_of(n + 1)}); }, true);
  add(
      "advert/taken-signed",
      TopologyBuilder()
          .port(kPortMac)
          .own(PortIndex(0), VlanId(0), kOwnIp)
          .group({.addresses = {kSharedIp},
                  .trailer = TrailerRule::required,
                  .trailer_keys = {{1, std::string(32, 'k')}}})
          .build(),
      "taken",
      [](std::size_t n) {
        const Advert advert{.counter = counter_of(n + 1)};
        return frame(advert, signed_carp(advert, {.sequence = n + 1}));
      },
      true);
  add("advert/forged", usual, "carp_digest",
      [](std::size_t n) { return frame(Advert{.counter = counter_of(n + 1), .key = "forger"}); });
}

}  // namespace koi::bench
