"""What a frame is, by another hand: Scapy finds the fields, the rules are written from the RFCs.

decode() gives what koi-decode prints. Each rule names the drop reason that its breach is counted
under, in the order in which common/wire/ documents the checks. Each layer is given to Scapy alone:
a whole frame it gives up at the first thing that it cannot read.
"""

from scapy.all import (ARP, ICMP, IP, Dot1Q, Dot3, Ether, ICMPv6EchoRequest, ICMPv6ND_NA,
                       ICMPv6ND_NS, IPv6)
from scapy.contrib.carp import CARP

from lab import carp, wire6

EXTENSIONS = {0, 43, 60}  # hop-by-hop options, routing, destination options; a fragment is refused
MOST_EXTENSIONS = 8


class Refused(Exception):
    """The first rule that the frame breaks."""


def _must(held, reason):
    if not held:
        raise Refused(reason)


def decode(data):
    out = {}
    try:
        _ethernet(data, out)
    except Refused as reason:
        out["drop"] = str(reason)
    return out


def _ethernet(data, out):
    _must(len(data) >= 14, "runt")
    tagged = data[12:14] == b"\x81\x00"
    _must(len(data) >= 18 or not tagged, "runt")
    frame = Ether(data[:18 if tagged else 14])
    if isinstance(frame, Dot3):  # Scapy's name for a frame whose type is a length
        vlan, kind = 0, frame.len
    elif tagged:
        tag = frame.payload
        assert isinstance(tag, Dot1Q)
        vlan, kind = tag.vlan, int.from_bytes(data[16:18], "big")
        assert kind == (tag.type if kind > 1500 else kind)
    else:
        vlan, kind = 0, frame.type
    first = int(frame.src[:2], 16)
    _must(not first & 1 and frame.src != "00:00:00:00:00:00", "source_mac")
    _must(kind not in (0x8100, 0x88A8), "vlan_stacked")
    out["eth"] = {"dst": frame.dst, "src": frame.src, "vlan": vlan, "type": kind}
    payload = data[18 if tagged else 14:]
    if kind == 0x0806:
        _arp(payload, out)
    elif kind == 0x0800:
        _ipv4(payload, out)
    elif kind == 0x86DD:
        _ipv6(payload, out)


def _arp(payload, out):
    _must(len(payload) >= 28, "arp_length")
    _must(payload[:6] == bytes.fromhex("000108000604"), "arp_format")  # Scapy takes any lengths
    arp = ARP(payload[:28])
    out["arp"] = {name: getattr(arp, name) for name in ("op", "hwsrc", "psrc", "hwdst", "pdst")}


def _ipv4(payload, out):
    _must(len(payload) >= 20, "ipv4_length")
    ip = IP(payload[:20])
    _must(ip.version == 4 and ip.ihl >= 5, "ipv4_header")
    _must(ip.ihl == 5, "ipv4_options")
    _must(20 <= ip.len <= len(payload), "ipv4_length")
    _must(carp.checksum(payload[:20]) == 0, "ipv4_checksum")
    _must(not ip.flags.MF and ip.frag == 0, "ipv4_fragment")
    out["ip"] = {"tos": ip.tos, "id": ip.id, "df": bool(ip.flags.DF), "ttl": ip.ttl,
                 "proto": ip.proto, "src": ip.src, "dst": ip.dst, "length": ip.len - 20}
    message = payload[20:ip.len]
    if ip.proto == 112:
        _carp(message, out)
    elif ip.proto == 1:
        _must(len(message) >= 8, "icmp_length")
        _must(carp.checksum(message + b"\0" * (len(message) % 2)) == 0, "icmp_checksum")
        icmp = ICMP(message[:8])
        _must((icmp.type, icmp.code) == (8, 0), "icmp_not_echo")
        out["echo"] = {"id": icmp.id, "seq": icmp.seq}


def _carp(message, out):
    _must(len(message) >= 36, "carp_length")
    _must(carp.checksum(message[:36]) == 0, "carp_checksum")
    fields = CARP(message[:36])
    out["carp"] = {name: getattr(fields, name) for name in
                   ("version", "type", "vhid", "advskew", "authlen", "demotion", "advbase")}
    out["carp"]["counter"] = fields.counter1 << 32 | fields.counter2
    out["carp"]["hmac"] = "".join(f"{getattr(fields, f'hmac{i}'):08x}" for i in range(1, 6))


def _ipv6(payload, out):
    _must(len(payload) >= 40, "ipv6_length")
    _must(payload[0] >> 4 == 6, "ipv6_header")
    ip = IPv6(payload[:40])
    _must(ip.plen <= len(payload) - 40, "ipv6_length")
    kind, message = _after_extensions(ip.nh, payload[40:40 + ip.plen])
    out["ipv6"] = {"tc": ip.tc, "hlim": ip.hlim, "nh": kind, "src": ip.src, "dst": ip.dst,
                   "length": len(message)}
    if kind == 112:
        _carp(message, out)
    elif kind == 58 and message[:1] in (b"\x87", b"\x88"):
        _neighbor(ip, message, out)
    elif kind == 58:
        _must(len(message) >= 8, "icmp6_length")
        _must(wire6.checksum(ip.src, ip.dst, 58, message) == 0, "icmp6_checksum")
        _must(message[:2] == b"\x80\0", "icmp6_not_echo")
        echo = ICMPv6EchoRequest(message[:8])
        out["echo"] = {"id": echo.id, "seq": echo.seq}


def _after_extensions(kind, rest):
    """RFC 8200 §4: (next header after the last one, what follows it)."""
    count = 0
    while kind == 44 or kind in EXTENSIONS:
        _must(kind != 44, "ipv6_fragment")
        _must(count < MOST_EXTENSIONS and (kind != 0 or count == 0) and len(rest) >= 8,
              "ipv6_extensions")
        length = 8 * (rest[1] + 1)
        _must(length <= len(rest), "ipv6_extensions")
        if kind == 43:
            _must(rest[3] == 0, "ipv6_extensions")
        else:
            _options(rest[2:length])
        kind, rest, count = rest[0], rest[length:], count + 1
    return kind, rest


def _options(data):
    """RFC 8200 §4.2; an option that is not known and may not be skipped refuses the packet."""
    while data:
        if data[0] == 0:
            data = data[1:]
            continue
        _must(len(data) >= 2 and 2 + data[1] <= len(data) and not data[0] & 0xC0,
              "ipv6_extensions")
        data = data[2 + data[1]:]


def _neighbor(ip, message, out):
    """RFC 4861 §7.1.1, §7.1.2."""
    asks = message[0] == 135
    _must(ip.hlim == 255, "nd_hop_limit")
    _must(len(message) >= 24, "nd_length")
    said = (ICMPv6ND_NS if asks else ICMPv6ND_NA)(message[:24])
    _must(said.code == 0, "nd_code")
    _must(wire6.checksum(ip.src, ip.dst, 58, message) == 0, "icmp6_checksum")
    _must(not said.tgt.startswith("ff") and said.tgt not in ("::", "::1"), "nd_target")
    mac = _link_layer(message[24:], 1 if asks else 2)
    if asks and ip.src == "::":
        _must(wire6.packed(ip.dst)[:13] == wire6.packed("ff02::1:ff00:0")[:13] and mac is None,
              "nd_source")
    if not asks:
        _must(ip.src != "::" and not (ip.dst.startswith("ff") and said.S), "nd_source")
    out["nd"] = {"type": said.type, "tgt": said.tgt}
    if not asks:
        out["nd"]["flags"] = said.R << 2 | said.S << 1 | said.O
    if mac is not None:
        out["nd"]["lladdr"] = mac


def _link_layer(options, wanted):
    """The first option of that type; each is checked, RFC 4861 §4.6."""
    found = None
    while options:
        _must(len(options) >= 2 and options[1] and 8 * options[1] <= len(options), "nd_options")
        if options[0] == wanted and found is None:
            _must(options[1] == 1, "nd_options")
            found = options[2:8].hex(":")
        options = options[8 * options[1]:]
    return found
