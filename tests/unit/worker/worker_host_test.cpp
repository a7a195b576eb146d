// The worker between a port and its host, and what of theirs gives way when a ring is full. What
// may pass is tested in ../dataplane.
#include <gtest/gtest.h>

#include "dataplane/worker.h"
#include "tests/unit/worker/ring_rig.h"

namespace koi::dataplane::worker_host_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

const MacAddress kLanMac = virtual_mac(Vhid(1));

Bytes udp(const Ip& ip, const Ethernet& e) {
  Ip with_protocol = ip;
  with_protocol.protocol = 17;
  return ethernet(e, 0x0800, ip_packet(with_protocol, Bytes(26)));
}
Bytes to_host() { return udp({.source = kClientIp, .destination = kOwnIp}, {.to = kPortMac}); }
Bytes from_host() {
  return udp({.source = kOwnIp, .destination = kClientIp}, {.to = kClientMac, .from = kPortMac});
}

std::uint64_t sent_adverts(const RingRig& rig) {
  return rig.counters->slots[kLan.value()].sent[0].get();
}

TEST(WorkerHost, HandsOverWhatIsTheHosts) {
  RingRig rig({.host = true});
  rig.start();
  ASSERT_TRUE(rig.put(to_host()));
  EXPECT_TRUE(rig.eventually([&] { return rig.host->sent() == 1; }));
  ASSERT_TRUE(rig.host->put(from_host()));
  EXPECT_TRUE(rig.eventually([&] { return rig.sent() == 1; }));
  rig.stop();
  EXPECT_EQ(rig.host->take(), to_host());
  EXPECT_EQ(rig.take(), from_host());
  EXPECT_EQ(rig.port_counters().to_host.get(), 1U);
  EXPECT_EQ(rig.port_counters().from_host.get(), 1U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 1U);
}

TEST(WorkerHost, I5_FramesInTwoSegmentsPassNeitherWay) {
  RingRig rig({.host = true});
  rig.start();
  for (const std::size_t first :
       {std::size_t{1}, std::size_t{13}, std::size_t{14}, std::size_t{33}, to_host().size() - 1}) {
    ASSERT_TRUE(rig.put(to_host(), first));
    ASSERT_TRUE(rig.host->put(from_host(), first));
  }
  EXPECT_TRUE(rig.eventually([&] { return rig.drops(DropReason::kMultiSegment) == 10; }));
  rig.stop();
  EXPECT_EQ(rig.host->sent(), 0U);
  EXPECT_EQ(rig.sent(), 0U);
  EXPECT_EQ(rte_mempool_in_use_count(rig.data_pool), 0U);
}

TEST(WorkerHost, I5_DropsOfWhatTheHostSaysAreCountedAndFreed) {
  RingRig rig({.host = true});
  const Bytes foreign = udp({.source = kOwnIp}, {.to = kClientMac, .from = kClientMac});
  const Bytes runt(kPortMac.bytes.begin(), kPortMac.bytes.end());
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(rig.host->put(i % 2 == 0 ? from_host() : foreign));
    ASSERT_TRUE(rig.host->put(runt));
  }
  rig.start();
  EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().from_host.get() == 100; }));
  rig.stop();
  EXPECT_EQ(rig.drops(DropReason::kHostSourceMac), 25U);
  EXPECT_EQ(rig.drops(DropReason::kRunt), 50U);
  EXPECT_EQ(rig.sent() + rig.drops(DropReason::kAnswerLate), 25U);
  EXPECT_EQ(rte_mempool_in_use_count(rig.data_pool), rig.sent());
}

TEST(WorkerHost, AFullHostCostsDataAndNothingElse) {
  RingRig rig({.host = true});
  rig.reign(kLan, kTerm);
  const std::uint64_t before = rig.board->deadline(kLan, Family::ipv4).word();
  rig.host->jam();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(rig.put(to_host()));
    if (i == 50) {
      ASSERT_TRUE(rig.put(frame(Advert{.vhid = 9, .addresses = {kForeignSharedIp}})));
    }
    if (i % 10 == 0) {
      ASSERT_TRUE(rig.put(arp({})));
    }
  }
  ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] {
    return rig.port_counters().received.get() == 111 && sent_adverts(rig) == 1 &&
           !rig.heard<VerifiedAdvert>().empty();
  }));
  rig.stop();
  EXPECT_EQ(rig.drops(DropReason::kHostFull), 100U);
  EXPECT_EQ(rig.port_counters().to_host.get(), 0U);
  EXPECT_NE(rig.board->deadline(kLan, Family::ipv4).word(), before);
  EXPECT_EQ(rig.port_counters().answers[static_cast<std::size_t>(AnswerKind::arp)].get() +
                rig.drops(DropReason::kNoLease) + rig.drops(DropReason::kAnswerLate),
            10U);
}

TEST(WorkerHost, L1_WhatUsesAVirtualMacAndWasHeldUpBeforeItsHandOverIsDropped) {
  RingRig rig({.host = true});
  rig.reign(kLan);
  rig.start();
  const Bytes shared =
      udp({.source = kSharedIp, .destination = kClientIp}, {.to = kClientMac, .from = kPortMac});
  ASSERT_TRUE(rig.eventually([&] {
    EXPECT_TRUE(rig.host->put(shared));
    EXPECT_TRUE(
        rig.eventually([&] { return rig.sent() + rig.drops(DropReason::kHostNotMaster) > 0; }));
    return rig.sent() == 1;  // else the machine took the core away
  }));
  EXPECT_EQ(rig.take(), udp({.source = kSharedIp, .destination = kClientIp},
                            {.to = kClientMac, .from = kLanMac}));
  // The poll's time is read before the wire is looked at, the host after it.
  EXPECT_TRUE(rig.eventually([&] {
    EXPECT_TRUE(rig.hold_worker());
    const std::uint64_t refused = rig.drops(DropReason::kHostNotMaster);
    EXPECT_TRUE(rig.host->put(shared));
    rig.receive_hold.release();
    EXPECT_TRUE(rig.eventually([&] {
      return rig.drops(DropReason::kAnswerLate) == 1 ||
             rig.drops(DropReason::kHostNotMaster) != refused;
    }));
    return rig.drops(DropReason::kAnswerLate) == 1;
  }));
  rig.stop();
  EXPECT_EQ(rig.sent(), 0U);
}

// ---- a full transmit ring

TEST(WorkerHost, L3_AnAdvertisementWaitsForRoom) {
  RingRig rig({.transmit_room = 8, .host = true});
  rig.board->slot(kLan).term.store(kTerm.value());
  rig.jam();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(rig.host->put(from_host()));
  int attempts = 0;
  std::uint64_t waiting = 0;
  Instant room_at{};
  rig.transmitting = [&](std::uint16_t frames) {
    if (frames != 1 || ++attempts != 2) return;
    waiting = rig.port_counters().from_host.get();
    room_at = rig.clock.read();
    rig.take();
  };
  ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  rig.start();
  EXPECT_TRUE(rig.eventually(
      [&] { return sent_adverts(rig) == 1 || !rig.heard<TransmitRefused>().empty(); }));
  EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().from_host.get() == 100; }));
  rig.stop();
  EXPECT_EQ(sent_adverts(rig), 1U);
  EXPECT_TRUE(rig.heard<TransmitRefused>().empty());
  EXPECT_EQ(rig.drops(DropReason::kFrameRefused), 0U);
  EXPECT_EQ(waiting, 16U);  // one burst, of the turn before the advertisement
  EXPECT_LE(rig.board->deadline(kLan, Family::ipv4).left(room_at), 20s);
  EXPECT_EQ(rte_mempool_in_use_count(rig.control_pool), 1U);
}

TEST(WorkerHost, L3_WhatWaitedTooLongIsReportedAsRefused) {
  RingRig rig({.transmit_room = 8});
  rig.board->slot(kLan).term.store(kTerm.value());
  rig.jam();
  const TransmitFrame first_of_a_term = advertisement(rig, 50ms);
  rig.transmitting = [&](std::uint16_t) {  // the first attempt lasts until it is too late
    while (rig.clock.read() <= first_of_a_term.not_after) {
    }
  };
  ASSERT_TRUE(rig.down->try_send(first_of_a_term));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] { return !rig.heard<TransmitRefused>().empty(); }));
  rig.stop();
  EXPECT_EQ(rig.drops(DropReason::kFrameLate), 1U);
  EXPECT_EQ(rig.board->deadline(kLan, Family::ipv4).word(), 0U);
}

TEST(WorkerHost, L2_BehindADriverThatTakesNothingAViewIsAdoptedAllTheSame) {
  RingRig rig({.transmit_room = 8});
  rig.board->slot(kLan).term.store(kTerm.value());
  rig.jam();
  View next = rig.view;
  next.number = ViewNumber(2);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(rig.down->try_send(advertisement(rig)));
  ASSERT_TRUE(rig.down->try_send(AdoptView{&next}));
  std::array<Instant, 2> tried{};  // first and last
  rig.transmitting = [&](std::uint16_t) {
    tried[1] = rig.clock.read();
    if (tried[0] == Instant{}) tried[0] = tried[1];
  };
  rig.start();
  EXPECT_TRUE(
      rig.eventually([&] { return rig.board->worker(WorkerIndex(0)).adopted.load() == 2; }));
  rig.stop();
  EXPECT_EQ(rig.drops(DropReason::kFrameRefused), 100U);
  EXPECT_EQ(rig.heard<TransmitRefused>().size(), 100U);
  EXPECT_LT(tried[1] - tried[0], 50ms);  // 1 ms, where nothing takes the core away
}

// DPDK's link bonding sends LACPDUs within rte_eth_tx_burst alone, and wants it every 100 ms.
TEST(WorkerBond, AsksTheDriverOfABondToSendThoughThereBeNothing) {
  RingRig rig({.bond = true});
  std::vector<Instant> asked;
  rig.transmitting = [&](std::uint16_t frames) {
    if (frames == 0) asked.push_back(rig.clock.read());
  };
  rig.start();
  const Instant began = rig.clock.read();
  EXPECT_TRUE(rig.eventually([&] { return rig.clock.read() - began > 300ms; }));
  rig.stop();
  EXPECT_GE(asked.size(), 3U);
  EXPECT_LE(asked.size(), 32U);  // not every turn
}

TEST(WorkerBond, AsksNoOtherDriver) {
  RingRig rig;
  int asked = 0;
  rig.transmitting = [&](std::uint16_t) { ++asked; };
  rig.start();
  const Instant began = rig.clock.read();
  EXPECT_TRUE(rig.eventually([&] { return rig.clock.read() - began > 50ms; }));
  rig.stop();
  EXPECT_EQ(asked, 0);
}

}  // namespace
}  // namespace koi::dataplane::worker_host_test
