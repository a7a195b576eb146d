"""What koid and testpmd are given, put together by hand. n: the number of the frame, and so its sender."""

import random
import struct

PORT_MAC = bytes.fromhex("027063617000")  # what net_pcap gives its first port
OTHER_MAC = bytes.fromhex("02aabbccddee")
BROADCAST = b"\xff" * 6
SHORTEST = 60  # on the wire, without the checksum that a NIC adds


def ip4(n):
    """10.1.0.0 and those after it: the shared addresses."""
    return struct.pack("!I", 0x0A010000 + n)


def ip6(n):
    return bytes.fromhex("20010db80001" + "00" * 8) + struct.pack("!H", n)


def in_vlan(vlan, n):
    """Of each VLAN a network of its own: 10.101.1.0 and those after it in the first."""
    return bytes([10, 100 + vlan, 1, n])


def _sender(n):
    return bytes([2, 1, 0, 0, n >> 8, n & 255])


def _tagged(frame, vlan):
    return frame if vlan is None else frame[:12] + struct.pack("!HH", 0x8100, vlan) + frame[12:]


def arp_request(n, target, vlan=None, lengths=(6, 4), operation=1):
    sender = _sender(n)
    frame = (BROADCAST + sender + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x0800, *lengths, operation)
             + sender + bytes([10, 200, n >> 8, n & 255]) + bytes(6) + target)
    return _tagged(frame, vlan).ljust(SHORTEST, b"\0")


def malformed_arp(n):
    """In turn: hardware addresses of 8 bytes, protocol addresses of 16, operation 0, too short."""
    how = n % 4
    if how == 3:
        return arp_request(n, ip4(0))[:30]
    return arp_request(n, ip4(0), lengths=((8, 4), (6, 16), (6, 4))[how],
                       operation=(1, 1, 0)[how])


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


def solicitation(n, target):
    """To the solicited-node group, with the source link-layer option, as a host's first one is."""
    mac = _sender(n)
    source = bytes.fromhex("20010db8000200000000000000") + bytes([1, n >> 8, n & 255])
    group = bytes.fromhex("ff02" + "00" * 9 + "01ff") + target[13:]
    message = bytes([135, 0, 0, 0, 0, 0, 0, 0]) + target + bytes([1, 1]) + mac
    checksum = _checksum(source + group + struct.pack("!II", len(message), 58) + message)
    message = message[:2] + checksum + message[4:]
    return (b"\x33\x33" + group[12:] + mac + b"\x86\xdd"
            + struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + source + group + message)


def _ip4_packet(protocol, ttl, source, destination, payload):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, ttl, protocol, 0)
    head += source + destination
    return head[:10] + _checksum(head) + head[12:] + payload


def datagram(n, to):
    """UDP of one host to another; to: the MAC that it is sent to."""
    payload = struct.pack("!HHHH", 4000 + n, 9, 26, 0) + bytes(18)
    packet = _ip4_packet(17, 63, bytes([10, 200, n >> 8, n & 255]), bytes([198, 51, 100, 9]), payload)
    return (to + _sender(n) + b"\x08\x00" + packet).ljust(SHORTEST, b"\0")


def forged_carp(n):
    """An advertisement of vhid 1 in which all is right but the digest."""
    digest = random.Random(n).randbytes(20)
    message = struct.pack("!BBBBBBHQ", 0x21, 1, 0, 7, 0, 1, 0, n + 1) + digest
    message = message[:6] + _checksum(message) + message[8:]
    packet = _ip4_packet(112, 255, bytes([10, 200, 0, 1]), bytes([224, 0, 0, 18]), message)
    return bytes.fromhex("01005e00001200005e000101") + b"\x08\x00" + packet


def write(path, frames):
    """As a pcap file."""
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for frame in frames:
        out += [struct.pack("<IIII", 0, 0, len(frame), len(frame)), frame]
    path.write_bytes(b"".join(out))
