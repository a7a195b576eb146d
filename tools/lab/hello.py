"""The hello between koi boxes, as CARP.md §21 has it: put together and signed without koi's code."""

import hashlib
import hmac
import ipaddress
import struct

from . import wire6
from .carp import checksum, mac_bytes

PORT = 9478
UDP = 17
VERSION_BYTE = 0xC3  # where an advertisement's trailer has 0xC2


def _digest(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()[:8]


def digest_of_addresses(addresses):
    known = {ipaddress.ip_address(a) for a in addresses}
    return _digest(b"addresses", b"".join(
        a.packed for a in sorted(known, key=lambda a: (a.version, a.packed))))


def digest_of_members(vhids):
    return _digest(b"members", bytes(sorted(vhids)))


def digest_of_hash(mode, algorithm=0, by=0, key=b""):
    return _digest(key, bytes([mode, algorithm, by]))


def siphash_key(key):
    """HKDF-SHA256 without salt (RFC 5869), 16 bytes: C12.6."""
    extracted = hmac.new(bytes(32), key, hashlib.sha256).digest()
    return hmac.new(extracted, b"koi arpbalance v1\x01", hashlib.sha256).digest()[:16]


def message(*, addresses, vhids=(1,), node=9, advbase=1, dead_ratio=3, lowest_advskew=0, demotion=0,
            asks=False, masters=0, backups=1, hashed=bytes(8), version="0.0.test", magic=b"koiH",
            layout=1, vhid=None, reserved=0):
    """The 64 bytes."""
    return (magic + struct.pack("!BBHHBBBBBBII", layout, vhids[0] if vhid is None else vhid, reserved,
                                node, len(vhids), advbase, dead_ratio, lowest_advskew, demotion,
                                int(asks), masters, backups)
            + digest_of_addresses(addresses) + digest_of_members(vhids) + hashed
            + version.encode().ljust(16, b"\0"))


def trailer(key, key_id, sequence, source, text, *, vhid=1, scheme=1, kind=VERSION_BYTE):
    """The 28 bytes behind it. kind: 0xC2 is an advertisement's."""
    address = ipaddress.ip_address(source)
    head = struct.pack("!BBHQ", scheme, key_id, 0, sequence)
    covered = (bytes([address.version, kind, vhid, 0]) + address.packed.ljust(16, b"\0")
               + text[:6] + b"\0\0" + text[8:] + head + bytes(16))
    return head + hmac.new(key, covered, hashlib.sha256).digest()[:16]


def is_hello(frame):
    """Of a lab.Frame over IPv4: UDP to hello's port."""
    return frame.ip_protocol() == UDP and frame.payload[22:24] == PORT.to_bytes(2, "big")


def _udp(source, destination, data, port, length):
    """RFC 768; over IPv6 RFC 8200 §8.1: the sum is the same."""
    length = 8 + len(data) if length is None else length
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    head = struct.pack("!HHH", port, port, length)
    total = checksum(ends + struct.pack("!HH", UDP, length) + head + b"\0\0" + data
                     + b"\0" * (len(data) % 2))
    return head + struct.pack("!H", total or 0xFFFF) + data


def frame(source, destination, data, *, source_mac, destination_mac, ttl=255, port=PORT, length=None,
          tos=0xC0, identification=0):
    """A whole Ethernet frame with that data in it, of either family. length: what UDP says."""
    body = _udp(source, destination, data, port, length)
    head = mac_bytes(destination_mac) + mac_bytes(source_mac)
    if ":" in source:
        ip = wire6.header(source, destination, UDP, len(body), hop_limit=ttl, traffic_class=tos)
        return head + b"\x86\xdd" + ip + body
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(body), identification, 0x4000, ttl, UDP, 0,
                     ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return head + b"\x08\x00" + ip + body
