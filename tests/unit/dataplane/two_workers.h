#pragma once

#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "tests/support/world.h"

/// Two workers on one board, for the tests of the lease's rules (design.md, L1 to L11).
namespace koi::dataplane {

/// One unit of a Stamp: nothing of the lease is exact below it, and all is rounded to safety.
inline constexpr Duration kUnit{1 << 14};
inline constexpr Term kTerm{5};
inline constexpr Instant kStart{10s};

class LeaseTest : public ::testing::Test {
 protected:
  LeaseTest() : LeaseTest(0b11) {}
  explicit LeaseTest(std::uint8_t receivers, FamilySet families = family_bit(Family::ipv4))
      : topology(test::usual_topology(receivers, families)),
        board(std::make_unique<SlotBoard>()),
        first(*board, WorkerIndex(0)),
        second(*board, WorkerIndex(1)) {
    view = {.number = ViewNumber(1), .topology = topology, .terms = {}};
    view.terms.resize(topology->slots.size());
    poll_both(0us);
  }

  /// A poll that handles all that was waiting.
  static void poll(WorkerLease& worker, Instant at) {
    worker.begin_poll(at);
    worker.end_poll(at);
  }
  void poll_both(Duration after) {
    now += after;
    poll(first, now);
    poll(second, now);
  }
  /// Both poll often enough until then.
  void pass(Duration time) {
    const Instant end = now + time;
    while (end - now > 500us) poll_both(500us);
    poll_both(end - now);
  }

  TransmitFrame frame(FrameKind kind, Term term = kTerm, SlotIndex slot = test::kLan) const {
    TransmitFrame f;
    f.kind = kind;
    f.slot = slot;
    f.term = term;
    f.not_after = now + 1ms;
    f.lease = 100ms;
    return f;
  }
  /// As L2 and L11 have it: term, view, and the advertisement that earns the lease.
  void promote(Term term = kTerm, Duration length = 100ms) {
    set_term(term);
    view.terms[test::kLan.value()] = term;
    TransmitFrame advertisement = frame(FrameKind::advertisement, term);
    advertisement.lease = length;
    first.sent(advertisement, now);
  }

  void set_term(Term term) { board->slot(test::kLan).term.store(term.value()); }
  void acknowledge(WorkerIndex w, std::uint32_t number) {
    board->slot(test::kLan).acknowledged[w.value()].store(number);
  }
  void acknowledge_gap(WorkerIndex w) {
    WorkerWords& words = board->worker(w);
    words.gap_acknowledged.store(words.gap.load());
  }
  std::uint32_t gap_of(WorkerIndex w) const { return board->worker(w).gap.load(); }
  Stamp heard(WorkerIndex w, SlotIndex slot = test::kLan) const {
    return Stamp::from_word(board->slot(slot).heard[w.value()].load());
  }
  Stamp deadline(Family f = Family::ipv4) { return board->deadline(test::kLan, f); }

  /// "ok", "not_master" or "no_lease".
  std::string answer(WorkerLease& worker) {
    return test::verdict(worker.refusal(view, test::kLan));
  }
  std::string answer() { return answer(first); }
  std::string transmit(const TransmitFrame& f) {
    return test::verdict(first.refusal(view, f, now));
  }

  static constexpr WorkerIndex kFirst{0};
  static constexpr WorkerIndex kSecond{1};

  std::shared_ptr<const Topology> topology;
  View view;
  std::unique_ptr<SlotBoard> board;
  WorkerLease first;
  WorkerLease second;
  Instant now = kStart;
};

}  // namespace koi::dataplane
