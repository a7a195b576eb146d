#include "tests/sim/world.h"

#include <algorithm>

#include "common/auth/replay.h"
#include "common/wire/bytes.h"
#include "common/wire/carp.h"
#include "tests/support/lab_config.h"

namespace koi::sim {

World::World(const Setup& setup, std::FILE* trace)
    : setup_(setup),
      trace_(now_),
      oracle_(setup.oracle, trace_, now_),
      newest_(setup.oracle.boxes * setup.oracle.boxes * setup.oracle.slots),
      network_(mix(setup.seed), setup.boxes.size() + setup.foreigners.size() + setup.clients) {
  trace_.print_to(trace);
  for (const Box::Setup& box : setup.boxes) {
    boxes_.push_back(std::make_unique<Box>(*this, boxes_.size(), box));
  }
  const std::size_t first_client = boxes_.size() + setup.foreigners.size();
  for (const Foreign::Setup& foreigner : setup.foreigners) {
    foreigners_.push_back(
        std::make_unique<Foreign>(*this, boxes_.size() + foreigners_.size(), foreigner));
  }
  for (std::size_t c = 0; c < setup.clients; ++c) {
    const auto last = static_cast<std::uint8_t>(c + 101);
    clients_.push_back(std::make_unique<Client>(first_client + c, mac_from({2, 0, 0, 0, 1, last}),
                                                Ipv4Address::from_u32(0xc0000200U | last)));
  }
  network_.deliver = [this](Node from, Node to, const Packet& p) { deliver(from, to, p); };
  network_.lose = [this](Node from, Node to) {
    const std::size_t all = boxes_.size() + foreigners_.size();
    if (from < all && to < all) oracle_.lost(from, to);
  };
}

World::~World() = default;

namespace {

bool is_v6(const Packet& packet) { return packet.bytes[12] == std::byte{0x86}; }

/// Where CARP begins in the frame: protocol.md §1.
std::size_t carp_at(const Packet& packet) { return 14 + (is_v6(packet) ? 40 : 20); }

}  // namespace

void World::deliver(Node from, Node to, const Packet& packet) {
  const std::size_t all = boxes_.size() + foreigners_.size();
  if (to < all && packet.decides && packet.advertisement) {
    const auto demoted = std::to_integer<std::uint8_t>(packet.bytes[carp_at(packet) + 4]);
    oracle_.through(from, to, packet.slot.value(), packet.arrival, demoted);
  }
  if (to < boxes_.size()) {
    note_arrival(from, to, packet);
    return boxes_[to]->receive(from, packet);
  }
  if (to < all) {
    Foreign& foreigner = *foreigners_[to - boxes_.size()];
    return at(packet.arrival, [&foreigner, packet] { foreigner.receive(packet); });
  }
  const bool arp = packet.bytes[12] == std::byte{8} && packet.bytes[13] == std::byte{6};
  if (!arp) return;
  Client& client = *clients_[to - all];
  at(packet.arrival, [this, &client, packet] { client.receive(packet, now_); });
}

/// One over IPv4 that starts the master-down time of a box anew: not a copy, unless it is there
/// first, not overtaken by a later one or by a bow-out, and nobody is demoted.
void World::note_arrival(Node from, Node to, const Packet& packet) {
  const std::size_t protocol = is_v6(packet) ? 20 : 23;
  if (packet.bytes[protocol] != std::byte{wire::kCarpProtocol} || !packet.decides) return;
  Newest& newest =
      newest_[(from * oracle_boxes() + to) * setup_.oracle.slots + packet.slot.value()];
  const bool v6 = is_v6(packet);
  const std::size_t header = carp_at(packet);
  const std::uint64_t counter = std::uint64_t{wire::get_be32(packet.bytes, header + 8)} << 32 |
                                wire::get_be32(packet.bytes, header + 12);
  const bool strict = from < boxes_.size();  // counters grow
  if (packet.arrival <= newest.arrival) {
    // C6.3: what a later one overtakes is refused, but for the other half of its own tick.
    const std::uint64_t other_half = v6 ? std::uint64_t{1} << auth::kNodeIdBits : 0;
    const bool earlier_copy = !v6 && counter == newest.counter;
    if (!strict || (counter <= newest.counter + other_half && !earlier_copy)) return;
    oracle_.overtaken(from, to, packet.slot.value(), packet.arrival);
  } else if (strict && counter <= newest.counter) {
    return;  // a copy
  }
  if (v6) return;
  newest = {packet.arrival, counter};
  if (!packet.advertisement) return;  // a bow-out
  Box& box = *boxes_[to];
  if (!box.alive() || box.process()->up_rings_full() || packet.bytes[header + 4] != std::byte{0})
    return;
  oracle_.arrives(from, to, packet.slot.value(), packet.arrival);
}

void World::lose(std::size_t from) {
  for (std::size_t to = 0; to < oracle_boxes(); ++to) {
    if (to != from) oracle_.lost(from, to);
  }
}

void World::ask(std::size_t client) {
  network_.send(clients_[client]->node(), clients_[client]->request(test::ip4("192.0.2.10")), now_);
}

void World::at(Moment moment, std::function<void()> what) {
  plans_.push({std::max(moment, now_), planned_++, std::move(what)});
}

bool World::step(Moment end) {
  Moment first = plans_.empty() ? kNoMoment : plans_.top().at;
  Process* process = nullptr;
  Foreign* foreigner = nullptr;
  for (const auto& box : boxes_) {
    if (!box->alive() || box->process()->next() >= first) continue;
    first = box->process()->next();
    process = box->process();
  }
  for (const auto& other : foreigners_) {
    if (other->next() >= first) continue;
    first = other->next();
    foreigner = other.get();
  }
  if (first > end) return false;
  now_ = std::max(now_, first);
  if (foreigner != nullptr) {
    foreigner->run_next();
  } else if (process != nullptr) {
    process->run_next();
  } else {
    const auto what = plans_.top().what;
    plans_.pop();
    what();
  }
  return true;
}

void World::run_until(Moment end) {
  while (!oracle_.failed() && step(end)) {
    if (!oracle_.suspicious()) continue;
    const auto well = [](const auto& box) { return box->alive() && box->connected(); };
    if (std::none_of(boxes_.begin(), boxes_.end(), well)) oracle_.disturbed(now_);
    catch_up();
    oracle_.settle_suspicion();
  }
  now_ = std::max(now_, end);
}

void World::catch_up() {
  for (const auto& box : boxes_) {
    if (box->alive()) box->process()->catch_up(now_);
  }
  for (const auto& other : foreigners_) other->catch_up();
}

}  // namespace koi::sim
