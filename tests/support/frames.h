#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "common/net/ip_address.h"
#include "common/net/mac_address.h"
#include "common/strong_types.h"
#include "tests/unit/common/test_bytes.h"

/// Frames as others on the wire would send them, put together by hand: nothing in here comes from
/// koi's own writers or from its HMAC.
namespace koi::test {

constexpr Ipv4Address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c, std::uint8_t d) {
  return {{std::byte{a}, std::byte{b}, std::byte{c}, std::byte{d}}};
}

inline constexpr MacAddress kPortMac = mac_from({0x02, 0, 0, 0, 0, 0x10});
inline constexpr MacAddress kSecondPortMac = mac_from({0x02, 0, 0, 0, 0, 0x11});
inline constexpr MacAddress kClientMac = mac_from({0x52, 0x54, 0x00, 0x12, 0x34, 0x56});
inline constexpr MacAddress kPeerMac = mac_from({0x00, 0x00, 0x5e, 0x00, 0x01, 0x01});
inline constexpr Ipv4Address kSharedIp = ipv4(192, 0, 2, 1);
inline constexpr Ipv4Address kForeignSharedIp = ipv4(192, 0, 2, 9);
inline constexpr Ipv4Address kOwnIp = ipv4(192, 0, 2, 2);
inline constexpr Ipv4Address kPeerIp = ipv4(192, 0, 2, 3);
inline constexpr Ipv4Address kUnicastPeerIp = ipv4(192, 0, 2, 4);
inline constexpr MacAddress kUnicastPeerMac = mac_from({0x02, 0, 0, 0, 0, 0x14});
inline constexpr Ipv4Address kClientIp = ipv4(192, 0, 2, 77);
inline constexpr VlanId kVlan{20};
inline constexpr Ipv4Address kTaggedSharedIp = ipv4(198, 51, 100, 1);
inline constexpr Ipv4Address kTaggedOwnIp = ipv4(198, 51, 100, 2);
inline constexpr Ipv4Address kTaggedClientIp = ipv4(198, 51, 100, 77);
inline constexpr Ipv6Address kSharedIp6 = ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, 1});
inline constexpr Ipv6Address kOwnIp6 = ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, 2});
inline constexpr Ipv6Address kForeignSharedIp6 = ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, 0xa});
inline constexpr Ipv6Address kUnicastPeerIp6 = ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, 4});
inline constexpr Ipv6Address kClientIp6 = ipv6_from({0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x77});
inline constexpr Ipv6Address kTaggedSharedIp6 = ipv6_from({0x2001, 0xdb8, 0x20, 0, 0, 0, 0, 1});
inline constexpr Ipv6Address kTaggedOwnIp6 = ipv6_from({0x2001, 0xdb8, 0x20, 0, 0, 0, 0, 2});
inline constexpr Ipv6Address kTaggedClientIp6 = ipv6_from({0x2001, 0xdb8, 0x20, 0, 0, 0, 0, 0x77});
inline constexpr Ipv6Address kOwnLinkLocal = ipv6_from({0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 0x10});
inline constexpr Ipv6Address kPeerLinkLocal = ipv6_from({0xfe80, 0, 0, 0, 0, 0, 0, 3});
inline constexpr NodeId kOwnNode{11};
inline constexpr NodeId kPeerNode{12};
inline const std::string kKey = "secret key";

/// Appends in the order of the wire.
class Frame {
 public:
  Frame& u8(std::uint64_t v) { return number(v, 1); }
  Frame& be16(std::uint64_t v) { return number(v, 2); }
  Frame& be32(std::uint64_t v) { return number(v, 4); }
  Frame& be64(std::uint64_t v) { return number(v, 8); }
  Frame& mac(const MacAddress& m) { return add(m.bytes); }
  Frame& ip(const Ipv4Address& a) { return add(a.bytes); }
  Frame& ip(const Ipv6Address& a) { return add(a.bytes); }
  Frame& add(std::span<const std::byte> b) {
    bytes.insert(bytes.end(), b.begin(), b.end());
    return *this;
  }

  Bytes bytes;

 private:
  Frame& number(std::uint64_t v, int length) {
    for (int i = length - 1; i >= 0; --i) bytes.push_back(static_cast<std::byte>(v >> (8 * i)));
    return *this;
  }
};

struct Ethernet {
  MacAddress to = kBroadcastMac;
  MacAddress from = kClientMac;
  std::optional<std::uint16_t> tag = std::nullopt;  // the 16 bits after 0x8100
};

inline Bytes ethernet(const Ethernet& e, std::uint16_t type, std::span<const std::byte> payload) {
  Frame f;
  f.mac(e.to).mac(e.from);
  if (e.tag) f.be16(0x8100).be16(*e.tag);
  return f.be16(type).add(payload).bytes;
}

struct Arp {
  std::uint16_t operation = 1;
  MacAddress sender_mac = kClientMac;
  Ipv4Address sender_ip = kClientIp;
  MacAddress target_mac{};
  Ipv4Address target_ip = kSharedIp;
};

inline Bytes arp_payload(const Arp& a) {
  Frame f;
  f.be16(1).be16(0x0800).u8(6).u8(4).be16(a.operation);
  return f.mac(a.sender_mac).ip(a.sender_ip).mac(a.target_mac).ip(a.target_ip).bytes;
}
inline Bytes arp(const Arp& a, const Ethernet& e = {}) {
  return ethernet(e, 0x0806, arp_payload(a));
}

struct Ip {
  std::uint8_t tos = 0;
  std::uint16_t id = 0x4242;
  std::uint16_t flags = 0x4000;  // don't fragment, and the offset
  std::uint8_t ttl = 63;
  std::uint8_t protocol = 1;
  Ipv4Address source = kClientIp;
  Ipv4Address destination = kOwnIp;
};

/// Header with its checksum, and payload.
inline Bytes ip_packet(const Ip& ip, std::span<const std::byte> payload) {
  Frame f;
  f.u8(0x45).u8(ip.tos).be16(20 + payload.size()).be16(ip.id).be16(ip.flags).u8(ip.ttl);
  f.u8(ip.protocol).be16(0).ip(ip.source).ip(ip.destination);
  set_checksum(f.bytes, 10, 20);
  return f.add(payload).bytes;
}

/// Type, code, checksum, identifier 0x1234, sequence 7, data.
inline Bytes icmp(std::uint8_t type, std::uint8_t code, std::span<const std::byte> data) {
  Frame f;
  f.u8(type).u8(code).be16(0).be16(0x1234).be16(7).add(data);
  set_checksum(f.bytes, 2, f.bytes.size());
  return f.bytes;
}
inline Bytes echo(const Ip& ip, const Ethernet& e, std::size_t data_length = 56) {
  Bytes data(data_length);
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = static_cast<std::byte>(i + 1);
  return ethernet(e, 0x0800, ip_packet(ip, icmp(8, 0, data)));
}

struct Ip6 {
  std::uint32_t first_word = 0x60000000;  // version, traffic class, flow label
  std::uint8_t next = 58;                 // of the extension headers the first
  std::uint8_t hop_limit = 255;
  Ipv6Address source = kClientIp6;
  Ipv6Address destination = kOwnIp6;
  Bytes extensions = {};  // between header and payload
};

/// Header, extension headers and payload.
inline Bytes ip6_packet(const Ip6& ip, std::span<const std::byte> payload) {
  Frame f;
  f.be32(ip.first_word).be16(ip.extensions.size() + payload.size()).u8(ip.next).u8(ip.hop_limit);
  return f.ip(ip.source).ip(ip.destination).add(ip.extensions).add(payload).bytes;
}

/// RFC 8200 §8.1: computed over a pseudo-header that is really there.
inline void set_checksum6(Bytes& message, std::size_t at, const Ip6& ip, std::uint8_t protocol) {
  Frame covered;
  covered.ip(ip.source).ip(ip.destination).be32(message.size()).be32(protocol);
  const std::size_t begin = covered.bytes.size();
  covered.add(message);
  set_checksum(covered.bytes, begin + at, covered.bytes.size());
  std::copy(covered.bytes.begin() + static_cast<std::ptrdiff_t>(begin), covered.bytes.end(),
            message.begin());
}

/// Type, code, checksum, and the rest of the message.
inline Bytes icmp6(std::uint8_t type, std::uint8_t code, std::span<const std::byte> rest,
                   const Ip6& ip) {
  Bytes message = Frame().u8(type).u8(code).be16(0).add(rest).bytes;
  set_checksum6(message, 2, ip, 58);
  return message;
}
inline Bytes echo6(const Ip6& ip, const Ethernet& e, std::size_t data_length = 56) {
  Frame rest;
  rest.be16(0x1234).be16(7);
  for (std::size_t i = 0; i < data_length; ++i) rest.u8(i + 1);
  return ethernet(e, 0x86dd, ip6_packet(ip, icmp6(128, 0, rest.bytes, ip)));
}

/// A link-layer address option: 1 of the source, 2 of the target (RFC 4861 §4.6.1).
inline Bytes link_layer(std::uint8_t type, const MacAddress& mac) {
  return Frame().u8(type).u8(1).mac(mac).bytes;
}

/// A Neighbor Solicitation or Advertisement and all around it.
struct Neighbor {
  std::uint8_t type = 135;
  std::uint8_t code = 0;
  std::uint8_t flags = 0;
  Ipv6Address target = kSharedIp6;
  Bytes options = link_layer(1, kClientMac);
  Ip6 ip = {.destination = solicited_group(kSharedIp6)};
  Ethernet ethernet = {.to = mac_from({0x33, 0x33, 0xff, 0, 0, 1})};

  /// By hand, not by koi's function.
  static constexpr Ipv6Address solicited_group(const Ipv6Address& target) {
    Ipv6Address group = ipv6_from({0xff02, 0, 0, 0, 0, 1, 0xff00, 0});
    for (std::size_t i = 13; i < 16; ++i) group.bytes[i] = target.bytes[i];
    return group;
  }
};
inline Bytes neighbor_message(const Neighbor& n) {
  const Bytes rest = Frame().u8(n.flags).u8(0).be16(0).ip(n.target).add(n.options).bytes;
  return icmp6(n.type, n.code, rest, n.ip);
}
inline Bytes neighbor(const Neighbor& n) {
  return ethernet(n.ethernet, 0x86dd, ip6_packet(n.ip, neighbor_message(n)));
}
/// What a host says of itself, to all nodes.
inline Neighbor advertised(const Ipv6Address& target, const MacAddress& mac) {
  return {.type = 136,
          .flags = 0x20,
          .target = target,
          .options = link_layer(2, mac),
          .ip = {.source = target, .destination = ipv6_from({0xff02, 0, 0, 0, 0, 0, 0, 1})},
          .ethernet = {.to = mac_from({0x33, 0x33, 0, 0, 0, 1}), .from = mac}};
}

/// An advertisement: protocol.md §1, §2, §4.
struct Advert {
  std::uint8_t version_type = 0x21;
  std::uint8_t vhid = 1;
  std::uint8_t advskew = 10;
  std::uint8_t advbase = 1;
  std::uint8_t demote = 0;
  std::uint64_t counter = 0x1000'000c;  // node 12
  std::string key = kKey;
  std::vector<Ipv4Address> addresses = {kSharedIp};  // ascending
  std::vector<Ipv6Address> addresses6 = {};          // ascending
  Ip ip = {.tos = 0x10,
           .ttl = 255,
           .protocol = 112,
           .source = kPeerIp,
           .destination = ipv4(224, 0, 0, 18)};
  Ethernet ethernet = {.to = mac_from({0x01, 0, 0x5e, 0, 0, 0x12}), .from = kPeerMac};
};

/// HMAC-SHA1 over 2, 1, vhid, addresses and counter, by OpenSSL's one-shot function.
inline Bytes digest_of(const Advert& a) {
  Frame covered;
  covered.u8(2).u8(1).u8(a.vhid);
  for (const Ipv4Address& address : a.addresses) covered.ip(address);
  for (const Ipv6Address& address : a.addresses6) covered.ip(address);
  covered.be64(a.counter);
  Bytes digest(20);
  unsigned length = 0;
  HMAC(EVP_sha1(), a.key.data(), static_cast<int>(a.key.size()),
       reinterpret_cast<const unsigned char*>(covered.bytes.data()), covered.bytes.size(),
       reinterpret_cast<unsigned char*>(digest.data()), &length);
  return digest;
}

inline Bytes carp(const Advert& a) {
  Frame f;
  f.u8(a.version_type).u8(a.vhid).u8(a.advskew).u8(7).u8(a.demote).u8(a.advbase).be16(0);
  f.be64(a.counter).add(digest_of(a));
  set_checksum(f.bytes, 6, 36);
  return f.bytes;
}

/// A signed trailer (protocol.md §14) and what it is made with.
struct Signature {
  std::uint64_t sequence = 0;
  std::string key = std::string(32, 'k');
  std::uint8_t key_id = 1;
  std::uint8_t scheme = 1;
  std::uint16_t reserved = 0;
  std::uint8_t kind = 0xc2;  // of an advertisement; a hello's is 0xc3
};

/// HMAC-SHA256 over pseudo-header, message and the trailer so far, by OpenSSL's one-shot function.
/// source: 4 or 16 bytes.
inline Bytes trailer(const Signature& s, std::uint8_t vhid, std::span<const std::byte> source,
                     std::span<const std::byte> message) {
  const Bytes head = Frame().u8(s.scheme).u8(s.key_id).be16(s.reserved).be64(s.sequence).bytes;
  Frame covered;
  covered.u8(source.size() == 4 ? 4 : 6).u8(s.kind).u8(vhid).u8(0).add(source);
  covered.add(Bytes(16 - source.size()));
  covered.add(message.first(6)).be16(0).add(message.subspan(8)).add(head).add(Bytes(16));
  Bytes digest(32);
  unsigned length = 0;
  HMAC(EVP_sha256(), s.key.data(), static_cast<int>(s.key.size()),
       reinterpret_cast<const unsigned char*>(covered.bytes.data()), covered.bytes.size(),
       reinterpret_cast<unsigned char*>(digest.data()), &length);
  return Frame().add(head).add(std::span(digest).first(16)).bytes;
}

/// The header and its trailer, of an advertisement from its IPv4 source.
inline Bytes signed_carp(const Advert& a, const Signature& s) {
  const Bytes header = carp(a);
  return Frame().add(header).add(trailer(s, a.vhid, a.ip.source.bytes, header)).bytes;
}

/// CARP.md §21: of a group with one member, BACKUP of it, from node 12.
inline Bytes hello_message(std::uint8_t vhid = 1) {
  Frame f;
  f.be32(0x6b6f6948).u8(1).u8(vhid).be16(0).be16(12).u8(1).u8(1).u8(3).u8(0).u8(0).u8(0);
  f.be32(0).be32(1).add(Bytes(24));
  f.u8('1').u8('.').u8('2').add(Bytes(13));
  return f.bytes;
}

/// UDP (RFC 768) without a checksum, or with what `length` says of it.
inline Bytes hello_datagram(std::span<const std::byte> data, std::uint16_t length = 0) {
  Frame f;
  f.be16(9478).be16(9478).be16(length != 0 ? length : 8 + data.size()).be16(0).add(data);
  return f.bytes;
}

/// To this port, signed.
inline Bytes hello_frame(const Ip& ip, std::span<const std::byte> message, const Signature& s,
                         const Ethernet& e = {.to = kPortMac, .from = kUnicastPeerMac}) {
  const auto vhid = std::to_integer<std::uint8_t>(message[5]);
  const Bytes data = Frame().add(message).add(trailer(s, vhid, ip.source.bytes, message)).bytes;
  return ethernet(e, 0x0800, ip_packet(ip, hello_datagram(data)));
}

inline Bytes frame(const Advert& a, std::span<const std::byte> payload) {
  return ethernet(a.ethernet, 0x0800, ip_packet(a.ip, payload));
}
inline Bytes frame(const Advert& a) { return frame(a, carp(a)); }

/// The same over IPv6 (protocol.md §2); its own IPv4 header does not count.
inline const Ip6 kAdvertIp6{.next = 112,
                            .source = kPeerLinkLocal,
                            .destination = ipv6_from({0xff02, 0, 0, 0, 0, 0, 0, 0x12})};
inline Bytes frame6(const Advert& a, const Ip6& ip, std::span<const std::byte> payload) {
  Ethernet e = a.ethernet;
  e.to = mac_from({0x33, 0x33, 0, 0, 0, 0x12});
  return ethernet(e, 0x86dd, ip6_packet(ip, payload));
}
inline Bytes frame6(const Advert& a, const Ip6& ip = kAdvertIp6) { return frame6(a, ip, carp(a)); }

/// A koi counter of another box: sequence in the upper 52 bits, its node-id below.
constexpr std::uint64_t counter_of(std::uint64_t sequence, NodeId node = kPeerNode) {
  return sequence * 4096 + node.value();
}

}  // namespace koi::test
