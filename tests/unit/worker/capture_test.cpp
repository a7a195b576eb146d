// A capture of the worker's real loop, on a port made of rings.
#include "dataplane/capture.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "tests/unit/worker/ring_rig.h"

namespace koi::dataplane::capture_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

constexpr WorkerIndex kWorker{0};

Bytes own_request(std::size_t length = 60) {
  Bytes request = arp({.target_ip = kOwnIp});
  request.resize(length);
  return request;
}

struct Seen {
  Instant at;
  CaptureDirection direction;
  std::uint32_t length;
  Bytes bytes;
};

class CaptureTest : public ::testing::Test {
 protected:
  CaptureTest() {
    capture = std::make_unique<Capture>(
        rig.clock, *rig.board,
        std::vector<std::vector<Capture::Queue>>{{{rig.wire->id(), 0, kWorker}}});
  }
  ~CaptureTest() override { rig.stop(); }

  CaptureWanted wanted(std::uint16_t snaplen = 256) const {
    return {.port = PortIndex(0), .snaplen = snaplen, .filter = {}};
  }
  std::vector<Seen> seen() {
    std::vector<Seen> frames;
    capture->take([&](const CapturedFrame& f) {
      frames.push_back({f.at, f.direction, f.length, Bytes(f.bytes.begin(), f.bytes.end())});
      return true;
    });
    return frames;
  }
  bool gone() {
    return rig.eventually([&] { return capture->idle(); });
  }

  RingRig rig;
  std::unique_ptr<Capture> capture;  // after the rig: its ports outlive it
};

TEST_F(CaptureTest, WhatCameAndWhatWasSentInOrder) {
  rig.start();
  ASSERT_TRUE(capture->begin(wanted()).ok());
  const Instant before = rig.clock.read();
  EXPECT_EQ(rig.fate_of(own_request()), "answer");
  EXPECT_EQ(rig.fate_of(arp({.target_ip = kClientIp})), "arp_not_ours");
  const std::vector<Seen> frames = seen();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[0].bytes, own_request());
  EXPECT_EQ(frames[0].direction, CaptureDirection::in);
  EXPECT_EQ(frames[1].bytes, rig.take());
  EXPECT_EQ(frames[1].direction, CaptureDirection::out);
  EXPECT_EQ(frames[2].bytes, arp({.target_ip = kClientIp}));
  EXPECT_EQ(frames[2].direction, CaptureDirection::in);
  EXPECT_LE(before, frames[0].at);
  EXPECT_LE(frames[0].at, frames[1].at);
  EXPECT_LE(frames[1].at, frames[2].at);
  EXPECT_LE(frames[2].at, rig.clock.read());
}

TEST_F(CaptureTest, TheBeginningOfEachFrame) {
  rig.start();
  ASSERT_TRUE(capture->begin(wanted(100)).ok());
  const Bytes request = own_request(1000);
  rig.fate_of(request);
  ASSERT_TRUE(rig.put(request, 64));  // in two segments
  ASSERT_TRUE(rig.eventually([&] { return rig.drops(DropReason::kMultiSegment) == 1; }));
  std::vector<Seen> in;
  for (const Seen& frame : seen()) {
    if (frame.direction == CaptureDirection::in) in.push_back(frame);
  }
  ASSERT_EQ(in.size(), 2U);
  for (const Seen& frame : in) {
    EXPECT_EQ(frame.length, 1000U);
    EXPECT_EQ(frame.bytes, Bytes(request.begin(), request.begin() + 100));
  }
}

TEST_F(CaptureTest, WhatDoesNotMatchIsNotCopied) {
  CaptureWanted group = wanted();
  group.filter.all = false;
  group.filter.ipv4 = {kSharedIp};
  rig.start();
  ASSERT_TRUE(capture->begin(group).ok());
  EXPECT_EQ(rig.fate_of(own_request()), "answer");
  EXPECT_EQ(rig.fate_of(arp({})), "not_master");
  ASSERT_EQ(seen().size(), 1U);
}

TEST_F(CaptureTest, AFullRingDropsAndCounts) {
  ASSERT_TRUE(capture->begin(wanted(CaptureWanted::kMostSnaplen)).ok());
  rig.start();
  std::uint64_t sent = 0;
  ASSERT_TRUE(rig.eventually([&] {
    if (rig.put(own_request())) ++sent;
    while (rig.take()) {
    }
    return capture->misses().full >= 10;
  }));
  ASSERT_TRUE(rig.eventually([&] { return rig.port_counters().transmitted.get() == sent; }));
  const CaptureMisses misses = capture->misses();
  EXPECT_EQ(seen().size() + misses.full + misses.budget, 2 * sent);  // answered, each of them
}

TEST_F(CaptureTest, AShareOfAMillisecondIsAllItTakes) {
  ASSERT_TRUE(capture->begin(wanted(9000)).ok());
  for (int i = 0; i < 60; ++i) ASSERT_TRUE(rig.put(own_request(1500)));
  rig.start();
  ASSERT_TRUE(rig.eventually([&] { return rig.port_counters().transmitted.get() == 60; }));
  const CaptureMisses misses = capture->misses();
  EXPECT_GT(misses.budget, 0U);  // 60 in one burst are 94 KB
  EXPECT_EQ(seen().size() + misses.full + misses.budget, 120U);
}

/// Its memory, too: AddressSanitizer and EAL's heap would tell.
TEST_F(CaptureTest, NothingIsFreedBeforeTheWorkerHasLeft) {
  rig.start();
  ASSERT_TRUE(rig.hold_worker());
  ASSERT_TRUE(capture->begin(wanted()).ok());
  capture->end();
  EXPECT_FALSE(capture->idle());
  EXPECT_FALSE(capture->begin(wanted()).ok());
  rig.receive_hold.release();
  EXPECT_TRUE(gone());
  EXPECT_EQ(rig.fate_of(own_request()), "answer");
  EXPECT_TRUE(seen().empty());
}

TEST_F(CaptureTest, AThousandTimesOnAndOffUnderLoad) {
  rig.start();
  std::uint64_t sent = 0;
  std::uint64_t frames = 0;
  rte_malloc_socket_stats first{};
  rte_malloc_socket_stats last{};
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(capture->begin(wanted()).ok()) << i;
    if (rig.put(own_request())) ++sent;
    while (rig.take()) {
    }
    if (i % 4 == 0) frames += seen().size();
    capture->end();
    frames += seen().size();
    ASSERT_TRUE(gone()) << i;
    if (i == 10) rte_malloc_get_socket_stats(0, &first);
  }
  rte_malloc_get_socket_stats(0, &last);
  EXPECT_EQ(first.alloc_count, last.alloc_count);
  ASSERT_TRUE(rig.eventually([&] { return rig.port_counters().transmitted.get() == sent; }));
  EXPECT_GT(sent, 900U);
  EXPECT_LE(frames, 2 * sent);
}

/// Two queues, each with its ring, are two ports here; the test polls them itself.
TEST(CaptureOfSeveralQueues, IsInTheOrderOfTimeAndMissesAreAllOfThem) {
  RingRig rig({.host = true});
  Capture capture(rig.clock, *rig.board,
                  {{{rig.wire->id(), 0, WorkerIndex(0)}, {rig.host->id(), 0, WorkerIndex(1)}}});
  ASSERT_TRUE(capture.begin({.port = PortIndex(0), .snaplen = 9000, .filter = {}}).ok());
  const auto poll = [](const RingPort& port) {
    std::array<rte_mbuf*, 64> frames;
    const std::uint16_t count = rte_eth_rx_burst(port.id(), 0, frames.data(), frames.size());
    rte_pktmbuf_free_bulk(frames.data(), count);
  };
  std::vector<Bytes> came;
  for (std::uint8_t i = 0; i < 6; ++i) {
    RingPort& port = i % 2 == 0 ? *rig.wire : *rig.host;
    came.push_back(arp({.target_ip = ipv4(192, 0, 2, i)}));
    ASSERT_TRUE(port.put(came.back()));
    poll(port);
  }
  std::vector<Bytes> seen;
  const auto take = [&](const CapturedFrame& frame) {
    seen.emplace_back(frame.bytes.begin(), frame.bytes.end());
    return true;
  };
  capture.take(take);
  EXPECT_EQ(seen, came);
  for (RingPort* port : {&*rig.wire, &*rig.host}) {
    for (int i = 0; i < 60; ++i) ASSERT_TRUE(port->put(own_request(1500)));  // 94 KB
    poll(*port);
  }
  capture.take(take);
  const CaptureMisses misses = capture.misses();
  EXPECT_EQ(seen.size() + misses.budget, 6U + 120U);
  EXPECT_EQ(misses.full, 0U);
}

TEST_F(CaptureTest, APortWithoutSuchAQueueIsRefusedAndNothingStays) {
  Capture other(rig.clock, *rig.board,
                {{{rig.wire->id(), 0, kWorker}, {rig.wire->id(), 7, kWorker}}});
  rig.start();
  const Status refused = other.begin(wanted());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("callback on queue 7"), std::string::npos);
  EXPECT_TRUE(rig.eventually([&] { return other.idle(); }));
  EXPECT_EQ(rig.fate_of(own_request()), "answer");
}

}  // namespace
}  // namespace koi::dataplane::capture_test
