// The worker's real loop, on a port made of rings. What it decides is tested in ../dataplane.
#include "dataplane/worker.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/worker/ring_rig.h"

namespace koi::dataplane::worker_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

[[maybe_unused]] const auto* const kEal = testing::AddGlobalTestEnvironment(new EalEnvironment);

Bytes own_request() {
  Bytes request = arp({.target_ip = kOwnIp});
  request.resize(60);  // as padded on the wire
  return request;
}
Bytes own_answer() {
  return arp({.operation = 2,
              .sender_mac = kPortMac,
              .sender_ip = kOwnIp,
              .target_mac = kClientMac,
              .target_ip = kClientIp},
             {.to = kClientMac, .from = kPortMac});
}
Bytes shared_answer() {
  const MacAddress mac = virtual_mac(Vhid(1));
  return arp({.operation = 2,
              .sender_mac = mac,
              .sender_ip = kSharedIp,
              .target_mac = kClientMac,
              .target_ip = kClientIp},
             {.to = kClientMac, .from = mac});
}
/// Of a slot that no test reigns in, so that it claims nothing.
Bytes foreign_advert() { return frame(Advert{.vhid = 9, .addresses = {kForeignSharedIp}}); }

void answers_own_address(bool sleeps) {
  RingRig rig({.sleeps = sleeps});
  rig.start();
  EXPECT_EQ(rig.fate_of(own_request()), "answer");
  rig.stop();
  EXPECT_EQ(rig.take(), own_answer());
  EXPECT_EQ(rig.take(), std::nullopt);
  EXPECT_EQ(rig.port_counters().received.get(), 1U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 1U);
  EXPECT_EQ(rig.port_counters().answers[static_cast<std::size_t>(AnswerKind::arp)].get(), 1U);
  EXPECT_EQ(rig.port_counters().answers[static_cast<std::size_t>(AnswerKind::icmp)].get(), 0U);
}

TEST(Worker, AnswersArpForAnOwnAddress) { answers_own_address(true); }

TEST(Worker, AnswersWithoutEverSleepingToo) { answers_own_address(false); }

TEST(Worker, CountsAnswersByTheirKind) {
  RingRig rig;
  ASSERT_TRUE(rig.put(own_request()));
  ASSERT_TRUE(rig.put(arp({.target_ip = kClientIp})));  // not ours
  ASSERT_TRUE(rig.put(echo({}, {.to = kPortMac})));
  ASSERT_TRUE(rig.put(echo({}, {.to = kPortMac})));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] { return rig.sent() == 3; }));
  rig.stop();
  EXPECT_EQ(rig.port_counters().received.get(), 4U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 3U);
  EXPECT_EQ(rig.port_counters().answers[static_cast<std::size_t>(AnswerKind::arp)].get(), 1U);
  EXPECT_EQ(rig.port_counters().answers[static_cast<std::size_t>(AnswerKind::icmp)].get(), 2U);
  EXPECT_EQ(rig.drops(DropReason::kArpNotOurs), 1U);
}

/// Those that have a way of their own in the loop.
TEST(Worker, CountsUsualFramesAndSendsTheirAnswers) {
  RingRig rig;
  for (const SlotIndex slot : {kLan, kBoth}) rig.reign(slot);
  SlotWords& both = rig.board->slot(kBoth);
  both.deadline[1].store(both.deadline[0].load());
  rig.start();
  const auto padded = [](Bytes frame) {
    frame.resize(100);
    return frame;
  };
  EXPECT_EQ(rig.fate_beyond_gaps(padded(arp({}))), "answer");
  EXPECT_EQ(rig.take(), shared_answer());
  EXPECT_EQ(rig.fate_beyond_gaps(padded(neighbor({}))), "answer");
  // Scapy's ICMPv6ND_NA(tgt="2001:db8::1", R=1, S=1, O=1) with its option.
  EXPECT_EQ(rig.take(),
            from_hex("52540012345600005e000106 86dd 6000000000203aff "
                     "20010db8000000000000000000000001 20010db8000000000000000000000077 "
                     "8800acf8 e0000000 20010db8000000000000000000000001 020100005e000106"));
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(rig.fate_of(padded(arp({.target_ip = kClientIp}))), "arp_not_ours");
    EXPECT_EQ(rig.fate_of(padded(arp({}, {.to = kSecondPortMac}))), "not_our_mac");
  }
  rig.stop();
  const auto answers = [&](AnswerKind kind) {
    return rig.port_counters().answers[static_cast<std::size_t>(kind)].get();
  };
  EXPECT_EQ(answers(AnswerKind::arp), 1U);
  EXPECT_EQ(answers(AnswerKind::nd), 1U);
  EXPECT_EQ(rig.drops(DropReason::kArpNotOurs), 2U);
  EXPECT_EQ(rig.drops(DropReason::kNotOurMac), 2U);
}

/// Each answer with its kind and its bytes, though they are of one burst; also where the tables are
/// large, for which the loop is another one.
TEST(Worker, AnswersAllKindsOfABurst) {
  for (const unsigned addresses : {0U, 600U}) {
    TopologyBuilder builder = usual_builder();
    for (unsigned n = 0; n < addresses; ++n) {
      builder.own(PortIndex(1), VlanId(0),
                  ipv4(10, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)));
    }
    RingRig rig({.topology = builder.build()});
    for (const SlotIndex slot : {kLan, kTagged}) rig.reign(slot);
    for (int n = 0; n < 3; ++n) {
      Bytes request = arp({});
      request.resize(60);
      ASSERT_TRUE(rig.put(request));
      ASSERT_TRUE(rig.put(echo({}, {.to = kPortMac})));
      ASSERT_TRUE(rig.put(own_request()));
      Bytes tagged = arp({.sender_ip = kTaggedClientIp, .target_ip = kTaggedSharedIp}, {.tag = 20});
      tagged.resize(60);
      ASSERT_TRUE(rig.put(tagged));
    }
    rig.start();
    EXPECT_TRUE(rig.eventually([&] {
      return rig.port_counters().transmitted.get() + rig.drops(DropReason::kNoLease) == 12;
    }));
    rig.stop();
    const std::uint64_t held = rig.drops(DropReason::kNoLease);  // by a gap
    unsigned shared = 0;
    unsigned own = 0;
    unsigned echoes = 0;
    const MacAddress mac = virtual_mac(Vhid(7));
    const Bytes tagged_answer = arp({.operation = 2,
                                     .sender_mac = mac,
                                     .sender_ip = kTaggedSharedIp,
                                     .target_mac = kClientMac,
                                     .target_ip = kTaggedClientIp},
                                    {.to = kClientMac, .from = mac, .tag = 20});
    while (const std::optional<Bytes> answer = rig.take()) {
      shared += *answer == shared_answer() || *answer == tagged_answer ? 1 : 0;
      own += *answer == own_answer() ? 1 : 0;
      echoes += answer->size() == echo({}, {.to = kPortMac}).size() ? 1 : 0;
    }
    EXPECT_EQ(shared + held, 6U);
    EXPECT_EQ(own, 3U);
    EXPECT_EQ(echoes, 3U);
    const auto answers = [&](AnswerKind kind) {
      return rig.port_counters().answers[static_cast<std::size_t>(kind)].get();
    };
    EXPECT_EQ(answers(AnswerKind::arp) + held, 9U);
    EXPECT_EQ(answers(AnswerKind::icmp), 3U);
  }
}

// The buffer holds more than the frame: the answer grows into it, and leaves whole.
TEST(Worker, NeighborAnswerIsLongerThanASolicitationWithoutOption) {
  RingRig rig;
  rig.start();
  Neighbor n{.target = kOwnIp6, .options = {}};
  n.ip.destination = Neighbor::solicited_group(kOwnIp6);
  EXPECT_EQ(rig.fate_of(neighbor(n)), "answer");
  rig.stop();
  // Scapy's ICMPv6ND_NA(tgt="2001:db8::2", R=0, S=1, O=1) with its option.
  EXPECT_EQ(rig.take(),
            from_hex("525400123456020000000010 86dd 6000000000203aff "
                     "20010db8000000000000000000000002 20010db8000000000000000000000077 "
                     "880089ed60000000 20010db8000000000000000000000002 0201020000000010"));
  EXPECT_EQ(rig.port_counters().answers[static_cast<std::size_t>(AnswerKind::nd)].get(), 1U);
}

TEST(Worker, I5_FrameInTwoSegmentsIsDroppedWhole) {
  RingRig rig;
  rig.start();
  ASSERT_TRUE(rig.put(own_request(), 30));
  EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().received.get() == 1; }));
  rig.stop();
  EXPECT_EQ(rig.drops(DropReason::kMultiSegment), 1U);
  EXPECT_EQ(rig.sent(), 0U);
  EXPECT_EQ(rte_mempool_in_use_count(rig.data_pool), 0U);
}

TEST(Worker, I5_AnswersThatTheDriverDoesNotTakeAreDropped) {
  RingRig rig({.transmit_room = 40});
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(rig.put(own_request()));
  rig.start();
  EXPECT_TRUE(rig.eventually([&] {
    return rig.port_counters().transmitted.get() + rig.drops(DropReason::kTransmitFull) == 100;
  }));
  rig.stop();
  EXPECT_EQ(rig.port_counters().received.get(), 100U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 40U);
  EXPECT_EQ(rig.port_counters().answers[static_cast<std::size_t>(AnswerKind::arp)].get(), 40U);
  EXPECT_EQ(rig.drops(DropReason::kTransmitFull), 60U);
  EXPECT_EQ(rte_mempool_in_use_count(rig.data_pool), 40U);
  while (rig.take()) {
  }
  EXPECT_EQ(rte_mempool_in_use_count(rig.data_pool), 0U);
}

// C11.3 refused
TEST(Worker, L1_AnswerThatWasHeldUpBeforeItsHandOverIsDropped) {
  RingRig rig;
  rig.reign(kLan);
  rig.start();
  std::string fate;
  for (int attempt = 0; attempt < 50 && fate != "answer_late"; ++attempt) {
    rig.receive_hold.next(true);
    fate = rig.fate_of(arp({}));
    ASSERT_TRUE(fate == "answer_late" || fate == "no_lease") << fate;
  }
  rig.stop();
  EXPECT_EQ(rig.drops(DropReason::kAnswerLate), 1U);
  EXPECT_EQ(rig.port_counters().transmitted.get(), 0U);
  EXPECT_EQ(rig.sent(), 0U);
  EXPECT_EQ(rte_mempool_in_use_count(rig.data_pool), 0U);
}

TEST(Worker, L2_AnswersAsTheViewSaysThatItAdopted) {
  RingRig rig;
  View promoted = rig.view;
  promoted.number = ViewNumber(2);
  promoted.terms[kLan.value()] = kTerm;
  View demoted = rig.view;
  demoted.number = ViewNumber(3);
  rig.board->slot(kLan).term.store(kTerm.value());
  rig.board->slot(kLan).deadline[0].store(Stamp(kTerm.value(), rig.clock.read() + 60s).word());
  const auto adopted = [&] { return rig.board->worker(WorkerIndex(0)).adopted.load(); };

  rig.start();
  EXPECT_TRUE(rig.eventually([&] { return adopted() == 1; }));
  EXPECT_EQ(rig.fate_of(arp({})), "not_master");
  ASSERT_TRUE(rig.down->try_send(AdoptView{&promoted}));
  EXPECT_TRUE(rig.eventually([&] { return adopted() == 2; }));
  EXPECT_EQ(rig.fate_beyond_gaps(arp({})), "answer");
  EXPECT_EQ(rig.take(), shared_answer());
  ASSERT_TRUE(rig.down->try_send(AdoptView{&demoted}));
  EXPECT_TRUE(rig.eventually([&] { return adopted() == 3; }));
  EXPECT_EQ(rig.fate_of(arp({})), "not_master");
}

TEST(Worker, L7_AdvertisementGoesUpWithItsNumber) {
  RingRig rig;
  rig.start();
  ASSERT_TRUE(rig.put(frame(Advert{.advskew = 33})));
  EXPECT_TRUE(rig.eventually([&] { return !rig.heard<VerifiedAdvert>().empty(); }));
  rig.stop();
  ASSERT_EQ(rig.heard<VerifiedAdvert>().size(), 1U);
  const VerifiedAdvert ad = rig.heard<VerifiedAdvert>()[0];
  EXPECT_EQ(ad.slot, kLan);
  EXPECT_EQ(ad.advskew, 33U);
  EXPECT_EQ(ad.heard_number, 1U);
  EXPECT_EQ(Stamp::from_word(rig.board->slot(kLan).heard[0].load()).number(), 1U);
  EXPECT_EQ(rig.port_counters().received.get(), 1U);
}

/// Index of the first message of a gap after this one, or of none.
std::size_t gap_after(const RingRig& rig, std::uint32_t number) {
  for (std::size_t i = 0; i < rig.messages.size(); ++i) {
    const auto* gap = std::get_if<PollGap>(&rig.messages[i]);
    if (gap != nullptr && gap->number > number) return i;
  }
  return SIZE_MAX;
}

TEST(Worker, L8_GapGoesUpBehindTheAdvertisementsThatWereInIt) {
  RingRig rig;
  rig.start();
  ASSERT_TRUE(rig.hold_worker());
  const std::uint32_t before = rig.gap_on_board();
  ASSERT_TRUE(rig.put(foreign_advert()));
  rig.receive_hold.release();
  EXPECT_TRUE(rig.eventually([&] { return gap_after(rig, before) != SIZE_MAX; }));
  rig.stop();
  const std::size_t at = gap_after(rig, before);
  ASSERT_NE(at, SIZE_MAX);
  const PollGap gap = *std::get_if<PollGap>(&rig.messages[at]);
  EXPECT_GT(gap.length, Hold::kAtLeast);
  EXPECT_FALSE(gap.frames_lost);
  EXPECT_TRUE(
      std::any_of(rig.messages.begin(), rig.messages.begin() + static_cast<std::ptrdiff_t>(at),
                  [](const UpMessage& m) { return std::holds_alternative<VerifiedAdvert>(m); }));
}

TEST(Worker, L8_AnswersForNoSlotUntilTheGapIsAcknowledged) {
  RingRig rig;
  rig.reign(kLan);
  rig.start();
  ASSERT_EQ(rig.fate_beyond_gaps(arp({})), "answer");
  rig.acknowledges = false;
  const std::uint32_t before = rig.gap_on_board();
  rig.receive_hold.next(false);
  ASSERT_TRUE(rig.eventually([&] { return gap_after(rig, before) != SIZE_MAX; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(rig.fate_of(arp({})), "no_lease");
  EXPECT_EQ(rig.fate_of(own_request()), "answer");
  rig.acknowledges = true;
  rig.acknowledge(rig.gap_on_board());
  EXPECT_EQ(rig.fate_beyond_gaps(arp({})), "answer");
}

/// Whether a gap is reported in which 40 frames came in, to a queue of this depth.
bool frames_lost_with(std::uint16_t depth) {
  RingRig rig({.depth = depth});
  rig.start();
  EXPECT_TRUE(rig.hold_worker());
  const std::uint32_t before = rig.gap_on_board();
  for (int i = 0; i < 40; ++i) EXPECT_TRUE(rig.put(own_request()));
  rig.receive_hold.release();
  EXPECT_TRUE(rig.eventually([&] { return gap_after(rig, before) != SIZE_MAX; }));
  rig.stop();
  EXPECT_EQ(rig.port_counters().received.get(), 40U);
  const std::size_t at = gap_after(rig, before);
  return at != SIZE_MAX && std::get_if<PollGap>(&rig.messages[at])->frames_lost;
}

TEST(Worker, L8_GapSaysWhetherTheQueueMayHaveBeenFull) {
  EXPECT_TRUE(frames_lost_with(128));
  EXPECT_FALSE(frames_lost_with(1024));
}

TEST(Worker, L8_GapIsReportedAgainUntilTheUpRingTakesIt) {
  RingRig rig({.up_room = 2});  // room for one
  rig.start();
  ASSERT_TRUE(rig.hold_worker());
  const std::uint32_t before = rig.gap_on_board();
  ASSERT_TRUE(rig.put(foreign_advert()));  // takes the room
  rig.receive_hold.release();
  // Control is busy elsewhere until the report must have been tried: in the turn of the poll that
  // emptied the queue, and that turn is over when a later one has been published.
  const auto emptied_after = [&rig](Instant moment) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (rig.board->emptied(WorkerIndex(0)) <= moment) {
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::yield();
    }
    return true;
  };
  ASSERT_TRUE(emptied_after(rig.receive_hold.since() + Hold::kAtLeast));
  ASSERT_TRUE(emptied_after(rig.board->emptied(WorkerIndex(0))));
  EXPECT_TRUE(rig.eventually([&] { return gap_after(rig, before) != SIZE_MAX; }));
  EXPECT_EQ(rig.heard<VerifiedAdvert>().size(), 1U);
}

}  // namespace
}  // namespace koi::dataplane::worker_test
