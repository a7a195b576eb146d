// bench-answer: what classify-and-answer alone costs, of frames in the cache: 512 requests, each of
// another sender, as tools/bench has them. Cycles of the TSC per answer, the least of many rounds,
// so that other work on the machine hardly counts. Without the driver and the mbufs; for those see
// tools/bench.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>
#include <x86intrin.h>

#include "tests/support/balanced.h"
#include "tests/support/world.h"

namespace {

using namespace koi::test;  // NOLINT: a program
using koi::Ipv4Address;
using koi::Ipv6Address;
using koi::MacAddress;

constexpr std::size_t kRequests = 512;
constexpr std::size_t kBurst = 64;
constexpr std::size_t kRoom = 64;  // of a buffer after its frame
constexpr unsigned kRounds = 4000;

MacAddress sender(std::size_t n) {
  return koi::mac_from(
      {2, 1, 0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
}

void measure(const char* what, World& world, const std::function<Bytes(std::size_t)>& request) {
  std::vector<Bytes> requests;
  for (std::size_t n = 0; n < kRequests; ++n) {
    requests.push_back(request(n));
    requests.back().resize(std::max<std::size_t>(requests.back().size(), 60));
  }
  std::vector<Bytes> frames(kRequests, Bytes(requests[0].size() + kRoom));
  for (std::uint16_t slot = 0; slot < world.topology->slots.size(); ++slot) {
    world.reign(koi::SlotIndex(slot));
  }
  world.room = kRoom;
  if (const std::string verdict = world.verdict_on(requests[0]); verdict != "answer") {
    std::printf("%s: %s\n", what, verdict.c_str());
    return;
  }
  std::uint64_t least = UINT64_MAX;
  std::size_t answered = 0;
  for (unsigned round = 0; round < kRounds; ++round) {
    for (std::size_t n = 0; n < kRequests; ++n) {
      std::copy(requests[n].begin(), requests[n].end(), frames[n].begin());
    }
    const std::size_t before = answered;
    const std::uint64_t began = __rdtsc();
    for (std::size_t burst = 0; burst < kRequests; burst += kBurst) {
      world.poll(koi::Duration(0));
      const koi::dataplane::BurstContext context = world.burst();
      for (std::size_t n = burst; n < burst + kBurst; ++n) {
        const koi::dataplane::Fate fate = koi::dataplane::classify(
            std::span(frames[n]).first(requests[n].size()), kRoom, context, world.adverts);
        answered += fate.kind() == koi::dataplane::Fate::Kind::answer ? 1 : 0;
      }
    }
    const std::uint64_t took = __rdtsc() - began;
    if (answered - before == kRequests) least = std::min(least, took);
  }
  if (answered != std::size_t{kRounds} * kRequests) {
    std::printf("%s: not all were answered\n", what);
    return;
  }
  std::printf("%s: %.1f cycles\n", what, static_cast<double>(least) / kRequests);
}

Bytes arp_request(std::size_t n) {
  return arp({.sender_mac = sender(n), .sender_ip = ipv4(192, 0, 2, 100), .target_ip = kSharedIp},
             {.from = sender(n)});
}

Bytes solicitation(std::size_t n, bool option) {
  Neighbor neighbor_of{.options = option ? link_layer(1, sender(n)) : Bytes{}};
  neighbor_of.ip.source.bytes[15] = static_cast<std::byte>(n);
  neighbor_of.ip.source.bytes[14] = static_cast<std::byte>(n >> 8 | 0x80);
  neighbor_of.ethernet.from = sender(n);
  return neighbor(neighbor_of);
}

}  // namespace

int main() {
  World usual;
  measure("ARP", usual, arp_request);
  measure("Neighbor Solicitation", usual, [](std::size_t n) { return solicitation(n, true); });
  measure("the same without its option", usual,
          [](std::size_t n) { return solicitation(n, false); });
  measure("echo of 56 bytes", usual, [](std::size_t) { return echo({}, {.to = kPortMac}); });
  measure("echo over IPv6", usual, [](std::size_t) { return echo6({}, {.to = kPortMac}); });
  World balanced(balanced_topology({1, 2, 3, 4, 5, 6, 7, 8}, openbsd_balancer(8)));
  measure("ARP, balanced over 8 by OpenBSD's hash", balanced, arp_request);
  const Bytes key = from_text("sixteen bytes 16");
  World sip(balanced_topology(
      {1, 2, 3, 4, 5, 6, 7, 8},
      koi::balance::Balancer::siphash(std::span(key).first<16>(), koi::balance::By::mac, 8)));
  measure("ARP, balanced over 8 by SipHash", sip, arp_request);
  return 0;
}
