"""IPv6 requests built by Scapy, and the answers expected to them, written down byte by byte."""

import struct

from scapy.all import (Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6,
                       Raw)

from frames import CLIENT_MAC
from lab import wire6
from lab.wire import mac_bytes

CLIENT6 = "2001:db8::77"
CS6 = 0xC0  # traffic class of what boxes send unasked
SHARED_FLAGS, OWN_FLAGS = wire6.ROUTER | wire6.OVERRIDE, wire6.OVERRIDE  # and Solicited, if it is


def _ether(to, vlan):
    head = Ether(dst=to, src=CLIENT_MAC)
    return head if vlan is None else head / Dot1Q(vlan=vlan)


def solicitation(target, *, to=None, to_mac=None, source=CLIENT6, option=CLIENT_MAC, vlan=None,
                 extensions=None, ip=None, ns=None):
    """The bytes of a Neighbor Solicitation: to the target's solicited-node group unless `to` says
    another address and MAC. option: a MAC, or None for no source link-layer option."""
    group, group_mac = wire6.solicited_node(target)
    packet = IPv6(src=source, dst=to or group, hlim=255, **(ip or {}))
    if extensions is not None:
        packet = packet / extensions
    packet = packet / ICMPv6ND_NS(tgt=target, **(ns or {}))
    if option is not None:
        packet = packet / ICMPv6NDOptSrcLLAddr(lladdr=option)
    return bytes(_ether(to_mac or group_mac, vlan) / packet)


def detection(target, **fields):
    """Duplicate Address Detection, RFC 4862 §5.4.2: from `::`, without the option."""
    return solicitation(target, **({"source": "::", "option": None} | fields))


def expected_advertisement(owner_mac, target, flags, *, to=CLIENT6, to_mac=CLIENT_MAC, vlan=None,
                           traffic_class=0):
    """RFC 4861 §4.4 and §7.2.4: from the target, hop limit 255, 32 bytes with the option."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    message = (b"\x88\x00" + b"\0\0" + bytes([flags, 0, 0, 0]) + wire6.packed(target)
               + b"\x02\x01" + mac_bytes(owner_mac))
    total = wire6.checksum(target, to, 58, message)
    message = message[:2] + struct.pack("!H", total) + message[4:]
    return (mac_bytes(to_mac) + mac_bytes(owner_mac) + tag + b"\x86\xdd"
            + struct.pack("!I", 6 << 28 | traffic_class << 20)
            + bytes.fromhex("0020" "3a" "ff") + wire6.packed(target) + wire6.packed(to)
            + message)


def echo_request6(target, to_mac, *, source=CLIENT6, vlan=None, size=56, ip=None, icmp=None):
    """The bytes of an ICMPv6 echo request."""
    packet = IPv6(src=source, dst=target, hlim=64, **(ip or {}))
    body = ICMPv6EchoRequest(**({"id": 0x1234, "seq": 7} | (icmp or {})))
    data = Raw(bytes(i & 0xFF for i in range(size)))
    return bytes(_ether(to_mac, vlan) / packet / body / data)


def mended6(packet):
    """The untagged packet, without extension headers, with its ICMPv6 checksum computed anew over
    as many bytes as its payload length says."""
    length = int.from_bytes(packet[18:20], "big")
    source, destination = wire6.text(packet[22:38]), wire6.text(packet[38:54])
    return packet[:54] + wire6.icmp6(source, destination, packet[54:54 + length])


def cut_message(packet, length):
    """The untagged packet with so many bytes of ICMPv6, its lengths and checksum right."""
    cut = packet[:18] + struct.pack("!H", length) + packet[20:54 + length]
    return mended6(cut) if length >= 4 else cut


def patched(packet, at, value):
    """One byte of the ICMPv6 message changed, and the checksum mended."""
    return mended6(packet[:54 + at] + bytes([value]) + packet[55 + at:])
