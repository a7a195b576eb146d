#include "dataplane/offload.h"

#include <cstring>

#include <rte_ip.h>
#include <rte_net.h>
#include <rte_tcp.h>
#include <rte_udp.h>

namespace koi::dataplane {
namespace {

constexpr std::uint64_t kChecksums = RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
constexpr std::uint64_t kCutting = RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
constexpr std::uint64_t kUnsummed = RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
constexpr std::uint64_t kUncut = RTE_ETH_RX_OFFLOAD_TCP_LRO;

/// Where a packet's parts are, in bytes.
struct Layout {
  rte_net_hdr_lens lengths{};
  bool tcp = false;
  bool ipv4 = false;
  std::size_t end = 0;  // of the packet in the frame; padding may follow

  std::size_t l4() const { return std::size_t{lengths.l2_len} + lengths.l3_len; }
  std::size_t headers() const { return l4() + lengths.l4_len; }
  bool extended() const { return !ipv4 && lengths.l3_len != sizeof(rte_ipv6_hdr); }
};

std::optional<Layout> layout_of(const rte_mbuf* m) {
  Layout at;
  const std::uint32_t type = rte_net_get_ptype(m, &at.lengths, RTE_PTYPE_ALL_MASK);
  at.tcp = (type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_TCP;
  at.ipv4 = RTE_ETH_IS_IPV4_HDR(type) != 0;
  // A fragment's is RTE_PTYPE_L4_FRAG.
  if (!at.tcp && (type & RTE_PTYPE_L4_MASK) != RTE_PTYPE_L4_UDP) return std::nullopt;
  const std::size_t shortest = at.tcp ? sizeof(rte_tcp_hdr) : sizeof(rte_udp_hdr);
  if (at.lengths.l4_len < shortest || rte_pktmbuf_data_len(m) < at.headers()) return std::nullopt;
  if (at.ipv4) {
    const auto* ip = rte_pktmbuf_mtod_offset(m, const rte_ipv4_hdr*, at.lengths.l2_len);
    at.end = at.lengths.l2_len + std::size_t{rte_be_to_cpu_16(ip->total_length)};
  } else {
    const auto* ip = rte_pktmbuf_mtod_offset(m, const rte_ipv6_hdr*, at.lengths.l2_len);
    at.end = at.lengths.l2_len + sizeof *ip + rte_be_to_cpu_16(ip->payload_len);
  }
  if (at.end < at.headers() || at.end > rte_pktmbuf_pkt_len(m)) return std::nullopt;
  return at;
}

/// REQUIRES: one segment.
void sum(rte_mbuf* m, const Layout& at) {
  auto* l4 = rte_pktmbuf_mtod_offset(m, std::byte*, at.l4());
  auto sum = static_cast<std::uint16_t>(~rte_raw_cksum(l4, at.end - at.l4()));
  if (!at.tcp && sum == 0) sum = 0xffff;  // RFC 768: 0 would say that there is none
  std::memcpy(l4 + (at.tcp ? offsetof(rte_tcp_hdr, cksum) : offsetof(rte_udp_hdr, dgram_cksum)),
              &sum, sizeof sum);
}

void leave_to_nic(rte_mbuf* m, const Layout& at) {
  m->l2_len = at.lengths.l2_len & RTE_LEN2MASK(RTE_MBUF_L2_LEN_BITS, std::uint8_t);
  m->l3_len = at.lengths.l3_len & RTE_LEN2MASK(RTE_MBUF_L3_LEN_BITS, std::uint16_t);
  m->l4_len = at.lengths.l4_len;
  m->ol_flags |= at.ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
  m->ol_flags |= at.tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
}

}  // namespace

Offloads Offloads::of_nic(const rte_eth_dev_info& nic) {
  const bool checksums = (nic.tx_offload_capa & kChecksums) == kChecksums;
  return {.checksums = checksums,
          .segmentation = checksums && (nic.tx_offload_capa & kCutting) == kCutting};
}

Offloads Offloads::allowed_by(const rte_eth_dev_info& host) const {
  const bool both = checksums && (host.rx_offload_capa & kUnsummed) == kUnsummed;
  return {.checksums = both,
          .segmentation = both && segmentation && (host.rx_offload_capa & kUncut) != 0};
}

std::uint64_t Offloads::nic_flags(const rte_eth_dev_info& nic) const {
  // What is cut has other IPv4 headers than it had.
  return (checksums ? kChecksums : 0) |
         (segmentation ? kCutting | (nic.tx_offload_capa & RTE_ETH_TX_OFFLOAD_IPV4_CKSUM) : 0);
}

std::uint64_t Offloads::host_flags(const rte_eth_dev_info& host) const {
  return (checksums ? kUnsummed : 0) |
         (segmentation ? kUncut | (host.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER) : 0);
}

const char* Offloads::text() const {
  if (segmentation) return "TCP and UDP checksums, TCP segmentation";
  return checksums ? "TCP and UDP checksums" : "none";
}

bool may_leave_undone(const std::string& host_device) {
  return host_device.starts_with("net_virtio_user") || host_device.starts_with("net_vhost") ||
         host_device.starts_with("eth_vhost");
}

std::optional<Completed> complete(rte_mbuf* m, const Offloads& nic) {
  const std::optional<Layout> at = layout_of(m);
  if (!at) return std::nullopt;
  if ((m->ol_flags & RTE_MBUF_F_RX_LRO) != 0) {
    if (!nic.segmentation || !at->tcp || at->extended() || m->tso_segsz == 0) return std::nullopt;
    leave_to_nic(m, *at);
    m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG | (at->ipv4 ? RTE_MBUF_F_TX_IP_CKSUM : 0);
    return Completed{.segment = at->headers() + m->tso_segsz};
  }
  if (m->nb_segs != 1) return std::nullopt;
  // What prepares a frame for the NIC knows no extension headers (rte_net_intel_cksum_prepare()).
  if (nic.checksums && !at->extended()) {
    leave_to_nic(m, *at);
  } else {
    sum(m, *at);
  }
  return Completed{};
}

}  // namespace koi::dataplane
