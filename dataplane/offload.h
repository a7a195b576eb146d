#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

/// What the system behind a host port may leave undone in what it sends, because the NIC does it:
/// TCP's and UDP's checksums, and the cutting of long TCP packets. Only drivers that speak virtio
/// can say so of a frame (net_virtio_user, net_vhost); a TAP's frames are finished by the kernel,
/// and net_memif and net_ring have no word for it. It is asked of the host iff the NIC does it.
///
/// The other way there is nothing to hand on: no driver of DPDK 22.11's can tell the host that the
/// NIC found a checksum right (virtio's DATA_VALID), and packets are never joined.
namespace koi::dataplane {

/// Of one port, decided at start.
struct Offloads {
  bool checksums = false;     // TCP's and UDP's
  bool segmentation = false;  // TCP's; only with the checksums

  /// What the NIC's driver offers, of which a port uses what it uses.
  static Offloads of_nic(const rte_eth_dev_info& nic);
  /// What of it the host's driver can leave undone.
  Offloads allowed_by(const rte_eth_dev_info& host) const;
  /// As rte_eth_conf wants them, of those the driver has.
  std::uint64_t nic_flags(const rte_eth_dev_info& nic) const;
  std::uint64_t host_flags(const rte_eth_dev_info& host) const;
  /// In words, for the log.
  const char* text() const;
};

/// Whether that DPDK device can leave anything undone at all. NICs of other ports are spared, for
/// their drivers' way of sending may cost more with it.
bool may_leave_undone(const std::string& host_device);

/// Whether the host's driver says of a frame that it is not finished. Workers, as what follows.
inline bool is_undone(const rte_mbuf* m) {
  return (m->ol_flags & RTE_MBUF_F_RX_LRO) != 0 ||
         (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
}

/// Whether the NIC is to finish it, which wants rte_eth_tx_prepare().
inline bool is_for_nic(const rte_mbuf* m) { return (m->ol_flags & RTE_MBUF_F_TX_L4_MASK) != 0; }

/// What became of a frame that was not finished.
struct Completed {
  std::size_t segment = 0;  // bytes of the longest frame that the NIC is to make of it; 0: itself
};

/// Finishes it, or tells the NIC how to. Returns nothing iff that cannot be done: it is not a TCP
/// or UDP packet with all its headers in the first segment, or it is cut short; it is to be
/// segmented and the NIC does not, or has IPv6 extension headers; or it has several segments
/// otherwise. The checksum field holds the pseudo header's sum, as virtio wants it
/// (virtio 1.1, 5.1.6.2). REQUIRES: is_undone(m).
std::optional<Completed> complete(rte_mbuf* m, const Offloads& nic);

}  // namespace koi::dataplane
