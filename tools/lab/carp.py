"""CARP advertisements by another hand than koi's: protocol.md §1, §2 and §4 in plain Python.

Over IPv4 and IPv6: the header is the same and covers the addresses of both families.

The oracle of the system tests. Itself checked against the golden vectors of protocol.md.
"""

import hashlib
import hmac
import ipaddress
import struct

from . import wire6
from .wire import mac_bytes, virtual_mac

GROUP, GROUP_MAC, PROTOCOL = "224.0.0.18", "01:00:5e:00:00:12", 112
GROUP6, GROUP6_MAC = "ff02::12", "33:33:00:00:00:12"


def checksum(data):
    """RFC 1071; the data has an even length."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total >> 16) + (total & 0xFFFF)
    return ~total & 0xFFFF


def digest(key, vhid, addresses, counter, *, link_local=False):
    """protocol.md §4. key: text. Link-local addresses are left out as OpenBSD sends it, or covered
    as FreeBSD does."""
    parsed = {ipaddress.ip_address(a) for a in addresses}
    v4 = sorted(a for a in parsed if a.version == 4)
    v6 = sorted(a for a in parsed if a.version == 6
                and (link_local or not a.is_link_local))
    message = (b"\x02\x01" + bytes([vhid]) + b"".join(a.packed for a in v4 + v6)
               + struct.pack("!Q", counter))
    return hmac.new(key.encode()[:20], message, hashlib.sha1).digest()


def header(key, vhid, addresses, counter, *, advbase=1, advskew=0, demote=0, version=2,
           good_digest=True, good_checksum=True, link_local=False):
    """The 36 bytes."""
    md = digest(key, vhid, addresses, counter, link_local=link_local)
    if not good_digest:
        md = bytes([md[0] ^ 1]) + md[1:]
    fields = struct.pack("!BBBBBB", version << 4 | 1, vhid, advskew, 7, demote, advbase)
    tail = struct.pack("!Q", counter) + md
    total = checksum(fields + b"\0\0" + tail)
    return fields + struct.pack("!H", total ^ (0 if good_checksum else 1)) + tail


def bow_out(captured):
    """The bow-out that a captured advertisement turns into (golden vector C)."""
    fields = captured[:2] + b"\xff" + captured[3:5] + b"\xff"
    return fields + struct.pack("!H", checksum(fields + b"\0\0" + captured[8:])) + captured[8:]


def frame(source, carp, *, vhid=1, destination=None, destination_mac=None, source_mac=None,
          ttl=255, trailing=b""):
    """A whole Ethernet frame with an advertisement from that source address, of either family."""
    body = carp + trailing
    six = ":" in source
    to_mac = destination_mac or (GROUP6_MAC if six else GROUP_MAC)
    head = mac_bytes(to_mac) + mac_bytes(source_mac or virtual_mac(vhid))
    if six:
        ip = wire6.header(source, destination or GROUP6, PROTOCOL, len(body), hop_limit=ttl)
        return head + b"\x86\xdd" + ip + body
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0x10, 20 + len(body), 0x1234, 0x4000, ttl, PROTOCOL, 0,
                     ipaddress.ip_address(source).packed,
                     ipaddress.ip_address(destination or GROUP).packed)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return head + b"\x08\x00" + ip + body


def trailer(key, key_id, sequence, source, carp, *, vhid=1, scheme=1):
    """The 28 bytes of protocol.md §14 behind an advertisement from that address. key: bytes."""
    address = ipaddress.ip_address(source)
    head = struct.pack("!BBHQ", scheme, key_id, 0, sequence)
    covered = (bytes([address.version, 0xC2, vhid, 0]) + address.packed.ljust(16, b"\0")
               + carp[:6] + b"\0\0" + carp[8:36] + head + bytes(16))
    return head + hmac.new(key, covered, hashlib.sha256).digest()[:16]


def trailer_sequence(seconds):
    """Of a moment in UTC: its seconds, 16 bits of their fraction, a counter of 0."""
    return int(seconds * 65536) << 16


def interval_ms(advbase, advskew):
    """Between two advertisements: protocol.md §6."""
    if advbase == 0:
        return 1000 * max(advskew, 1) / 256
    return 1000 * advbase + 1000 * advskew / 256


class Speaker:
    """A peer of our own making: signs, counts up as koi's boxes do, and sends on a tap."""

    def __init__(self, tap, source, *, key, addresses, vhid=1, node_id=9, first_counter):
        self._tap, self.source = tap, source
        self._key, self._addresses, self._vhid = key, tuple(addresses), vhid
        self._node_id, self._count = node_id, first_counter

    def counter(self):
        """52 bits that only grow, and 12 of the node id (design.md, The election is a function)."""
        self._count += 1
        return (self._count & (1 << 52) - 1) << 12 | self._node_id

    def header(self, **fields):
        fields = dict(fields)
        counter = fields.pop("counter", None)
        vhid = fields.pop("vhid", self._vhid)
        return header(self._key, vhid, self._addresses,
                      self.counter() if counter is None else counter, **fields)

    def say(self, **fields):
        """Sends one advertisement. Returns (ns of CLOCK_REALTIME, the 36 bytes)."""
        carp = self.header(**fields)
        return self._tap.send(frame(self.source, carp, vhid=self._vhid)), carp
