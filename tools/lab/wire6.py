"""IPv6 as it is on the wire: headers, checksum, Neighbor Discovery (RFC 8200, 4443, 4861).

Another hand than koi's: what boxes say is read with these, what is asked is built by them or Scapy.
"""

import dataclasses
import ipaddress
import struct

HOP_BY_HOP, ICMP6, CARP = 0, 58, 112
ECHO_REQUEST, ECHO_REPLY, SOLICITATION, ADVERTISEMENT = 128, 129, 135, 136
ROUTER, SOLICITED, OVERRIDE = 0x80, 0x40, 0x20  # flags of a Neighbor Advertisement, RFC 4861 §4.4
SOURCE_LINK_LAYER, TARGET_LINK_LAYER = 1, 2     # options, RFC 4861 §4.6.1
ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"


def packed(address):
    return ipaddress.IPv6Address(address).packed


def text(raw):
    return str(ipaddress.IPv6Address(raw))


def checksum(source, destination, next_header, body):
    """RFC 8200 §8.1: over the pseudo header and the body; 0 when the body holds a right one."""
    data = packed(source) + packed(destination) + struct.pack("!II", len(body), next_header) + body
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def header(source, destination, next_header, length, *, hop_limit=255, traffic_class=0):
    """The 40 bytes."""
    return (struct.pack("!IHBB", 6 << 28 | traffic_class << 20, length, next_header, hop_limit)
            + packed(source) + packed(destination))


def icmp6(source, destination, message):
    """The message with its checksum (bytes 2 and 3) put in."""
    total = checksum(source, destination, ICMP6, message[:2] + b"\0\0" + message[4:])
    return message[:2] + struct.pack("!H", total) + message[4:]


def packet(source, destination, message, **fields):
    """IPv6 header and ICMPv6 message; the message's checksum is put in."""
    message = icmp6(source, destination, message)
    return header(source, destination, ICMP6, len(message), **fields) + message


def solicitation(target, source_mac=None):
    """A Neighbor Solicitation's message, without its checksum. source_mac: bytes, or no option."""
    option = b"" if source_mac is None else bytes([SOURCE_LINK_LAYER, 1]) + source_mac
    return struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + packed(target) + option


def advertisement(target, mac, flags):
    """A Neighbor Advertisement's message with the target link-layer option, without checksum."""
    return (struct.pack("!BBHI", ADVERTISEMENT, 0, 0, flags << 24) + packed(target)
            + bytes([TARGET_LINK_LAYER, 1]) + mac)


def solicited_node(address):
    """(multicast address, its MAC): RFC 4291 §2.7.1, RFC 2464 §7."""
    low = packed(address)[13:]
    return text(packed("ff02::1:ff00:0")[:13] + low), "33:33:ff:" + low.hex(":")


def link_local(mac):
    """fe80::/64 and the modified EUI-64 of the MAC (text): RFC 4291, appendix A."""
    raw = bytes.fromhex(mac.replace(":", ""))
    return text(packed("fe80::")[:8] + bytes([raw[0] ^ 2]) + raw[1:3] + b"\xff\xfe" + raw[3:])


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """An IPv6 packet without extension headers other than one hop-by-hop header (MLD has it)."""

    source: str
    destination: str
    traffic_class: int
    hop_limit: int
    next_header: int  # of the body
    body: bytes

    def checksum_holds(self):
        return checksum(self.source, self.destination, self.next_header, self.body) == 0

    def icmp_type(self):
        return self.body[0] if self.next_header == ICMP6 and len(self.body) >= 4 else None


@dataclasses.dataclass(frozen=True, slots=True)
class Advertisement:
    """A Neighbor Advertisement."""

    target: str
    flags: int
    mac: bytes | None  # of the target link-layer option


def parse(payload):
    """The Packet that an Ethernet payload holds, or None."""
    if len(payload) < 40 or payload[0] >> 4 != 6:
        return None
    first, length, following, hop_limit = struct.unpack_from("!IHBB", payload)
    body = payload[40:40 + length]
    if len(body) < length:
        return None
    if following == HOP_BY_HOP and len(body) >= 8:
        following, body = body[0], body[8 * (body[1] + 1):]
    return Packet(text(payload[8:24]), text(payload[24:40]), first >> 20 & 0xFF, hop_limit,
                  following, body)


def parse_advertisement(found):
    """The Advertisement that the Packet holds, or None."""
    if found.icmp_type() != ADVERTISEMENT or len(found.body) < 24:
        return None
    mac, options = None, found.body[24:]
    while len(options) >= 8 and options[1]:
        if options[0] == TARGET_LINK_LAYER:
            mac = options[2:8]
        options = options[8 * options[1]:]
    return Advertisement(text(found.body[8:24]), found.body[4], mac)
