// Frames that the host left unfinished. The frames and their sums are Scapy's.
#include "dataplane/offload.h"

#include <array>

#include <gtest/gtest.h>

#include "dataplane/mbuf_view.h"
#include "dataplane/mempool.h"
#include "dataplane/worker.h"
#include "tests/unit/worker/ring_rig.h"

namespace koi::dataplane::offload_test {
namespace {

using namespace test;  // NOLINT: the whole file is about its frames

constexpr Offloads kNone{};
constexpr Offloads kChecksums{.checksums = true};
constexpr Offloads kAll{.checksums = true, .segmentation = true};
constexpr std::uint64_t kUnsummed = RTE_MBUF_F_RX_L4_CKSUM_NONE;
constexpr std::uint64_t kUncut = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;

struct Sample {
  const char* what;
  const char* finished;
  std::size_t at;       // where its checksum stands
  std::uint16_t begun;  // the pseudo header's sum, by Python's struct
  std::uint16_t l2, l3, l4;
  std::uint64_t flags;  // for the NIC; 0: it cannot

  /// As a host hands it over that leaves the checksum to the NIC.
  Bytes undone() const {
    Bytes bytes = from_hex(finished);
    bytes[at] = std::byte(begun >> 8);
    bytes[at + 1] = std::byte(begun & 0xff);
    return bytes;
  }
};

constexpr std::uint64_t kTcp4 = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_TCP_CKSUM;
constexpr std::uint64_t kUdp4 = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_UDP_CKSUM;
constexpr std::uint64_t kTcp6 = RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_TCP_CKSUM;
constexpr std::uint64_t kUdp6 = RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM;

// From kPortMac to kClientMac, kOwnIp to kClientIp; TCP's with the timestamp option.
const std::array kSamples = {
    Sample{"TCP",
           "5254001234560200000000100800"
           "45000037000100004006f670c0000202c000024d"
           "0fa00035000000010000000080182000ef2400000101080a00000001000000026f6464",
           50, 0x8479, 14, 20, 32, kTcp4},
    Sample{"UDP",
           "5254001234560200000000100800"
           "45000020000100004011f67cc0000202c000024d0fa00035000ca0cc6576656e",
           40, 0x846d, 14, 20, 8, kUdp4},
    Sample{"UDP whose sum would be 0",
           "5254001234560200000000100800"
           "4500001e000100004011f67ec0000202c000024d0fa00035000affff6bb5",
           40, 0x846b, 14, 20, 8, kUdp4},
    Sample{"IPv4 options",
           "5254001234560200000000100800"
           "4600003b0001000040066168c0000202c000024d94040000"
           "0fa00035000000010000000080182000ef2400000101080a00000001000000026f6464",
           54, 0x8479, 14, 24, 32, kTcp4},
    Sample{"VLAN tag",
           "52540012345602000000001081000014080045000037000100004006f670c0000202c000024d"
           "0fa00035000000010000000080182000ef2400000101080a00000001000000026f6464",
           54, 0x8479, 18, 20, 32, kTcp4},
    Sample{"padding that is not 0",
           "5254001234560200000000100800"
           "4500001d000100004011f67fc0000202c000024d0fa00035000906b765"
           "70616464696e672c206e6f74207a65726f",
           40, 0x846a, 14, 20, 8, kUdp4},
    Sample{"TCP over IPv6",
           "52540012345602000000001086dd"
           "600000000023064020010db800000000000000000000000220010db8000000000000000000000077"
           "0fa00035000000010000000080182000178a00000101080a00000001000000026f6464",
           70, 0x5c14, 14, 40, 32, kTcp6},
    Sample{"UDP over IPv6",
           "52540012345602000000001086dd"
           "60000000000c114020010db800000000000000000000000220010db8000000000000000000000077"
           "0fa00035000cc9316576656e",
           60, 0x5c08, 14, 40, 8, kUdp6},
    Sample{"IPv6 destination options",
           "52540012345602000000001086dd"
           "60000000002b3c4020010db800000000000000000000000220010db8000000000000000000000077"
           "06000104000000000fa00035000000010000000080182000178a0000"
           "0101080a00000001000000026f6464",
           78, 0x5c14, 14, 48, 32, 0},
};
const Sample& kTcp = kSamples[0];

/// One frame, with what its driver says of it, in as many segments as told.
class Frame {
 public:
  explicit Frame(const Bytes& bytes, std::uint64_t flags, std::size_t first = SIZE_MAX) {
    static rte_mempool* const pool = make_pool("offload", 127).value();
    first = std::min(first, bytes.size());
    m_ = rte_pktmbuf_alloc(pool);
    EXPECT_TRUE(dataplane::fill(m_, std::span(bytes).first(first)));
    if (first < bytes.size()) {
      rte_mbuf* rest = rte_pktmbuf_alloc(pool);
      EXPECT_TRUE(dataplane::fill(rest, std::span(bytes).subspan(first)));
      rte_pktmbuf_chain(m_, rest);
    }
    m_->ol_flags |= flags;
    m_->tso_segsz = (flags & RTE_MBUF_F_RX_LRO) != 0 ? 1460 : 0;
  }
  ~Frame() { rte_pktmbuf_free(m_); }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;

  rte_mbuf* operator->() const { return m_; }
  rte_mbuf* get() const { return m_; }
  Bytes bytes() const {
    const std::span<const std::byte> all = frame_of(m_);
    return {all.begin(), all.end()};
  }
  std::uint64_t for_nic() const { return m_->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK; }

 private:
  rte_mbuf* m_;
};

/// A frame of which nothing is left to do, and the others.
TEST(Offload, WhatTheDriverSaysOfAFrame) {
  EXPECT_FALSE(is_undone(Frame(kTcp.undone(), 0).get()));
  EXPECT_FALSE(is_undone(Frame(kTcp.undone(), RTE_MBUF_F_RX_L4_CKSUM_GOOD).get()));
  EXPECT_FALSE(is_undone(Frame(kTcp.undone(), RTE_MBUF_F_RX_L4_CKSUM_BAD).get()));
  EXPECT_TRUE(is_undone(Frame(kTcp.undone(), kUnsummed).get()));
  EXPECT_TRUE(is_undone(Frame(kTcp.undone(), kUncut).get()));
}

TEST(Offload, AChecksumIsFinishedWhereTheNicDoesNot) {
  for (const Sample& sample : kSamples) {
    const Frame frame(sample.undone(), kUnsummed);
    const auto done = complete(frame.get(), kNone);
    ASSERT_TRUE(done) << sample.what;
    EXPECT_EQ(done->segment, 0U);
    EXPECT_EQ(frame.bytes(), from_hex(sample.finished)) << sample.what;
    EXPECT_EQ(frame.for_nic(), 0U);
    EXPECT_FALSE(is_for_nic(frame.get()));
  }
}

TEST(Offload, AChecksumIsLeftToTheNicThatDoesIt) {
  for (const Sample& sample : kSamples) {
    const Frame frame(sample.undone(), kUnsummed);
    ASSERT_TRUE(complete(frame.get(), kChecksums)) << sample.what;
    EXPECT_EQ(frame.for_nic(), sample.flags) << sample.what;
    EXPECT_EQ(is_for_nic(frame.get()), sample.flags != 0) << sample.what;
    if (sample.flags == 0) {
      EXPECT_EQ(frame.bytes(), from_hex(sample.finished)) << sample.what;
      continue;
    }
    EXPECT_EQ(frame.bytes(), sample.undone()) << sample.what;
    EXPECT_EQ(frame->l2_len, sample.l2) << sample.what;
    EXPECT_EQ(frame->l3_len, sample.l3) << sample.what;
    EXPECT_EQ(frame->l4_len, sample.l4) << sample.what;
  }
}

TEST(Offload, SegmentationIsTheNicsOrNobodys) {
  for (const Sample& sample : kSamples) {
    const bool tcp = sample.flags == kTcp4 || sample.flags == kTcp6;
    const Frame frame(sample.undone(), kUncut, std::size_t{sample.l2} + sample.l3 + sample.l4);
    const auto done = complete(frame.get(), kAll);
    ASSERT_EQ(done.has_value(), tcp) << sample.what;
    if (!tcp) continue;
    EXPECT_EQ(done->segment, std::size_t{sample.l2} + sample.l3 + sample.l4 + 1460);
    EXPECT_EQ(frame.for_nic(), sample.flags | RTE_MBUF_F_TX_TCP_SEG |
                                   (sample.flags == kTcp4 ? RTE_MBUF_F_TX_IP_CKSUM : 0))
        << sample.what;
    EXPECT_EQ(frame->tso_segsz, 1460);
    EXPECT_EQ(frame->l4_len, sample.l4);
    EXPECT_FALSE(complete(Frame(sample.undone(), kUncut).get(), kChecksums)) << sample.what;
    EXPECT_FALSE(complete(Frame(sample.undone(), kUncut).get(), kNone)) << sample.what;
  }
  const Frame endless(kTcp.undone(), kUncut);
  endless->tso_segsz = 0;
  EXPECT_FALSE(complete(endless.get(), kAll));
}

TEST(Offload, WhatCannotBeFinishedIsRefused) {
  const auto refused = [](const Bytes& bytes, const char* what) {
    for (const Offloads& nic : {kNone, kAll}) {
      EXPECT_FALSE(complete(Frame(bytes, kUnsummed).get(), nic)) << what;
      EXPECT_FALSE(complete(Frame(bytes, kUncut).get(), nic)) << what;
    }
  };
  const auto with = [](Bytes bytes, std::size_t at, std::uint8_t value) {
    bytes[at] = std::byte{value};
    return bytes;
  };
  const Bytes tcp = kTcp.undone();
  refused(with(tcp, 20, 0x20), "a fragment, the first");
  refused(with(tcp, 21, 0x01), "a fragment, another");
  refused(with(tcp, 23, 1), "ICMP");
  refused(with(tcp, 46, 0x40), "a TCP header of 16 bytes");
  refused(with(tcp, 46, 0xf0), "a TCP header that is longer than the packet");
  refused(with(tcp, 17, 0x38), "an IPv4 packet that is longer than the frame");
  refused(with(tcp, 17, 0x33), "an IPv4 packet that is shorter than its headers");
  refused(arp({}), "ARP");
  for (const Sample& sample : kSamples) {
    const Bytes whole = sample.undone();
    const std::size_t headers = std::size_t{sample.l2} + sample.l3 + sample.l4;
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      const auto done = complete(Frame(cut, kUnsummed).get(), kNone);
      // What is missing of the padding does not matter.
      if (std::string_view(sample.what) != "padding that is not 0") {
        EXPECT_FALSE(done) << sample.what << ", " << length << " bytes";
      }
      if (length == 0 || length >= headers) continue;
      EXPECT_FALSE(complete(Frame(whole, kUncut, length).get(), kAll))
          << sample.what << ", the first segment " << length << " bytes";
    }
    EXPECT_FALSE(complete(Frame(whole, kUnsummed, headers).get(), kAll))
        << sample.what << " in two segments";
  }
}

// ---- decided at start

TEST(Offload, OfTheHostIsAskedWhatTheNicDoes) {
  rte_eth_dev_info nic{};
  rte_eth_dev_info host{};
  host.rx_offload_capa = RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM |
                         RTE_ETH_RX_OFFLOAD_TCP_LRO | RTE_ETH_RX_OFFLOAD_SCATTER;
  const auto flags = [&] { return Offloads::of_nic(nic).allowed_by(host).host_flags(host); };
  EXPECT_EQ(flags(), 0U);
  nic.tx_offload_capa =
      RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
  EXPECT_EQ(flags(), 0U) << "virtio knows not TCP's alone";
  EXPECT_EQ(Offloads::of_nic(nic).nic_flags(nic), 0U);
  nic.tx_offload_capa =
      RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO;
  EXPECT_EQ(flags(), RTE_ETH_RX_OFFLOAD_UDP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
      << "what is to be cut comes in several segments";
  nic.tx_offload_capa |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS | RTE_ETH_TX_OFFLOAD_IPV4_CKSUM;
  EXPECT_EQ(flags(), host.rx_offload_capa);
  EXPECT_EQ(Offloads::of_nic(nic).nic_flags(nic), nic.tx_offload_capa);
  host.rx_offload_capa = 0;
  EXPECT_EQ(flags(), 0U);
}

// ---- on the worker

TEST(Offload, TheWorkerFinishesWhatItsNicDoesNot) {
  RingRig rig({.host = true});
  rig.start();
  ASSERT_TRUE(rig.host->put(kTcp.undone(), SIZE_MAX, kUnsummed));
  EXPECT_TRUE(rig.eventually([&] { return rig.sent() == 1; }));
  ASSERT_TRUE(rig.host->put(kTcp.undone(), SIZE_MAX, kUncut));
  EXPECT_TRUE(rig.eventually([&] { return rig.drops(DropReason::kHostOffload) == 1; }));
  rig.stop();
  EXPECT_EQ(rig.take(), from_hex(kTcp.finished));
  EXPECT_EQ(rig.sent(), 0U);
}

/// net_ring finishes nothing, so that what the worker says of it is seen.
TEST(Offload, TheGateSeesWhatTheNicIsToFinish) {
  RingRig rig({.host = true, .offloads = kAll});
  rig.reign(kBoth);
  rig.start();
  const auto goes_on = [&](const Sample& sample, std::uint64_t flags, std::size_t first) {
    const std::uint64_t before = rig.port_counters().from_host.get();
    EXPECT_TRUE(rig.host->put(sample.undone(), first, flags, 1400));
    EXPECT_TRUE(rig.eventually([&] { return rig.port_counters().from_host.get() == before + 1; }));
    return rig.sent() == 1 && rig.wire->discard() == 1;
  };
  EXPECT_TRUE(goes_on(kTcp, kUnsummed, SIZE_MAX));
  EXPECT_TRUE(goes_on(kTcp, kUncut, 66));
  EXPECT_TRUE(goes_on(kSamples[6], kUncut, 86)) << "TCP over IPv6, its payload in another segment";
  Sample alien = kTcp;
  const std::string from_client = std::string(kTcp.finished).replace(12, 12, "525400123456");
  alien.finished = from_client.c_str();
  EXPECT_FALSE(goes_on(alien, kUncut, 66));
  EXPECT_EQ(rig.drops(DropReason::kHostSourceMac), 1U);
  EXPECT_TRUE(rig.host->put(kTcp.undone(), 66, kUncut, 1500));
  EXPECT_TRUE(rig.eventually([&] { return rig.drops(DropReason::kJumbo) == 1; }));
  rig.stop();
}

}  // namespace
}  // namespace koi::dataplane::offload_test
