#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace koi {

/// Why a frame went no further. One list drives the counter, the metric label and the tests:
/// every reason has a test that produces it, and a test fails when one has none.
///
/// X(enumerator, "metric label")
#define KOI_DROP_REASONS(X)                                                                       \
  /* any frame */                                                                                 \
  X(kRunt, "runt")                  /* shorter than its Ethernet or VLAN header */                \
  X(kMultiSegment, "multi_segment") /* spread over several buffers */                             \
  X(kSourceMac, "source_mac")       /* multicast or zero Ethernet source */                       \
  X(kVlanStacked, "vlan_stacked")   /* QinQ, or a second tag */                                   \
  X(kEthertype, "ethertype")        /* neither ARP nor IPv4 nor IPv6 */                           \
  X(kNotOurMac, "not_our_mac")      /* unicast to somebody else */                                \
  /* a shared address that this box must not answer for now */                                    \
  X(kNotMaster, "not_master")     /* BACKUP or INIT: silent on purpose */                         \
  X(kNoLease, "no_lease")         /* MASTER in the view, but rule L1 says silence */              \
  X(kBalanceNone, "balance_none") /* balanced, and the hash names nobody for this asker */        \
  /* ARP (RFC 826) */                                                                             \
  X(kArpLength, "arp_length")             /* truncated */                                         \
  X(kArpFormat, "arp_format")             /* not Ethernet/IPv4, or wrong address lengths */       \
  X(kArpNotRequest, "arp_not_request")    /* a reply or another operation */                      \
  X(kArpSender, "arp_sender")             /* sender hardware address no host can have */          \
  X(kArpAnnouncement, "arp_announcement") /* the virtual MAC's owner announces an address */      \
  X(kArpClaim, "arp_claim")               /* somebody else claims an address that we serve */     \
  X(kArpNotOurs, "arp_not_ours")          /* asks for an address we do not serve */               \
  /* IPv4 (RFC 791) */                                                                            \
  X(kIpv4Length, "ipv4_length") /* truncated, or total length wrong */                            \
  X(kIpv4Header, "ipv4_header") /* version or IHL */                                              \
  X(kIpv4Checksum, "ipv4_checksum")                                                               \
  X(kIpv4Options, "ipv4_options")                                                                 \
  X(kIpv4Fragment, "ipv4_fragment")                                                               \
  X(kIpv4Source, "ipv4_source")     /* a source no host can have, or our own */                   \
  X(kIpv4NotOurs, "ipv4_not_ours")  /* to an address we do not serve */                           \
  X(kIpv4Protocol, "ipv4_protocol") /* to us, but neither CARP nor ICMP */                        \
  /* ICMP (RFC 792) */                                                                            \
  X(kIcmpLength, "icmp_length")                                                                   \
  X(kIcmpChecksum, "icmp_checksum")                                                               \
  X(kIcmpNotEcho, "icmp_not_echo")                                                                \
  /* IPv6 (RFC 8200) */                                                                           \
  X(kIpv6Length, "ipv6_length")         /* truncated, or payload length wrong */                  \
  X(kIpv6Header, "ipv6_header")         /* version */                                             \
  X(kIpv6Extensions, "ipv6_extensions") /* too many, broken, or such as say: discard */           \
  X(kIpv6Fragment, "ipv6_fragment")                                                               \
  X(kIpv6Source, "ipv6_source")     /* a source no host can have, or our own */                   \
  X(kIpv6NotOurs, "ipv6_not_ours")  /* to an address we do not serve */                           \
  X(kIpv6Protocol, "ipv6_protocol") /* to us, but neither CARP nor ICMPv6 */                      \
  /* Neighbor Discovery (RFC 4861 §7.1) */                                                       \
  X(kNdHopLimit, "nd_hop_limit") /* not 255: from behind a router */                              \
  X(kNdLength, "nd_length")      /* under 24 bytes, or no room for the answer */                  \
  X(kNdOptions, "nd_options")    /* an option of length 0 or past the end */                      \
  X(kNdTarget, "nd_target")      /* a target that no host can have */                             \
  X(kNdCode, "nd_code")          /* not 0 */                                                      \
  X(kNdSource, "nd_source")      /* what §7.1 says of `::` and of groups is not kept */          \
  X(kNdNotOurs, "nd_not_ours")   /* about an address we do not serve */                           \
  X(kNdDad, "nd_dad")            /* this target's DAD was answered within the last second */      \
  X(kNdSender, "nd_sender")      /* link-layer address no host can have, or ours */               \
  X(kNdClaim, "nd_claim")        /* somebody else claims an address that we serve */              \
  X(kNdAnnouncement, "nd_announcement") /* the virtual MAC's owner announces an address */        \
  /* ICMPv6 (RFC 4443) */                                                                         \
  X(kIcmp6Length, "icmp6_length")                                                                 \
  X(kIcmp6Checksum, "icmp6_checksum")                                                             \
  X(kIcmp6NotEcho, "icmp6_not_echo")                                                              \
  /* IGMP and MLD (protocol.md §15): we look at queries only */                                  \
  X(kIgmpLength, "igmp_length")                                                                   \
  X(kIgmpChecksum, "igmp_checksum")                                                               \
  X(kIgmpNotQuery, "igmp_not_query") /* a report, or not from this link */                        \
  X(kMldLength, "mld_length")                                                                     \
  X(kMldNotQuery, "mld_not_query") /* a report, or not from this link */                          \
  /* CARP (protocol.md §3), in the order of the checks */                                        \
  X(kCarpTtl, "carp_ttl")                 /* not 255 */                                           \
  X(kCarpDestination, "carp_destination") /* not to 224.0.0.18, ff02::12 */                       \
  X(kVrrp, "vrrp")                        /* VRRP with the number of a vhid of ours */            \
  X(kCarpLength, "carp_length")           /* under 36 bytes */                                    \
  X(kCarpChecksum, "carp_checksum")                                                               \
  X(kCarpVhid, "carp_vhid")          /* no group of ours on this port and VLAN */                 \
  X(kCarpVersion, "carp_version")    /* not 2 */                                                  \
  X(kCarpDigest, "carp_digest")      /* HMAC: another key or address list, or forged */           \
  X(kCarpOwn, "carp_own")            /* our own advertisement, reflected */                       \
  X(kCarpNodeId, "carp_node_id")     /* another box signs with our node-id */                     \
  X(kCarpReplay, "carp_replay")      /* counter not above the sender's last */                    \
  X(kCarpRingFull, "carp_ring_full") /* verified, but control did not take it */                  \
  /* the signed trailer (protocol.md §14), between the HMAC and the counter */                   \
  X(kTrailerMissing, "trailer_missing") /* enforce: not exactly 28 bytes follow the header */     \
  X(kTrailerScheme, "trailer_scheme")   /* a scheme we do not know, or reserved bytes */          \
  X(kTrailerKey, "trailer_key")         /* a key id we do not have */                             \
  X(kTrailerMac, "trailer_mac")         /* another key, or a field was rewritten */               \
  X(kTrailerClock, "trailer_clock")     /* a sender we do not know, and over 30 s old */          \
  X(kTrailerOld, "trailer_old")         /* sequence not above the sender's last */                \
  /* the hello between koi boxes (CARP.md §21), in the order of the checks */                    \
  X(kHelloTtl, "hello_ttl")       /* not 255: from behind a router */                             \
  X(kHelloSize, "hello_size")     /* shorter or longer than a hello and its trailer, or UDP's */  \
  X(kHelloFormat, "hello_format") /* no hello, a format or a trailer scheme we do not know */     \
  X(kHelloVhid, "hello_vhid")     /* no group of ours there, or one without trailer */            \
  X(kHelloLimit, "hello_limit")   /* more than a worker or control takes */                       \
  X(kHelloKey, "hello_key")       /* a key id we do not have */                                   \
  X(kHelloMac, "hello_mac")       /* another key, or forged */                                    \
  /* to and from the host port */                                                                 \
  X(kJumbo, "jumbo")                         /* longer than the MTU of where it is to go */       \
  X(kHostFull, "host_full")                  /* the host's ring took no more */                   \
  X(kHostSourceMac, "host_source_mac")       /* host: not from the port's MAC */                  \
  X(kHostVirtualMac, "host_virtual_mac")     /* host: from a virtual MAC, which is ours to set */ \
  X(kHostNotMaster, "host_not_master")       /* host: from a shared address we may not use now */ \
  X(kHostClaim, "host_claim")                /* host: ARP or ND that claims a shared address */   \
  X(kHostRouterAdvert, "host_router_advert") /* host: not from a shared link-local address */     \
  X(kHostCarp, "host_carp")                  /* host: protocol 112, which is ours to send */      \
  X(kHostOffload, "host_offload")            /* host: left unfinished, as nobody can finish it */ \
  /* what we meant to send */                                                                     \
  X(kAnswerLate, "answer_late")        /* L1: not handed over in time */                          \
  X(kTransmitFull, "transmit_full")    /* the driver did not take an answer */                    \
  X(kFrameTerm, "frame_term")          /* L4: the frame's term is over */                         \
  X(kFrameLate, "frame_late")          /* L4: the frame's not-after is past */                    \
  X(kFrameNoLease, "frame_no_lease")   /* L11: an announcement without a lease */                 \
  X(kFrameNoBuffer, "frame_no_buffer") /* no mbuf in the reserved pool */                         \
  X(kFrameRefused, "frame_refused")    /* L3: the driver did not take an advertisement */

enum class DropReason : std::uint8_t {
#define KOI_X(name, label) name,
  KOI_DROP_REASONS(KOI_X)
#undef KOI_X
};

inline constexpr std::array kDropReasonLabels = {
#define KOI_X(name, label) std::string_view(label),
    KOI_DROP_REASONS(KOI_X)
#undef KOI_X
};
inline constexpr std::size_t kDropReasons = kDropReasonLabels.size();

/// The metric label: koi_drops_total{reason="…"}.
constexpr std::string_view to_string(DropReason r) {
  return kDropReasonLabels[static_cast<std::size_t>(r)];
}

/// A parsed value, or the one reason why there is none. No allocation, no exception.
template <class T>
class Parsed {
 public:
  /// A value to be filled in through value(). Parsers of the packet path fill it where the caller
  /// will read it: a value built elsewhere and copied costs more than the parsing.
  constexpr Parsed() = default;
  constexpr Parsed(const T& value) : value_(value) {}  // NOLINT(google-explicit-constructor)
  constexpr Parsed(DropReason reason)                  // NOLINT(google-explicit-constructor)
      : reason_(reason), ok_(false) {}
  constexpr void fail(DropReason reason) {
    reason_ = reason;
    ok_ = false;
  }

  constexpr bool ok() const { return ok_; }
  constexpr explicit operator bool() const { return ok_; }
  /// REQUIRES: ok().
  constexpr T& value() { return value_; }
  constexpr const T& value() const { return value_; }
  constexpr const T& operator*() const { return value_; }
  constexpr const T* operator->() const { return &value_; }
  /// REQUIRES: !ok().
  constexpr DropReason reason() const { return reason_; }

 private:
  T value_{};
  DropReason reason_{};
  bool ok_ = true;
};

}  // namespace koi
