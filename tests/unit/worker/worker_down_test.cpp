// What control sends down, through the worker's real loop. Whether a frame may leave is tested in
// ../dataplane.
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/worker.h"
#include "tests/support/balanced.h"
#include "tests/unit/worker/ring_rig.h"

namespace koi::dataplane::worker_down_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

TransmitFrame announcement(const RingRig& rig) {
  TransmitFrame f = advertisement(rig);
  f.kind = FrameKind::announcement;
  return f;
}
TransmitFrame bow_out(const RingRig& rig) {
  TransmitFrame f = advertisement(rig);
  f.kind = FrameKind::bow_out;
  f.term = Term(0);
  return f;
}

/// protocol.md §10: 52:54:00:12:34:56 is member 2 of 3, and member 1 of 2. The slot that was member
/// 2 is another group's then, and allowed: it is asked for just before.
TEST(WorkerDown, WithAnotherViewNobodysMemberIsRemembered) {
  RingRig rig;
  rig.view.topology = balanced_topology({2, 5, 9}, openbsd_balancer(3));
  View two = rig.view;
  two.topology = balanced_topology({2, 5}, openbsd_balancer(2));
  for (std::uint16_t s = 0; s < 3; ++s) rig.reign(SlotIndex(s));
  two.terms = rig.view.terms;
  rig.start();
  const auto asked = [](const Ipv4Address& target) {
    Bytes request = arp({.target_ip = target});
    request.resize(60);  // as Ethernet fills it
    return request;
  };
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(rig.fate_beyond_gaps(asked(kSharedIp)), "answer");
    const Bytes reply = rig.take().value_or(Bytes(12));
    EXPECT_EQ(to_hex(std::span(reply).subspan(6, 6)), "00005e000109");
  }
  two.number = ViewNumber(2);
  ASSERT_TRUE(rig.down->try_send(AdoptView{&two}));
  ASSERT_TRUE(
      rig.eventually([&] { return rig.board->worker(WorkerIndex(0)).adopted.load() == 2; }));
  const std::uint64_t before = rig.port_counters().received.get();
  ASSERT_TRUE(rig.put(asked(kForeignSharedIp)));
  ASSERT_TRUE(rig.put(asked(kSharedIp)));
  ASSERT_TRUE(rig.eventually([&] { return rig.port_counters().received.get() == before + 2; }));
  EXPECT_EQ(rig.fate_beyond_gaps(asked(kSharedIp)), "answer");
  rig.stop();
  unsigned answers = 0;
  while (const std::optional<Bytes> reply = rig.take()) {
    if (to_hex(std::span(*reply).subspan(28, 4)) != "c0000201") continue;
    EXPECT_EQ(to_hex(std::span(*reply).subspan(6, 6)), "00005e000105");
    ++answers;
  }
  EXPECT_GE(answers, 1U);
}

TEST(WorkerDown, L3_AdvertisementMovesTheDeadlineFromBeforeTheDriverSawIt) {
  RingRig rig;
  rig.board->slot(kLan).term.store(kTerm.value());
  rig.start();
  rig.transmit_hold.next(true);
  const TransmitFrame ad = advertisement(rig);
  const Instant before = rig.clock.read();
  ASSERT_TRUE(rig.down->try_send(ad));
  EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().transmitted.get() == 1; }));
  rig.stop();
  const Stamp deadline = rig.board->deadline(kLan, Family::ipv4);
  EXPECT_TRUE(deadline.is_number_of(kTerm.value()));
  EXPECT_GE(deadline.left(before), ad.lease - 50us);  // a stamp counts in 16 µs
  EXPECT_LE(deadline.left(rig.transmit_hold.since()), ad.lease);
  EXPECT_EQ(rig.board->deadline(kLan, Family::ipv6).word(), 0U);
  EXPECT_EQ(rig.take(), frame(Advert{}));
  EXPECT_EQ(rig.counters->slots[kLan.value()].sent[0].get(), 1U);
}

TEST(WorkerDown, L3_AdvertisementThatTheDriverDoesNotTakeIsReportedAndEarnsNothing) {
  RingRig rig({.transmit_room = 8});
  rig.board->slot(kLan).term.store(kTerm.value());
  rig.jam();
  rig.start();
  ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  EXPECT_TRUE(rig.eventually([&] { return !rig.heard<TransmitRefused>().empty(); }));
  rig.stop();
  ASSERT_EQ(rig.heard<TransmitRefused>().size(), 1U);
  EXPECT_EQ(rig.heard<TransmitRefused>()[0].slot, kLan);
  EXPECT_EQ(rig.heard<TransmitRefused>()[0].family, Family::ipv4);
  EXPECT_EQ(rig.heard<TransmitRefused>()[0].term, kTerm);
  EXPECT_EQ(rig.drops(DropReason::kFrameRefused), 1U);
  EXPECT_EQ(rig.board->deadline(kLan, Family::ipv4).word(), 0U);
  EXPECT_EQ(rig.counters->slots[kLan.value()].sent[0].get(), 0U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 0U);
  EXPECT_EQ(rte_mempool_in_use_count(rig.control_pool), 0U);
}

TEST(WorkerDown, L3_AdvertisementWithoutABufferIsReportedAndEarnsNothing) {
  RingRig rig;
  rig.board->slot(kLan).term.store(kTerm.value());
  std::array<rte_mbuf*, RingRig::kControlMbufs> all{};
  ASSERT_EQ(rte_pktmbuf_alloc_bulk(rig.control_pool, all.data(), all.size()), 0);
  rig.start();
  ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  EXPECT_TRUE(rig.eventually([&] { return !rig.heard<TransmitRefused>().empty(); }));
  ASSERT_EQ(rig.heard<TransmitRefused>().size(), 1U);
  EXPECT_EQ(rig.heard<TransmitRefused>()[0].slot, kLan);
  EXPECT_EQ(rig.heard<TransmitRefused>()[0].term, kTerm);
  EXPECT_EQ(rig.drops(DropReason::kFrameNoBuffer), 1U);
  EXPECT_EQ(rig.board->deadline(kLan, Family::ipv4).word(), 0U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 0U);

  rte_pktmbuf_free_bulk(all.data(), all.size());
  ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().transmitted.get() == 1; }));
  rig.stop();
  EXPECT_NE(rig.board->deadline(kLan, Family::ipv4).word(), 0U);
  EXPECT_EQ(rig.heard<TransmitRefused>().size(), 1U);
}

// C13.4 kept
TEST(WorkerDown, L3_ACopyToAnUnresolvedPeerCountsAsSent) {
  RingRig rig;
  rig.board->slot(kLan).term.store(kTerm.value());
  TransmitFrame nothing = advertisement(rig);
  nothing.length = 0;
  ASSERT_TRUE(rig.down->try_send(nothing));
  rig.start();
  EXPECT_TRUE(rig.eventually(
      [&] { return rig.board->deadline(kLan, Family::ipv4).is_number_of(kTerm.value()); }));
  rig.stop();
  EXPECT_EQ(rig.sent(), 0U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 0U);
  EXPECT_EQ(rig.counters->slots[kLan.value()].sent[0].get(), 0U);
}

TEST(WorkerDown, AnOwnFrameLeavesInAnyRoleAndIsNoAdvertisement) {
  RingRig rig;
  TransmitFrame own = advertisement(rig);
  own.kind = FrameKind::own;
  ASSERT_TRUE(rig.down->try_send(own));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().transmitted.get() == 1; }));
  rig.stop();
  EXPECT_EQ(rig.take(), frame(Advert{}));
  EXPECT_EQ(rig.counters->slots[kLan.value()].sent[0].get(), 0U);
  EXPECT_EQ(rig.board->deadline(kLan, Family::ipv4).word(), 0U);
}

/// A driver may cost a system call for each burst; but a turn takes no more than its limit.
TEST(WorkerDown, FramesOfControlLeaveTogether) {
  RingRig rig;
  rig.board->slot(kLan).term.store(kTerm.value());
  std::vector<std::uint16_t> bursts;
  rig.transmitting = [&](std::uint16_t frames) { bursts.push_back(frames); };
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().transmitted.get() == 40; }));
  rig.stop();
  ASSERT_FALSE(bursts.empty());
  EXPECT_EQ(bursts[0], TurnLimit::kFirst);
  EXPECT_LE(bursts.size(), 40U / TurnLimit::kLeast);
  EXPECT_EQ(rig.counters->slots[kLan.value()].sent[0].get(), 40U);
  EXPECT_TRUE(rig.board->deadline(kLan, Family::ipv4).is_number_of(kTerm.value()));
}

/// Both wait in the ring before the lease is there.
TEST(WorkerDown, L11_AnAnnouncementGoesBehindTheAdvertisementThatEarnsItsLease) {
  RingRig rig;
  rig.view.terms[kLan.value()] = kTerm;
  rig.board->slot(kLan).term.store(kTerm.value());
  ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  ASSERT_TRUE(rig.down->try_send(announcement(rig)));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] {
    return rig.port_counters().transmitted.get() + rig.drops(DropReason::kFrameNoLease) == 2;
  }));
  rig.stop();
  EXPECT_EQ(rig.drops(DropReason::kFrameNoLease), 0U);
}

TEST(WorkerDown, L11_AnAnnouncementThatFindsNoLeaseIsReported) {
  RingRig rig;
  rig.view.terms[kLan.value()] = kTerm;
  rig.board->slot(kLan).term.store(kTerm.value());
  TransmitFrame frame = announcement(rig);
  frame.address = 3;
  frame.tries = 7;
  ASSERT_TRUE(rig.down->try_send(frame));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] { return !rig.heard<AnnouncementRefused>().empty(); }));
  rig.stop();
  ASSERT_EQ(rig.heard<AnnouncementRefused>().size(), 1U);
  const AnnouncementRefused refused = rig.heard<AnnouncementRefused>()[0];
  EXPECT_EQ(refused.slot, kLan);
  EXPECT_EQ(refused.term, kTerm);
  EXPECT_EQ(refused.address, 3U);
  EXPECT_EQ(refused.tries, 7U);
  EXPECT_EQ(rig.drops(DropReason::kFrameNoLease), 1U);
  EXPECT_EQ(rig.sent(), 0U);
}

/// Of a burst the driver takes some: the rest waits, is given up after a while, and each one is
/// told; a view that comes behind is adopted when they are done with.
TEST(WorkerDown, L2_L3_WhatTheDriverDoesNotTakeOfABurstHoldsUpTheViewAndIsReported) {
  RingRig rig({.transmit_room = 8});
  rig.board->slot(kLan).term.store(kTerm.value());
  View next = rig.view;
  next.number = ViewNumber(2);
  std::vector<std::uint64_t> adopted;
  rig.transmitting = [&](std::uint16_t) {
    adopted.push_back(rig.board->worker(WorkerIndex(0)).adopted.load());
  };
  for (int i = 0; i < 12; ++i) ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  ASSERT_TRUE(rig.down->try_send(AdoptView{&next}));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] {
    return rig.board->worker(WorkerIndex(0)).adopted.load() == 2 &&
           rig.heard<TransmitRefused>().size() == 4;
  }));
  rig.stop();
  EXPECT_EQ(rig.port_counters().transmitted.get(), 8U);
  EXPECT_EQ(rig.drops(DropReason::kFrameRefused), 4U);
  EXPECT_GE(adopted.size(), 2U);  // asked again at least once
  for (const std::uint64_t view : adopted) EXPECT_EQ(view, 1U);
  EXPECT_EQ(rte_mempool_in_use_count(rig.control_pool), 8U);  // in the driver's ring
}

TEST(WorkerDown, BowOutThatTheDriverDoesNotTakeIsCountedOnly) {
  RingRig rig({.transmit_room = 8});
  rig.jam();
  rig.start();
  ASSERT_TRUE(rig.down->try_send(bow_out(rig)));
  EXPECT_TRUE(rig.eventually([&] { return rig.drops(DropReason::kFrameRefused) == 1; }));
  rig.stop();
  EXPECT_TRUE(rig.heard<TransmitRefused>().empty());
}

TEST(WorkerDown, L4_FrameOfAnotherTermOrTooLateStaysHere) {
  RingRig rig;
  rig.board->slot(kLan).term.store(kTerm.value() + 1);
  ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  TransmitFrame late = advertisement(rig);
  late.term = Term(kTerm.value() + 1);
  late.not_after = rig.clock.read();
  ASSERT_TRUE(rig.down->try_send(late));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] {
    return rig.drops(DropReason::kFrameTerm) + rig.drops(DropReason::kFrameLate) +
               rig.port_counters().transmitted.get() ==
           2;
  }));
  rig.stop();
  EXPECT_EQ(rig.drops(DropReason::kFrameTerm), 1U);
  EXPECT_EQ(rig.drops(DropReason::kFrameLate), 1U);
  EXPECT_EQ(rig.sent(), 0U);
  EXPECT_EQ(rig.board->deadline(kLan, Family::ipv4).word(), 0U);
  EXPECT_EQ(rte_mempool_in_use_count(rig.control_pool), 0U);
}

TEST(WorkerDown, L10_SendsWhatControlSentLastBeforeItEnds) {
  RingRig rig({.sleeps = false});  // on this thread
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(rig.down->try_send(bow_out(rig)));
  rig.worker->stop();
  rig.worker->run();
  EXPECT_EQ(rig.sent(), 100U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 100U);
  EXPECT_EQ(rig.board->deadline(kLan, Family::ipv4).word(), 0U);
}

}  // namespace
}  // namespace koi::dataplane::worker_down_test
