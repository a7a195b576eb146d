#include "tests/sim/box.h"

#include <algorithm>
#include <utility>

#include "common/wire/arp.h"
#include "common/wire/ethernet.h"
#include "controlplane/state_sync.h"
#include "tests/sim/random.h"
#include "tests/sim/world.h"

namespace koi::sim {
namespace {

constexpr PortIndex kPort{0};
/// Every round is done that near the beginning of a pause, which is known before; Process sees to
/// its end.
constexpr Duration kNear = 3ms;

}  // namespace

Box::Box(World& world, std::size_t index, const Setup& setup)
    : world_(world), index_(index), setup_(setup), config_(setup.config) {}

controlplane::PortFacts Box::facts(std::uint8_t receivers) const {
  return {mac_from({2, 0, 0, 0, 0, static_cast<std::uint8_t>(index_ + 1)}), receivers};
}

bool Box::always_closely() const { return world_.setup().closely; }

// ---- life and death ----------------------------------------------------------------------------

void Box::start() {
  if (alive()) return;
  world_.trace().note("starts", index_);
  world_.oracle().disturbed(world_.now());
  ++life_;
  ledger_.clear_if([](const controlplane::DemotionCause& c) { return !c.commanded; });
  // app/state_file.h: above every earlier ceiling, and never below the wall clock.
  const auto utc = (world_.now().time_since_epoch() + wall_clock_).count() / 1000;
  const std::uint64_t first =
      std::max(ceiling_ + 1, static_cast<std::uint64_t>(std::max(utc, decltype(utc){1})));
  ceiling_ = first + Process::kReservedSequences;
  process_ = std::make_unique<Process>(Process::Setup{.config = config_,
                                                      .workers = setup_.workers,
                                                      .with_ears = setup_.with_ears,
                                                      .ppm = setup_.ppm,
                                                      .first_sequence = first,
                                                      .seed = mix(setup_.seed ^ life_)},
                                       *this, world_.now_reference());
  world_.network().plug(index_, link_up_);
  if (link_up_) command(controlplane::SetLink{kPort, true});
  begin_state_sync(std::nullopt);
  if (ledger_.total(0) != 0) tell_demotion();
}

void Box::kill() {
  if (!alive()) return;
  world_.trace().note("dies", index_);
  process_->kill();
  process_.reset();
  if (next_config_) {  // the file has it
    config_ = *std::exchange(next_config_, std::nullopt);
    world_.oracle().configured(index_, config_);
  }
  world_.oracle().gone(index_);
  world_.oracle().disturbed(world_.now());
}

void Box::shut_down() {
  if (!alive()) return;
  world_.trace().note("is told to end", index_);
  world_.oracle().disturbed(world_.now());
  command(controlplane::ShutDown{});
}

void Box::demote(const std::string& cause, std::int64_t count) {
  controlplane::DemotionCause c;
  c.name = cause;
  c.count = controlplane::saturated_count(count);
  c.commanded = true;
  world_.trace().note("demoted", index_, c.count);
  ledger_.set(std::move(c));
  tell_demotion();
}

void Box::undemote(const std::string& cause) {
  world_.trace().note("no longer demoted", index_);
  clear([&](const controlplane::DemotionCause& c) { return c.name == cause; });
}

void Box::undemote_all() {
  clear([](const controlplane::DemotionCause& c) { return c.commanded; });
}

void Box::link(bool up) {
  if (link_up_ == up) return;
  link_up_ = up;
  world_.trace().note(up ? "link up" : "link down", index_);
  world_.network().plug(index_, up);
  world_.oracle().disturbed(world_.now());
  if (!alive()) return;
  command(controlplane::SetLink{kPort, up});
  if (up) begin_state_sync(0);
}

void Box::reload(const config::Config& config) {
  if (!alive()) {
    config_ = config;
    return world_.oracle().configured(index_, config_);
  }
  if (!process_->reload(config)) return;
  world_.trace().note("is told to reload", index_, config.groups[0].advskew);
  world_.oracle().disturbed(world_.now());
  next_config_ = config;
  command(controlplane::TakePlan{process_->next_plan()});
}

void Box::pause(std::optional<std::size_t> who, const Pause& pause) {
  if (!alive()) return;
  process_->look_closely(pause.from - kNear, pause.from + kNear);
  for (std::size_t thread = 0; thread <= setup_.workers; ++thread) {
    if (who && *who != thread) continue;
    (thread == 0 ? process_->control : process_->workers[thread - 1]->actor).pause(pause);
  }
  world_.trace().note(who ? "thread pauses" : "pauses", index_, who.value_or(0), pause.from, [&] {
    const std::string thread = !who        ? "all threads"
                               : *who == 0 ? "control"
                                           : "worker " + std::to_string(*who - 1);
    return "box " + std::to_string(index_) + ": " + thread + " will stop for " +
           std::to_string(pause.length.count() / 1000) + " us";
  });
}

// ---- the service thread ------------------------------------------------------------------------

void Box::command(const controlplane::Command& command) {
  world_.oracle().commanded(index_, command);
  process_->command(command);
}

void Box::soon(std::function<void()> what) {
  const Duration later(static_cast<std::int64_t>(
      1'000'000 +
      mix(setup_.seed ^ static_cast<std::uint64_t>(world_.now().time_since_epoch().count())) %
          9'000'000));
  world_.at(world_.now() + later, [this, life = life_, what = std::move(what)] {
    if (alive() && life_ == life) what();
  });
}

/// `sync-wait`: it ends by itself.
void Box::begin_state_sync(std::optional<std::size_t> port) {
  const Duration wait = config_.groups[0].sync_wait;
  if (wait == Duration::zero()) return;
  controlplane::begin_state_sync(config_, ledger_, port, process_->local(), {});
  tell_demotion();
  world_.at(world_.now() + wait + 1ms, [this, life = life_] {
    if (!alive() || life_ != life || ledger_.expire(process_->local()).empty()) return;
    tell_demotion();
  });
}

template <class Predicate>
void Box::clear(Predicate chosen) {
  if (!ledger_.clear_if(chosen).empty()) tell_demotion();
}

void Box::tell_demotion() {
  world_.oracle().disturbed(world_.now());
  if (!alive()) return;
  for (std::size_t g = 0; g < config_.groups.size(); ++g) {
    command(controlplane::SetDemotion{static_cast<std::uint16_t>(g), ledger_.total(g)});
  }
}

void Box::reports(const controlplane::Report& report) {
  std::visit([this](const auto& r) { on(r); }, report);
}

void Box::on(const controlplane::RoleChange& change) {
  world_.oracle().role(index_, change, process_->time().when(change.at));
}

void Box::on(const controlplane::SelfNoticed& noticed) {
  const std::string cause = "itself " + std::to_string(static_cast<unsigned>(noticed.cause)) + " " +
                            std::to_string(noticed.index);
  world_.trace().note(noticed.on ? "notices of itself" : "no longer notices of itself", index_,
                      static_cast<std::uint64_t>(noticed.cause));
  soon([this, cause, on = noticed.on] {
    if (!on) {
      return clear([&](const controlplane::DemotionCause& c) { return c.name == cause; });
    }
    controlplane::DemotionCause c;
    c.name = cause;
    ledger_.set(std::move(c));
    tell_demotion();
  });
}

void Box::on(const controlplane::NeedCounters&) {
  soon([this] {
    ceiling_ += Process::kReservedSequences;
    command(controlplane::SetCounterCeiling{ceiling_});
  });
}

void Box::on(const controlplane::AllDown&) {
  soon([this] { kill(); });
}

void Box::on(const controlplane::PlanTaken&) {
  world_.trace().note("has reloaded", index_);
  config_ = *std::exchange(next_config_, std::nullopt);
  world_.oracle().configured(index_, config_);
}

void Box::on(const controlplane::PlanReleased&) { process_->plan_released(); }

// ---- frames ------------------------------------------------------------------------------------

void Box::receive(std::size_t from, const Packet& packet) {
  if (!alive()) return;
  // A NIC spreads senders over its queues, each always to the same one.
  process_->receive(mix(setup_.seed ^ from) % setup_.workers, packet);
}

void Box::learns(const UpMessage& message) { world_.oracle().learnt(index_, message); }

void Box::covers(std::size_t slot, Term term, Moment from, Moment to) {
  world_.oracle().covers(index_, slot, term, from, to);
}

void Box::queued(const Packet& advertisement) {
  world_.oracle().queued(index_, advertisement.slot.value(), advertisement.arrival);
}

void Box::answer(Packet& packet) {
  packet.advertisement = false;
  const auto arp = wire::parse_arp(packet.frame().subspan(wire::kEthernetLength));
  if (arp && arp->sender_mac.bytes[0] == std::byte{0}) {  // not for our own address
    const Topology& topology = process_->topology();
    const SlotView* slot = topology.find_slot(
        kPort, VlanId(0), Vhid(std::to_integer<std::uint8_t>(arp->sender_mac.bytes[5])));
    if (slot != nullptr) world_.oracle().answered(index_, topology.index_of(*slot).value());
  }
  world_.network().send(index_, packet, world_.now());
}

void Box::transmit(const TransmitFrame& frame) {
  Packet packet;
  if (frame.length > Packet::kMaxBytes) return;  // reports of membership: nobody listens
  packet.length = frame.length;
  std::copy_n(frame.bytes.begin(), frame.length, packet.bytes.begin());
  packet.advertisement = frame.kind == FrameKind::advertisement;
  packet.slot = frame.slot;
  packet.decides = frame.family == Family::ipv4;
  world_.oracle().sent(index_, frame);
  constexpr std::array<std::string_view, 4> kKinds = {"advertises", "bows out", "announces",
                                                      "sends as itself"};
  world_.trace().note(kKinds[static_cast<std::size_t>(frame.kind)], index_, frame.slot.value());
  if (frame.length == 0) return world_.lose(index_);  // to a peer whose MAC is not known yet (L3)
  world_.network().send(index_, packet, world_.now());
  if (!packet.advertisement) return;
  if (world_.overhears) world_.overhears(index_, packet);
  if (world_.on_advertisement) world_.on_advertisement(index_, frame.slot.value());
}

}  // namespace koi::sim
