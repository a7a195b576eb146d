"""Frames (25,000, or KOI_DECODE_FRAMES), decoded by koi's parsers and by Scapy: the same fields, the
same verdict.

Scapy builds the templates; bytes are then changed, cut off and appended, and for half of them the
checksums are put right again, so that what lies behind the checksum is reached as well.
"""

import collections
import json
import os
import random
import struct
import subprocess

import pytest
from scapy.all import (ARP, ICMP, IP, Dot1Q, Ether, ICMPv6EchoReply, ICMPv6EchoRequest,
                       ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr, ICMPv6NDOptMTU,
                       ICMPv6NDOptSrcLLAddr, ICMPv6ND_RS, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, IPOption_NOP,
                       PadN, Raw, RouterAlert)

from lab import carp, wire6
from scapy_decode import decode

FRAMES = int(os.environ.get("KOI_DECODE_FRAMES", 25_000))
SEED = 20261125
MAC = "02:00:00:00:00:77"


def _templates():
    head = Ether(src=MAC, dst="33:33:ff:00:00:01")
    ip = IP(src="192.0.2.77", dst="192.0.2.1", id=7)
    ip6 = IPv6(src="2001:db8::77", dst="ff02::1:ff00:1", hlim=255)
    ns, na = ICMPv6ND_NS(tgt="2001:db8::1"), ICMPv6ND_NA(tgt="2001:db8::1", R=1, S=1, O=1)
    source, target = ICMPv6NDOptSrcLLAddr(lladdr=MAC), ICMPv6NDOptDstLLAddr(lladdr=MAC)
    ping, ping6 = ICMP(type=8, id=9, seq=3), ICMPv6EchoRequest(id=9, seq=3)
    pad = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    hop = IPv6ExtHdrHopByHop(options=[RouterAlert()])
    advert = Raw(carp.header("secret", 7, ["192.0.2.1"], 0x0123456789ABCDEF, advskew=100, demote=3))
    many, tag = pad, Dot1Q(vlan=20, prio=5)
    for _ in range(7):
        many = many / pad
    arp = ARP(op=1, hwsrc=MAC, psrc="192.0.2.77", pdst="192.0.2.1")
    built = [
        head / arp, head / tag / arp, head / ARP(op=2, hwsrc=MAC, hwdst=MAC, psrc="192.0.2.1"),
        head / Dot1Q(vlan=0) / arp, head / tag / Dot1Q(vlan=21) / arp,
        head / ip / ping, head / ip / ping / Raw(bytes(range(57))), head / tag / ip / ping,
        head / ip / ICMP(type=0), head / ip / ICMP(type=13), head / ip / Raw(bytes(30)),
        head / IP(src="192.0.2.77", dst="192.0.2.1", options=IPOption_NOP()) / ping,
        head / IP(src="192.0.2.2", dst="224.0.0.18", ttl=255, proto=112, tos=16, flags="DF")
        / advert,
        head / tag / IP(src="192.0.2.2", dst="224.0.0.18", ttl=255, proto=112) / advert
        / Raw(bytes(28)),
        head / IP(src="192.0.2.77", dst="192.0.2.1", flags="MF") / ping,
        head / IPv6(src="fe80::2", dst="ff02::12", hlim=255, nh=112) / advert,
        head / ip6 / ns / source, head / ip6 / ns, head / tag / ip6 / ns / source,
        head / ip6 / ICMPv6ND_NS(tgt="ff02::1") / source,
        head / ip6 / ns / ICMPv6NDOptMTU() / source / source,
        head / IPv6(src="::", dst="ff02::1:ff00:1", hlim=255) / ns,
        head / IPv6(src="::", dst="ff02::1:ff00:1", hlim=255) / ns / source,
        head / IPv6(src="fe80::2", dst="2001:db8::77", hlim=255) / na / target,
        head / IPv6(src="fe80::2", dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt="fe80::2", S=0)
        / target,
        head / IPv6(src="fe80::2", dst="ff02::1", hlim=255) / na / target,
        head / ip6 / ping6, head / ip6 / ping6 / Raw(bytes(range(33))), head / ip6 / ICMPv6ND_RS(),
        head / ip6 / ICMPv6EchoReply(), head / tag / ip6 / ping6,
        head / ip6 / pad / ns / source, head / ip6 / hop / ping6, head / ip6 / many / ns,
        head / ip6 / many / pad / ns, head / ip6 / hop / pad / ns, head / ip6 / pad / hop / ns,
        head / ip6 / IPv6ExtHdrRouting(addresses=[], segleft=0) / ns,
        head / ip6 / IPv6ExtHdrFragment(m=1) / ns, head / ip6 / Raw(bytes(20)),
        head / IP(src="192.0.2.2", dst="224.0.0.18", ttl=255, proto=112) / Raw(bytes(35)),
        head / IP(src="192.0.2.77", dst="192.0.2.1", proto=1) / Raw(b"\x08" + bytes(6)),
        head / Raw(bytes(46)), Ether(src=MAC, dst=MAC, type=0x88A8) / Raw(bytes(46)),
    ]
    return [bytes(packet) for packet in built]


def _mended(data):
    """Checksums put right wherever the frame has them and is long enough."""
    at = 18 if data[12:14] == b"\x81\x00" else 14
    kind, packet = data[at - 2:at], bytearray(data[at:])
    if kind == b"\x08\x00" and len(packet) >= 20:
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack("!H", carp.checksum(bytes(packet[:20])))
        end = min(len(packet), int.from_bytes(packet[2:4], "big"))
        _mend_message(packet, 20, end, packet[9], None)
    elif kind == b"\x86\xdd" and len(packet) >= 40:
        end = min(len(packet), 40 + int.from_bytes(packet[4:6], "big"))
        start, following = 40, packet[6]
        while following in (0, 43, 60) and end - start >= 8:
            following, start = packet[start], start + 8 * (packet[start + 1] + 1)
        addresses = tuple(wire6.text(bytes(packet[i:i + 16])) for i in (8, 24))
        _mend_message(packet, start, end, following, addresses)
    return data[:at] + bytes(packet)


def _mend_message(packet, start, end, protocol, addresses):
    """addresses: IPv6 source and destination."""
    place = start + (6 if protocol == 112 else 2)
    last = min(end, start + 36) if protocol == 112 else end
    if protocol not in (1, 58, 112) or last < place + 2:
        return
    packet[place:place + 2] = b"\0\0"
    message = bytes(packet[start:last])
    if protocol == 58:
        if addresses is None:
            return
        total = wire6.checksum(*addresses, 58, message)
    else:
        total = carp.checksum(message + b"\0" * (len(message) % 2))
    packet[place:place + 2] = struct.pack("!H", total)


def _changed(data, random_):
    """One of: as it is; one or two bytes anywhere; a field's ends; cut; longer."""
    what = random_.randrange(10)
    if what == 0:
        return data
    if what == 1:
        return data[:random_.randrange(len(data))]
    if what == 2:
        return data + random_.randbytes(random_.randrange(1, 20))
    out = bytearray(data)
    for _ in range(random_.choice((1, 1, 2))):
        at = random_.randrange(12 if what < 9 else 0, len(out))
        out[at] = random_.choice((0, 1, 0xFF, out[at] ^ 1 << random_.randrange(8),
                                  random_.randrange(256)))
    return bytes(out)


def _frames():
    random_ = random.Random(SEED)
    templates = _templates()
    for number in range(FRAMES):
        frame = _changed(templates[number % len(templates)], random_)
        yield _mended(frame) if random_.random() < 0.7 else frame


@pytest.fixture(scope="module")
def decoder():
    build = os.environ.get("KOI_BUILD") or os.path.join(os.path.dirname(__file__), "../../build")
    program = os.path.join(build, "tests/support/koi-decode")
    if not os.path.exists(program):
        pytest.fail(f"{program} is missing: run tools/build first", pytrace=False)
    return program


def test_differential(decoder):
    frames = list(_frames())
    stream = b"".join(struct.pack("!H", len(f)) + f for f in frames)
    said = subprocess.run([decoder], input=stream, capture_output=True, check=True).stdout
    lines = said.splitlines()
    assert len(lines) == len(frames)
    verdicts, differences = collections.Counter(), []
    for frame, line in zip(frames, lines):
        ours, theirs = json.loads(line), decode(frame)
        verdicts[theirs.get("drop", "+".join(theirs))] += 1
        if ours != theirs:
            differences.append(f"{frame.hex()}\n  koi   {ours}\n  Scapy {theirs}")
    assert not differences, f"{len(differences)} differ, e.g.\n" + "\n".join(differences[:5])
    # What was compared: every reason of the parsers, and every kind of packet, not once but often.
    assert verdicts.keys() >= REASONS | KINDS
    assert min(verdicts[v] for v in REASONS | KINDS) >= 20, verdicts


REASONS = {
    "runt", "source_mac", "vlan_stacked", "arp_length", "arp_format", "ipv4_length", "ipv4_header",
    "ipv4_options", "ipv4_checksum", "ipv4_fragment", "icmp_length", "icmp_checksum",
    "icmp_not_echo", "carp_length", "carp_checksum", "ipv6_length", "ipv6_header",
    "ipv6_extensions", "ipv6_fragment", "nd_hop_limit", "nd_length", "nd_code", "nd_target",
    "nd_options", "nd_source", "icmp6_length", "icmp6_checksum", "icmp6_not_echo"}
KINDS = {"eth", "eth+arp", "eth+ip", "eth+ip+echo", "eth+ip+carp", "eth+ipv6", "eth+ipv6+carp",
         "eth+ipv6+nd", "eth+ipv6+echo"}
