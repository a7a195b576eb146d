#include "tests/sim/attacker.h"

#include "common/wire/bytes.h"
#include "common/wire/carp.h"
#include "common/wire/checksum.h"
#include "common/wire/ethernet.h"
#include "common/wire/ipv4.h"

namespace koi::sim {
namespace {

// Of a frame without VLAN tag and options: protocol.md §1, §2.
constexpr std::size_t kIp = 14;
constexpr std::size_t kSourceMac = 6;

std::size_t carp_at(const Packet& packet) {
  return (packet.bytes[kIp] >> 4) == std::byte{4} ? kIp + 20 : kIp + 40;
}
Family family_of(const Packet& packet) {
  return (packet.bytes[kIp] >> 4) == std::byte{4} ? Family::ipv4 : Family::ipv6;
}
std::uint64_t counter_of(const Packet& packet) {
  return std::uint64_t{wire::get_be32(packet.bytes, carp_at(packet) + 8)} << 32 |
         wire::get_be32(packet.bytes, carp_at(packet) + 12);
}

/// The checksum at `at` of the bytes from `from` on is right again.
void sign_off(Packet& packet, std::size_t from, std::size_t length, std::size_t at) {
  wire::put_be16(packet.bytes, at, 0);
  wire::put_be16(packet.bytes, at,
                 wire::internet_checksum(std::span(packet.bytes).subspan(from, length)));
}

}  // namespace

Attacker::Attacker(World& world, std::uint64_t seed) : world_(world), random_(seed) {}

void Attacker::overhear(std::size_t box, const Packet& packet) {
  if (kept_.size() < kKept) {
    kept_.push_back({box, packet});
  } else if (random_.chance(0.1)) {
    kept_[random_.below(kKept)] = {box, packet};
  }
}

void Attacker::go_on(Moment end, Duration each) {
  const Moment next = world_.now() + Duration(random_.between(1, 2 * each.count()));
  if (next >= end) return;
  world_.at(next, [this, end, each] {
    for (std::int64_t i = random_.between(1, 6); i > 0; --i) attack();
    go_on(end, each);
  });
}

void Attacker::attack() {
  if (kept_.empty()) return;
  const Record& record = kept_[random_.below(kept_.size())];
  const std::size_t victim = random_.chance(0.3) ? record.box : random_.below(world_.boxes());
  if (!world_.box(victim).alive() || !world_.box(victim).connected()) return;
  if (random_.chance(0.3)) return forge(victim, record);
  replay(victim, record);
}

/// Its own advertisement is reflected to a box, others' come again.
void Attacker::replay(std::size_t victim, const Record& record) {
  const Packet& packet = record.packet;
  if (victim != record.box &&
      !world_.oracle().knows(victim, packet.slot.value(), family_of(packet), counter_of(packet))) {
    return;
  }
  Packet copy = packet;
  if (random_.chance(0.8)) change_what_is_not_signed(copy);
  if (random_.chance(0.3)) change_source(copy);
  send(victim, copy);
}

/// A counter that nobody has heard yet, and a digest that is not its.
void Attacker::forge(std::size_t victim, const Record& record) {
  Packet copy = record.packet;
  const std::size_t carp = carp_at(copy);
  const std::uint64_t counter =
      counter_of(copy) + (static_cast<std::uint64_t>(random_.between(1, 1000)) << 12);
  wire::put_be32(copy.bytes, carp + 8, static_cast<std::uint32_t>(counter >> 32));
  wire::put_be32(copy.bytes, carp + 12, static_cast<std::uint32_t>(counter));
  if (random_.chance(0.5)) {
    for (std::size_t i = 0; i < 20; ++i) {
      copy.bytes[carp + 16 + i] = static_cast<std::byte>(random_.next() & 0xff);
    }
  }
  change_what_is_not_signed(copy);
  if (random_.chance(0.3)) change_source(copy);
  send(victim, copy);
}

/// The best advertisement there is, a bow-out, a demotion, or anything.
void Attacker::change_what_is_not_signed(Packet& packet) {
  const std::size_t carp = carp_at(packet);
  const auto any = [&] { return static_cast<std::uint8_t>(random_.next() & 0xff); };
  const std::uint64_t kind = random_.below(4);
  const auto put = [&](std::size_t at, std::uint8_t value) {
    packet.bytes[carp + at] = std::byte{value};
  };
  const std::uint8_t both = kind == 0 ? 0 : 255;
  put(2, kind < 2 ? both : any());
  put(5, kind < 2 ? both : any());
  put(4, random_.chance(0.5) ? std::uint8_t{0} : any());
  sign_off(packet, carp, wire::kCarpHeaderLength, carp + 6);
}

void Attacker::change_source(Packet& packet) {
  packet.bytes[kSourceMac + 5] = static_cast<std::byte>(random_.next() & 0xff);
  if (family_of(packet) == Family::ipv4) {
    packet.bytes[kIp + 15] = static_cast<std::byte>(random_.between(1, 254));
    sign_off(packet, kIp, 20, kIp + 10);
  } else {
    packet.bytes[kIp + 8 + 15] = static_cast<std::byte>(random_.between(1, 254));
  }
}

void Attacker::send(std::size_t victim, Packet packet) {
  packet.advertisement = packet.decides = false;
  packet.arrival = world_.now();
  world_.trace().note("is attacked", victim);
  // From a place of its own on the LAN: it may come to another worker than what it repeats.
  world_.box(victim).receive(kPlace + random_.below(8), packet);
}

}  // namespace koi::sim
