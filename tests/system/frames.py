"""Requests built by Scapy, answers expected byte by byte, and the fence that ends a silence."""

import socket
import struct
import time

from scapy.all import ARP, ICMP, IP, Dot1Q, Ether, Raw

from lab import hello, until, wire6
from lab.wire import BROADCAST, mac_bytes

CLIENT, CLIENT_MAC = "192.0.2.77", "02:00:00:00:00:77"


def _ether(to, sender, vlan):
    head = Ether(dst=to, src=sender)
    return head if vlan is None else head / Dot1Q(vlan=vlan)


def arp_request(target, *, to=BROADCAST, sender_ip=CLIENT, sender=CLIENT_MAC, vlan=None, pad=b"",
                **fields):
    """The bytes of an ARP request; `fields` replace fields of Scapy's ARP."""
    arp = ARP(op=1, hwsrc=sender, psrc=sender_ip, hwdst="00:00:00:00:00:00", pdst=target)
    for name, value in fields.items():
        setattr(arp, name, value)
    return bytes(_ether(to, sender, vlan) / arp) + pad


def expected_arp_reply(owner_mac, target, *, to=CLIENT_MAC, to_ip=CLIENT, vlan=None):
    """RFC 826, written down without Scapy: Ethernet source and sender address are the owner's."""
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return (mac_bytes(to) + mac_bytes(owner_mac) + tag
            + bytes.fromhex("0806" "0001" "0800" "06" "04" "0002")
            + mac_bytes(owner_mac) + socket.inet_aton(target)
            + mac_bytes(to) + socket.inet_aton(to_ip))


def echo_request(target, to, *, sender_ip=CLIENT, vlan=None, size=56, ip=None, icmp=None):
    """The bytes of an echo request; `ip` and `icmp` replace fields of the headers."""
    head = IP(src=sender_ip, dst=target, ttl=64, **(ip or {}))
    body = ICMP(**({"type": 8, "id": 0x1234, "seq": 7} | (icmp or {})))
    data = Raw(bytes(i & 0xFF for i in range(size)))
    return bytes(_ether(to, CLIENT_MAC, vlan) / head / body / data)


def mended(packet):
    """The Ethernet/IPv4 packet with its header checksum computed anew."""
    head = packet[14:24] + b"\0\0" + packet[26:34]
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return packet[:24] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + packet[26:]


def is_answer(frame):
    return frame.answer_for() is not None


def of_its_own_accord(frame):
    """Advertisements, announcements, hellos and reports to switches: boxes send them unasked. (What
    answers Duplicate Address Detection looks like an announcement, but for its traffic class.)"""
    if hello.is_hello(frame):
        return True
    found = frame.ipv6()
    if found and found.icmp_type() in (131, 143):
        return True
    if found and found.traffic_class and found.destination == wire6.ALL_NODES:
        return True
    return (frame.carp() is not None or frame.ip_protocol() == 2
            or (frame.arp_operation() == 1 and frame.arp_sender_ip() == frame.arp_target_ip()))


class Asker:
    """Speaks to one box over its own cable."""

    def __init__(self, box):
        self.box, self.tap = box, box.tap()

    def ask(self, request, within=2.0, again=0.1):
        """The first answer's frame. Asks again as any client does: a worker that the machine left
        waiting for more than 1 ms is silent for a moment (L8)."""
        self.tap.frames()
        deadline = time.monotonic() + within
        while True:
            self.tap.send(request)
            try:
                return self.tap.wait(is_answer, again, f"{self.box.name} to answer {request.hex()}")
            except AssertionError:
                if time.monotonic() >= deadline:
                    raise

    def answers_before_fence(self, *requests):
        """What the box answers to the requests: all that comes before the answer to a later request
        for its own address. One cable, one queue, so the order is kept. What boxes send unasked is
        left out."""
        fence_ip = f"192.0.2.{200 + time.monotonic_ns() % 50}"
        self.tap.frames()
        for request in requests:
            self.tap.send(request)
        self.tap.send(arp_request(self.box.own, sender_ip=fence_ip))
        out = []

        def fenced():
            for frame in self.tap.frames():
                if frame.arp_operation() == 2 and frame.arp_target_ip() == fence_ip:
                    return True
                if not of_its_own_accord(frame):
                    out.append(frame)
            return False
        until("the box's answer for its own address", fenced, within=2, every=0.001)
        return out

    def expect_drop(self, request, reason):
        """The box says nothing, counts exactly one drop, for that reason, and keeps its roles.

        Reports and queries of others are dropped as well, once in a while, and a busy machine may
        hold the box for longer than its lease: then it is done again.
        """
        seen = None
        for _ in range(3):
            expired = self.box.log_text().count("lease expired")
            roles = [g["slots"][0]["role"] for g in self.box.status()["groups"]]
            before = self.box.drops()
            said = self.answers_before_fence(request)
            assert not said, f"{reason}: the box sent {said[0].data.hex()}"
            seen = until("a drop to be counted", lambda: self._drops_since(before), within=1)
            if self.box.log_text().count("lease expired") != expired:
                self.box.wait_role(roles[0], within=5)
                continue
            assert [g["slots"][0]["role"] for g in self.box.status()["groups"]] == roles
            if seen == {reason: 1}:
                return
        assert seen == {reason: 1}

    def _drops_since(self, before):
        now = self.box.drops()
        return {r: now.get(r, 0) - before.get(r, 0) for r in now | before
                if now.get(r, 0) != before.get(r, 0)}
