"""The lab itself, and the oracles the other tests rest on."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from scapy.all import (Ether, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6NDOptDstLLAddr,
                       ICMPv6NDOptSrcLLAddr, IPv6)

from lab import Answer, Frame, Tap, carp, netns, overlap_ms, until, wire6
from lab.firewalls import without_last_burst
from lab.keeper import start_time
from lab.probe import unanswered
from lab.station import IFACE
from lab.wire import BROADCAST, mac_bytes


def test_golden_vectors():
    """protocol.md §4, vectors A, B, C and D."""
    a = carp.header("secret", 1, ["192.0.2.10"], 0x0123456789ABCDEF, advskew=100)
    assert a.hex() == ("210164070001e6a70123456789abcdef3d2cea66fce80320a8027400391063b414d100f4")
    b = carp.header("secret", 7, ["192.0.2.20", "192.0.2.10", "2001:db8::10"], 1)
    assert b.hex() == ("210700070001ce1a0000000000000001e407652b360eed4f84db0ff61ecd4beab554ef65")
    d = carp.header("abcdefghijklmnopqrstuvwxy"[:19], 42, ["10.0.0.1", "fe80::1", "2001:db8::1"],
                    0xFFFFFFFF00000001, advbase=0, demote=2, link_local=True)
    assert d.hex() == ("212a0007020085c2ffffffff000000013529e4b20f50314df2bf047a44c2c6c9d0882943")
    assert carp.bow_out(a).hex() == (
        "2101ff0700ff4aa90123456789abcdef3d2cea66fce80320a8027400391063b414d100f4")


def test_timers():
    """protocol.md §6's table."""
    assert round(carp.interval_ms(0, 0), 3) == round(carp.interval_ms(0, 1), 3) == 3.906
    assert carp.interval_ms(0, 100) == 390.625
    assert carp.interval_ms(1, 100) == 1390.625


def _answers(boxes):
    return [Answer(i * 1_000_000, box, "arp") for i, box in enumerate(boxes)]


def test_overlap():
    assert overlap_ms(_answers("a" * 100 + "b" * 100)) == 0
    assert overlap_ms(_answers("a" * 100 + "ba" + "b" * 100)) == 1
    assert overlap_ms(_answers("a" * 100 + "ba" * 10 + "b" * 100)) == 19
    assert overlap_ms(_answers("a" * 100 + "b" + "a" * 100)) == 1
    assert overlap_ms(_answers("a" * 100 + "b" * 100 + "a" * 100)) == 0


def test_unanswered_requests():
    """Replies are all alike: each is for the latest request that has none."""
    assert not unanswered([10, 20, 30], [11, 21, 31])
    assert unanswered([10, 20, 30], [11, 31]) == [20]
    assert unanswered([10, 20, 30, 40], [11, 39, 39, 41]) == []
    assert unanswered([10, 20, 30, 40], [11, 39, 41]) == [20]
    assert unanswered([10, 20], []) == [10, 20]


def test_one_late_burst():
    """Of the box that gave way, and no more than a worker takes at once."""
    def overlap(used):
        return overlap_ms(without_last_burst(used, "a"))
    assert overlap(_answers("a" * 100 + "b" * 16 + "a" + "b" * 100)) == 0
    assert overlap(_answers("a" * 100 + "ba" * 10 + "b" * 100)) == 17
    assert overlap(_answers("a" * 100 + "b" * 5 + "a" + "b" * 5 + "a" + "b" * 100)) == 5
    late = _answers("a" * 100 + "b" * 116)
    for count, expected in ((64, 0), (65, 16)):
        burst = [Answer(late[116].time_ns - i, "a", "arp") for i in range(count, 0, -1)]
        assert round(overlap(late[:116] + burst + late[116:])) == expected
    assert overlap(_answers("b" * 100)) == 0


def test_the_kernel_of_a_box_is_silent_and_its_taps_hear(bare_lab):
    """A frame from the client reaches a packet socket in the box, but not the box's kernel."""
    station = bare_lab.station("quiet", "192.0.2.50")
    assert bare_lab.client.ping("192.0.2.50")
    netns.silence_kernel(station.namespace, IFACE)
    bare_lab.client.forget("192.0.2.50")
    inside = bare_lab.keep_open(Tap(station.namespace, IFACE))
    assert not bare_lab.client.ping("192.0.2.50")
    assert any(f.arp_operation() == 1 and f.arp_target_ip() == "192.0.2.50"
               for f in inside.frames())


def test_vlan_tags_survive(bare_lab):
    station = bare_lab.station("tagged")
    inside = bare_lab.keep_open(Tap(station.namespace, IFACE))
    wire = bare_lab.client.wire()
    sent = (mac_bytes(BROADCAST) + mac_bytes(bare_lab.client.mac)
            + bytes.fromhex("8100001488b5") + b"payload")
    wire.send(sent)
    assert inside.wait(lambda f: f.vlan == 20, within=1).data == sent


def test_nothing_is_left_when_the_owner_is_killed():
    """SIGKILL of the test program: its keeper removes namespaces, processes and files."""
    program = textwrap.dedent("""
        import sys, time
        sys.path.insert(0, sys.argv[1])
        from lab import Lab
        lab = Lab()
        box = lab.station("box")
        print(lab.folder, lab.switch, box.spawn(["sleep", "100"]).pid, flush=True)
        time.sleep(100)
    """)
    owner = subprocess.Popen(
        [sys.executable, "-c", program, os.path.dirname(os.path.dirname(netns.__file__))],
        stdout=subprocess.PIPE, text=True)
    folder, switch, pid = owner.stdout.readline().split()
    assert os.path.exists(folder) and os.path.exists(f"/run/netns/{switch}")
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    until("the keeper to remove it all", lambda: not os.path.exists(folder), within=10)
    assert not os.path.exists(f"/run/netns/{switch}")
    assert start_time(int(pid)) is None


def test_clients_kernel_speaks_both_families(bare_lab):
    """Ping and neighbor cache over IPv6; the frame reader agrees with what two kernels say."""
    other = bare_lab.station("other", "192.0.2.50", address6="2001:db8::50")
    observer = bare_lab.observer(other)
    assert bare_lab.client.ping("192.0.2.50") and bare_lab.client.ping("2001:db8::50")
    assert bare_lab.client.neighbor("2001:db8::50") == other.mac
    answers = {(a.kind, a.box) for a in observer.answers("2001:db8::50")}
    assert answers == {("nd", "other"), ("echo", "other")}
    said = next(f for f in observer.frames("other") if f.neighbor_advertisement())
    found = said.ipv6()
    assert (found.source, found.hop_limit, found.checksum_holds()) == ("2001:db8::50", 255, True)
    # RFC 4861 §7.2.4: solicited and override; a host, no router
    assert said.neighbor_advertisement() == wire6.Advertisement(
        "2001:db8::50", wire6.SOLICITED | wire6.OVERRIDE, mac_bytes(other.mac))


def test_ipv6_of_the_lab_is_what_scapy_builds():
    """wire6 and carp.frame() against Scapy, byte for byte."""
    source, target = wire6.link_local("02:6b:6f:69:00:02"), "2001:db8::1"
    assert source == "fe80::6b:6fff:fe69:2"
    group, group_mac = wire6.solicited_node("2001:db8::ab:cdef:1234")
    assert (group, group_mac) == ("ff02::1:ffef:1234", "33:33:ff:ef:12:34")
    mac = bytes(range(2, 8))
    ours = wire6.packet(source, group, wire6.solicitation(target, mac))
    assert ours == bytes(IPv6(src=source, dst=group, hlim=255) / ICMPv6ND_NS(tgt=target)
                         / ICMPv6NDOptSrcLLAddr(lladdr=mac.hex(":")))
    ours = wire6.packet(target, source, wire6.advertisement(target, mac, wire6.OVERRIDE))
    assert ours == bytes(IPv6(src=target, dst=source, hlim=255)
                         / ICMPv6ND_NA(tgt=target, R=0, S=0, O=1)
                         / ICMPv6NDOptDstLLAddr(lladdr=mac.hex(":")))
    advert = carp.header("secret", 7, ["192.0.2.20", "192.0.2.10", "2001:db8::10"], 1)
    frame = Ether(carp.frame("fe80::2", advert, vhid=7))
    assert (frame.dst, frame.src) == ("33:33:00:00:00:12", "00:00:5e:00:01:07")
    assert (frame[IPv6].src, frame[IPv6].dst, frame[IPv6].nh, frame[IPv6].hlim,
            frame[IPv6].plen) == ("fe80::2", "ff02::12", 112, 255, 36)
    assert Frame(0, bytes(frame)).carp() == advert


@pytest.mark.parametrize("address,kind", [("192.0.2.50", "arp"), ("2001:db8::50", "nd")])
def test_the_probe_sees_an_outage(bare_lab, address, kind):
    """A kernel answers the probe; its cable is pulled for a while, and the probe says so."""
    bare_lab.station("other", "192.0.2.50", address6="2001:db8::50")
    with bare_lab.probe(address) as probe:
        time.sleep(0.1)
        began = time.time_ns()
        netns.set_link(bare_lab.switch, "other", False)
        time.sleep(0.2)
        netns.set_link(bare_lab.switch, "other", True)
        until("an answer", lambda: bare_lab.client.ping(address), within=3)
        ended = time.time_ns()
        time.sleep(0.1)
        result = probe.stop()
    for which in (kind, "echo"):
        assert 200 <= result.outage_ms(which, began, ended) <= (ended - began) / 1e6 + 50
