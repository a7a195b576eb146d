"""The gate between the wire and the host (host: tap): what passes, from whom to whom, and what not.

The host's side is a raw socket on koi's own kernel interface, beside a stack that has no address.
"""

import contextlib
import itertools

import pytest
from scapy.all import (IP, UDP, ARP, Dot1AD, Dot1Q, Ether, ICMPv6ND_NA, ICMPv6ND_RA,
                       ICMPv6NDOptSrcLLAddr, IPv6, Raw)

from boxes import OWN, SHARED, SHARED6, VMAC
from frames import CLIENT, CLIENT_MAC
from lab import Group, Tap, netns, until
from lab.wire import BROADCAST, mac_bytes, virtual_mac

HOST_IFACE = "koi-lan"
VLAN, TAGGED, TAGGED_OWN, TAGGED_VMAC = 20, "198.51.100.1", "198.51.100.2", virtual_mac(2)
ASLEEP, ASLEEP_VMAC = "192.0.2.9", virtual_mac(3)  # of a group that is BACKUP for three minutes
LINK_LOCAL = "fe80::1"  # shared, the LAN's routers' own
FAST = {"advbase": 0, "advskew": 20, "lowest_advskew": 20}
LONG = 3000  # bytes, the MTU of all interfaces but koi's

_numbers = itertools.count(1)


class Gate:
    def __init__(self, lab):
        self.box = lab.koi("a", own=OWN["a"], own6="2001:db8::2", node_id=1, host="tap",
                           vlans={VLAN: f"{TAGGED_OWN}/24"}, groups=[
                               Group(addresses=(SHARED, SHARED6, LINK_LOCAL), **FAST),
                               Group(name="tagged", vhid=2, vlan=VLAN, addresses=(TAGGED,), **FAST),
                               Group(name="asleep", vhid=3, advbase=60, addresses=(ASLEEP,))])
        netns.run("ip", "-n", lab.switch, "link", "set", "dev", "a", "mtu", str(LONG))
        netns.run("ip", "-n", self.box.namespace, "link", "set", "dev", "lan", "mtu", str(LONG))
        self.box.start()
        for group in ("lan-gateway", "tagged"):
            self.box.wait_role("MASTER", within=5, group=group)
        assert self.box.role("asleep") == "BACKUP"
        netns.run("ip", "-n", self.box.namespace, "link", "set", "dev", HOST_IFACE, "mtu",
                  str(LONG))
        self.wire = self.box.tap()
        self.host = lab.keep_open(Tap(self.box.namespace, HOST_IFACE))

    def passes(self, source, target, frame, expected):
        """A frame sent at one side arrives at the other, and is that. Sent again while it does not,
        for a worker that lost its core for a millisecond refuses what the lease has to allow."""
        def arrived():
            source.send(bytes(frame))
            with contextlib.suppress(AssertionError):
                return target.wait(lambda f: f.data == bytes(expected), within=0.1)
        until("the frame to pass", arrived, within=3)

    def refuses(self, source, target, frames):
        """None of these frames, a dict to the reason's label, passes; each counts once."""
        before = self.box.drops()
        target.frames()
        for frame in frames:
            source.send(frame)
        fence = bytes(Ether(src=self.box.mac if source is self.host else CLIENT_MAC, dst=BROADCAST,
                            type=0x88b5) / Raw(next(_numbers).to_bytes(46, "big")))
        self.passes(source, target, fence, fence)
        wanted = {}
        for reason in frames.values():
            wanted[reason] = wanted.get(reason, 0) + 1

        def counted():
            now = self.box.drops()
            return {r: now.get(r, 0) - before.get(r, 0) for r in wanted} == wanted
        until(lambda: f"drops {wanted}; got {before} and then {self.box.drops()}", counted,
              within=2)
        assert not {bytes(f.data) for f in target.frames()} & set(frames)


@pytest.fixture(scope="module")
def gate(module_lab):
    return Gate(module_lab)


def udp(source, target, *, vlan=None, prio=0, size=26, to, sender):
    head = Ether(src=sender, dst=to)
    if vlan is not None:
        head /= Dot1Q(vlan=vlan, prio=prio)
    ip = IPv6 if ":" in source else IP
    return bytes(head / ip(src=source, dst=target) / UDP(sport=4000, dport=53)
                 / Raw(next(_numbers).to_bytes(size, "big")))


def with_macs(frame, *, to=None, sender=None):
    return (mac_bytes(to) if to else frame[:6]) + (mac_bytes(sender) if sender else
                                                   frame[6:12]) + frame[12:]


# Both ways, tagged and untagged.

@pytest.mark.parametrize("vlan,prio,mac,shared,client", [
    (None, 0, VMAC, SHARED, CLIENT), (0, 5, VMAC, SHARED, CLIENT),
    (None, 0, VMAC, SHARED6, "2001:db8::77"),
    (VLAN, 0, TAGGED_VMAC, TAGGED, "198.51.100.77"),
    (VLAN, 7, TAGGED_VMAC, TAGGED, "198.51.100.77")])
def test_through_the_virtual_mac(gate, vlan, prio, mac, shared, client):
    """To it, for anybody behind the box: the host gets it at its own MAC, the tag and its priority
    as they were. From the shared address, as the host sends what it masquerades: from it."""
    own = gate.box.mac
    beyond = "2001:db8:8::8" if ":" in client else "203.0.113.8"
    there = udp(client, beyond, vlan=vlan, prio=prio, to=mac, sender=CLIENT_MAC)
    gate.passes(gate.wire, gate.host, there, with_macs(there, to=own))
    back = udp(shared, client, vlan=vlan, prio=prio, to=CLIENT_MAC, sender=own)
    gate.passes(gate.host, gate.wire, back, with_macs(back, sender=mac))
    # Of others the source stays the host's.
    back = udp(beyond, client, vlan=vlan, prio=prio, to=CLIENT_MAC, sender=own)
    gate.passes(gate.host, gate.wire, back, back)


def test_the_longest_frame_passes_tagged(gate):
    there = udp("198.51.100.77", "203.0.113.8", vlan=VLAN, to=TAGGED_VMAC, sender=CLIENT_MAC,
                size=1472)
    assert len(there) == 1518
    gate.passes(gate.wire, gate.host, there, with_macs(there, to=gate.box.mac))
    back = udp(TAGGED, "198.51.100.77", vlan=VLAN, to=CLIENT_MAC, sender=gate.box.mac, size=1472)
    gate.passes(gate.host, gate.wire, back, with_macs(back, sender=TAGGED_VMAC))


# What does not pass.

def _ether(sender, to, *tags, size=46):
    head = Ether(src=sender, dst=to)
    for tag in tags:
        head /= tag
    head.lastlayer().type = 0x88b5
    return bytes(head / Raw(next(_numbers).to_bytes(size, "big")))


def _malformed(sender, to):
    """Of either side."""
    return {
        _ether(sender, to, Dot1Q(vlan=VLAN), Dot1Q(vlan=VLAN)): "vlan_stacked",
        _ether(sender, to, Dot1Q(vlan=0), Dot1Q(vlan=0)): "vlan_stacked",
        _ether(sender, to, Dot1AD(vlan=7), Dot1Q(vlan=VLAN)): "vlan_stacked",
        _ether(sender, to, size=1501): "jumbo",
        _ether(sender, to, Dot1Q(vlan=VLAN), size=1501): "jumbo",
        _ether(sender, to)[:12] + b"\x08\0": "ipv4_length",
        _ether(sender, to)[:12] + b"\x86\xdd" + bytes(30): "ipv6_length",
    }


def test_malformed_from_the_wire(gate):
    gate.refuses(gate.wire, gate.host, _malformed(CLIENT_MAC, gate.box.mac) | {
        _ether(CLIENT_MAC, virtual_mac(9)): "not_our_mac",
        _ether(CLIENT_MAC, TAGGED_VMAC): "not_our_mac",  # that is one of VLAN 20
        _ether(CLIENT_MAC, VMAC, Dot1Q(vlan=VLAN)): "not_our_mac",
        _ether(CLIENT_MAC, ASLEEP_VMAC): "not_master"})


def test_malformed_from_the_host(gate):
    # A tag and nothing behind it; such a frame from the wire the kernel drops itself.
    gate.refuses(gate.host, gate.wire, _malformed(gate.box.mac, CLIENT_MAC) | {
        _ether(gate.box.mac, CLIENT_MAC)[:12] + b"\x81\0\0\x14": "runt"})


def test_a_host_that_says_what_is_koi_s_to_say(gate):
    own = gate.box.mac

    def said(packet, sender=own, to=CLIENT_MAC):
        return bytes(Ether(src=sender, dst=to) / packet)

    def arp(address, **fields):
        return said(ARP(**({"op": 1, "hwsrc": own, "psrc": address, "pdst": address} | fields)),
                    to=BROADCAST)

    def router(source):
        return said(IPv6(src=source, dst="ff02::1", hlim=255) / ICMPv6ND_RA()
                    / ICMPv6NDOptSrcLLAddr(lladdr=own), to="33:33:00:00:00:01")
    gate.refuses(gate.host, gate.wire, {
        udp(OWN["a"], CLIENT, to=CLIENT_MAC, sender=VMAC): "host_virtual_mac",
        udp(OWN["a"], CLIENT, to=CLIENT_MAC, sender=ASLEEP_VMAC): "host_virtual_mac",
        udp(OWN["a"], CLIENT, to=CLIENT_MAC, sender=CLIENT_MAC): "host_source_mac",
        udp(ASLEEP, CLIENT, to=CLIENT_MAC, sender=own): "host_not_master",
        arp(SHARED): "host_claim",
        arp(ASLEEP): "host_claim",
        arp(SHARED, op=2, pdst=CLIENT, hwdst=CLIENT_MAC): "host_claim",
        said(IPv6(src=SHARED6, dst="ff02::1", hlim=255)
             / ICMPv6ND_NA(tgt=SHARED6, R=0, S=0, O=1)): "host_claim",
        said(IP(src=OWN["a"], dst="224.0.0.18", ttl=255, proto=112) / Raw(bytes(36)),
             to="01:00:5e:00:00:12"): "host_carp",
        said(IPv6(src="fe80::2", dst="ff02::12", hlim=255, nh=112) / Raw(bytes(36)),
             to="33:33:00:00:00:12"): "host_carp",
        router("fe80::6b:6fff:fe69:2"): "host_router_advert",
        router("2001:db8::2"): "host_router_advert"})
    # Their routers' own link-local address: from the virtual MAC, which the option names too.
    sent = router(LINK_LOCAL)
    expected = Ether(src=VMAC, dst="33:33:00:00:00:01") / IPv6(
        src=LINK_LOCAL, dst="ff02::1", hlim=255) / ICMPv6ND_RA() / ICMPv6NDOptSrcLLAddr(lladdr=VMAC)
    gate.passes(gate.host, gate.wire, sent, expected)
