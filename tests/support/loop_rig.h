#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "controlplane/loop.h"
#include "tests/support/fake_channel.h"
#include "tests/support/fake_clock.h"
#include "tests/support/lab_config.h"

namespace koi::test {

/// A ControlLoop with a clock and rings in memory, and by hand what workers would store on the
/// board. The box is node 2, 192.0.2.2, with vhid 1 unless configured otherwise.
class LoopRig {
 public:
  static constexpr SlotIndex kSlot{0};
  static constexpr std::uint64_t kFirstSequence = 1000;

  explicit LoopRig(config::Config config = lan_box(2), std::uint8_t receivers = 1,
                   std::size_t workers = 1, std::uint64_t ceiling = 1'000'000'000,
                   bool with_ears = false)
      : LoopRig(controlplane::make_plan(config,
                                        std::vector(config.ports.size(), port_facts(receivers))),
                config.node_id, workers, ceiling, with_ears) {}

  LoopRig(controlplane::Plan plan, NodeId node, std::size_t workers,
          std::uint64_t ceiling = 1'000'000'000, bool with_ears = false)
      : counters(plan.slots.size()), up(workers), down(workers) {
    topology = plan.topology;
    parameters = plan.slots[0].parameters;
    controlplane::ControlLoop::Setup setup;
    setup.clock = &clock;
    setup.board = board.get();
    setup.counters = &counters;
    setup.commands = &commands;
    setup.reports = &reports;
    for (std::size_t w = 0; w < workers; ++w) {
      if (with_ears) heard.push_back(std::make_unique<WorkerCounters>());
      setup.workers.push_back({&up[w], &down[w], with_ears ? heard[w].get() : nullptr});
    }
    setup.node = node;
    setup.first_sequence = kFirstSequence;
    setup.sequence_ceiling = ceiling;
    loop = std::make_unique<controlplane::ControlLoop>(setup, std::move(plan));
    adopt_all();
  }

  void turn() { loop->turn(); }
  void turn_after(Duration d) {
    clock.advance(d);
    turn();
  }
  void command(const controlplane::Command& c) { commands.try_send(c); }
  /// Of every port.
  void link_up() {
    for (std::size_t p = 0; p < topology->ports.size(); ++p) {
      command(controlplane::SetLink{PortIndex(static_cast<std::uint8_t>(p)), true});
    }
  }
  /// A frame of any kind came in. REQUIRES: with_ears.
  void receive_frame(PortIndex port = PortIndex(0), std::size_t worker = 0) {
    heard[worker]->ports[port.value()].received.add();
  }

  /// Every worker has emptied its queues in a poll that began now.
  void listen() {
    for (std::size_t w = 0; w < up.size(); ++w) listened(w, clock.time);
  }
  void listened(std::size_t worker, Instant at) {
    words(worker).emptied.store(at.time_since_epoch().count());
  }
  /// What is in the worker's down ring. What the box sends as itself is put into own_frames.
  std::vector<DownMessage> take(std::size_t worker) {
    std::vector<DownMessage> rest;
    for (const DownMessage& message : down[worker].take_all()) {
      const auto* frame = std::get_if<TransmitFrame>(&message);
      if (frame != nullptr && frame->kind == FrameKind::own) {
        own_frames.push_back(*frame);
      } else {
        rest.push_back(message);
      }
    }
    return rest;
  }
  /// The worker takes what is in its down ring and publishes the newest view in it.
  std::vector<TransmitFrame> adopt(std::size_t worker) {
    std::vector<TransmitFrame> frames;
    for (const DownMessage& message : take(worker)) {
      if (const auto* view = std::get_if<AdoptView>(&message)) {
        words(worker).adopted.store(view->view->number.value());
      } else {
        frames.push_back(std::get<TransmitFrame>(message));
      }
    }
    return frames;
  }
  void adopt_all() {
    for (std::size_t w = 0; w < up.size(); ++w) {
      if (words(w).adopted.load() == 0) words(w).adopted.store(1);
      adopt(w);
    }
  }
  /// The driver has taken an advertisement of the current term: the deadline is that far away.
  void grant(Duration from_now, SlotIndex slot = kSlot, Family family = Family::ipv4) {
    board->slot(slot).deadline[static_cast<std::size_t>(family)].store(
        Stamp(term(slot), clock.time + from_now).word());
  }
  /// Of every MASTER, in both families.
  void grant_all(Duration from_now) {
    for (std::size_t s = 0; s < topology->slots.size(); ++s) {
      const SlotIndex slot(static_cast<std::uint16_t>(s));
      if (term(slot) == 0) continue;
      grant(from_now, slot, Family::ipv4);
      grant(from_now, slot, Family::ipv6);
    }
  }

  /// BACKUP, MASTER by the master-down timer, the rings emptied.
  void become_backup() {
    link_up();
    turn();
    listen();
    forget();
  }
  void become_master(Duration lease = 2850ms) {
    become_backup();
    clock.advance(parameters.master_down() + 1us);
    listen();
    turn_after(1us);
    grant_all(lease);
    forget();
  }
  void forget() {
    adopt_all();
    reports.messages.clear();
  }

  /// A verified advertisement of node `node`, 192.0.2.<node>, stamped on the board as worker 0
  /// would. The next number, the next counter.
  VerifiedAdvert advert(unsigned advbase, unsigned advskew, std::uint8_t node = 1,
                        SlotIndex slot = kSlot) {
    VerifiedAdvert ad;
    ad.slot = slot;
    ad.advbase = static_cast<std::uint8_t>(advbase);
    ad.advskew = static_cast<std::uint8_t>(advskew);
    ad.counter = auth::make_counter(++sequence_, NodeId(node));
    ad.source = Ipv4Address::from_u32(0xc0000200U | node);
    ad.heard_number = ++number_;
    return ad;
  }
  void hear(const VerifiedAdvert& ad, std::size_t worker = 0) {
    board->slot(ad.slot).heard[worker].store(Stamp(ad.heard_number, clock.time).word());
    up[worker].try_send(ad);
  }

  std::uint64_t term(SlotIndex slot = kSlot) const { return board->slot(slot).term.load(); }
  std::uint32_t acknowledged(std::size_t worker = 0, SlotIndex slot = kSlot) const {
    return board->slot(slot).acknowledged[worker].load();
  }
  WorkerWords& words(std::size_t worker) {
    return board->worker(WorkerIndex(static_cast<std::uint8_t>(worker)));
  }
  /// Of the reports so far, which are taken away.
  std::vector<controlplane::RoleChange> changes() {
    return reports.take<controlplane::RoleChange>();
  }

  FakeClock clock;
  std::unique_ptr<SlotBoard> board = std::make_unique<SlotBoard>();
  controlplane::ControlCounters counters;
  FakeChannel<controlplane::Command> commands;
  FakeChannel<controlplane::Report> reports;
  std::vector<std::unique_ptr<WorkerCounters>> heard;  // by worker; none without ears
  std::vector<FakeChannel<UpMessage>> up;
  std::vector<FakeChannel<DownMessage>> down;
  std::shared_ptr<const Topology> topology;
  election::Parameters parameters;
  std::unique_ptr<controlplane::ControlLoop> loop;
  std::vector<TransmitFrame> own_frames;  // of all workers, see take()

 private:
  std::uint64_t sequence_ = 0;
  std::uint32_t number_ = 0;
};

}  // namespace koi::test
