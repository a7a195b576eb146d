"""A switch that snoops: advertisements arrive only where they were asked for (protocol.md §15)."""

import json
import time

import pytest
from scapy.all import (ICMPv6MLDMultAddrRec, ICMPv6MLReport, ICMPv6MLReport2, IP, Ether, IPOption,
                       IPv6, IPv6ExtHdrHopByHop, RouterAlert)
from scapy.contrib.igmp import IGMP
from scapy.contrib.igmpv3 import IGMPv3, IGMPv3gr, IGMPv3mr

from boxes import OWN6, SHARED, SHARED6, Pair, need_in_this_version
from lab import Lab, Snooping, Tap, carp, netns, until, wire6
from lab.station import BRIDGE, IFACE

OTHER6 = "2001:db8::9"
VERSIONS = [Snooping(igmp=3, mld=2), Snooping(igmp=2, mld=1)]
GROUPS = {"ipv4": "192.0.2.2", "ipv6": "fe80::2"}  # the source of an advertisement of each family


@pytest.fixture(params=VERSIONS, ids=["IGMPv3 and MLDv2", "IGMPv2 and MLDv1"])
def snooping_lab(request):
    with Lab(snooping=request.param) as made:
        made.snooping = request.param
        yield made


def _report(family, station, version):
    """By Scapy: what a host that wants 224.0.0.18 or ff02::12 says."""
    if family == "ipv4":
        alert = IP(src="192.0.2.9", dst="224.0.0.22" if version.igmp == 3 else carp.GROUP, ttl=1,
                   options=[IPOption(b"\x94\x04\x00\x00")], proto=2)
        if version.igmp == 3:
            body = IGMPv3(type=0x22) / IGMPv3mr(records=[IGMPv3gr(rtype=4, maddr=carp.GROUP)])
        else:
            body = IGMP(type=0x16, gaddr=carp.GROUP)
        mac = "01:00:5e:00:00:16" if version.igmp == 3 else carp.GROUP_MAC
        return bytes(Ether(src=station.mac, dst=mac) / alert / body)
    source = wire6.link_local(station.mac)
    hop = IPv6ExtHdrHopByHop(options=[RouterAlert()])
    if version.mld == 2:
        records = [ICMPv6MLDMultAddrRec(rtype=4, dst=carp.GROUP6)]
        return bytes(Ether(src=station.mac, dst="33:33:00:00:00:16")
                     / IPv6(src=source, dst="ff02::16", hlim=1) / hop
                     / ICMPv6MLReport2(records=records, records_number=1))
    return bytes(Ether(src=station.mac, dst=carp.GROUP6_MAC)
                 / IPv6(src=source, dst=carp.GROUP6, hlim=1) / hop
                 / ICMPv6MLReport(mladdr=carp.GROUP6))


def _arrives(sender, listener, source):
    """Whether an advertisement arrives, judged by a broadcast sent after it."""
    listener.frames()
    sender.send(carp.frame(source, bytes(36)))
    sender.send(b"\xff" * 6 + bytes.fromhex("020000000055" "88b5") + bytes(46))
    seen = []

    def fence():
        seen.extend(listener.frames())
        return any(f.ethertype == 0x88B5 for f in seen)
    until("the broadcast after the advertisement", fence, within=2, every=0.001)
    return any(f.carp() is not None for f in seen)


@pytest.mark.parametrize("family", GROUPS)
def test_the_switch_snoops(snooping_lab, family):
    """Nothing arrives; a report opens the port it came from, and no other, for its time."""
    stations = [snooping_lab.station(name) for name in ("sends", "asks", "silent")]
    sends, asks, silent = (snooping_lab.keep_open(Tap(s.namespace, IFACE)) for s in stations)
    source = GROUPS[family]
    # The bridge begins with flooding, until its first query had time to be answered.
    until("the switch to block", lambda: not _arrives(sends, asks, source), within=5, every=0.05)
    asks.wait(lambda f: f.ip_protocol() in (2, 58), 3, "a query")
    asks.send(_report(family, stations[1], snooping_lab.snooping))
    assert _arrives(sends, asks, source)
    assert not _arrives(sends, silent, source)
    until("the membership to end", lambda: not _arrives(sends, asks, source),
          within=Snooping.MEMBERSHIP_S + 2, every=0.05)


@pytest.mark.parametrize("addresses", [(SHARED,), (SHARED6,)], ids=["IPv4", "IPv6"])
def test_boxes_hear_each_other(snooping_lab, addresses):
    """One owner, also when all that the switch knew at the start is long forgotten."""
    pair = Pair(snooping_lab, "brisk", addresses=addresses)
    need_in_this_version(pair.a)
    pair.up()
    end = time.monotonic() + 2 * Snooping.MEMBERSHIP_S
    while time.monotonic() < end:
        assert pair.a.role() == "MASTER" and pair.b.role() == "BACKUP"
        time.sleep(0.1)
    # The link goes and returns: the port is opened anew.
    pair.b.plug(False)
    pair.b.wait_role("INIT", within=3)
    pair.b.plug(True)
    pair.settled(pair.a)


def _groups(network, box):
    """Those that the Linux bridge delivers to the box's port."""
    shown = json.loads(netns.run("bridge", "-j", "-n", network.switch, "mdb", "show"))
    return {entry["grp"] for entry in shown[0]["mdb"] if entry["port"] == box.switch_port()}


# C13.12 kept
def test_what_nobody_needs_any_more_is_left(snooping_lab):
    """The bridge itself (MLD) forgets it, after a reload and at the end, long before its time."""
    netns.run("ip", "-n", snooping_lab.switch, "link", "set", BRIDGE, "type", "bridge",
              "mcast_membership_interval", "60000", "mcast_last_member_interval", "10")
    box = snooping_lab.koi("a", own="192.0.2.2", own6=OWN6["a"], node_id=1,
                           addresses=(SHARED6, OTHER6))
    need_in_this_version(box)
    box.start()
    kept = {carp.GROUP6} | {wire6.solicited_node(a)[0] for a in (SHARED6, OWN6["a"],
                                                                wire6.link_local(box.mac))}
    gone = {wire6.solicited_node(OTHER6)[0]}
    until("all to be joined", lambda: _groups(snooping_lab, box) == kept | gone, within=5)
    box.wait_role("MASTER", within=5)
    before = box.slot()["since"], box.slot()["term"]
    settings = box.settings()
    settings["groups"]["lan-gateway"]["addresses"] = [SHARED6]
    box.write_config(settings)
    box.ctl_ok("reload")
    until("one to be left", lambda: _groups(snooping_lab, box) == kept, within=5)
    assert (box.slot()["since"], box.slot()["term"]) == before
    box.stop()
    until("all to be left", lambda: not _groups(snooping_lab, box), within=5)


# C13.12 kept
def test_leaves_on_the_wire(lab):
    """As Scapy reads them, at the end: behind the bow-outs, from the port's own MAC."""
    box = lab.koi("a", own="192.0.2.2", own6=OWN6["a"], node_id=1, addresses=(SHARED, SHARED6))
    need_in_this_version(box)
    tap = box.tap()
    box.start()
    box.wait_role("MASTER", within=5)
    box.stop()
    seen = [Ether(f.data) for f in tap.frames()]
    last = max(at for at, p in enumerate(seen)
               if carp.PROTOCOL in (p.payload.fields.get("proto"), p.payload.fields.get("nh")))
    igmp = [p for p in seen[last:] if p.haslayer(IGMPv3mr)]
    mld = [p for p in seen[last:] if p.haslayer(ICMPv6MLReport2)]
    assert {p.src for p in igmp + mld} == {box.mac}
    assert [(r.rtype, r.maddr, r.numsrc) for p in igmp for r in p[IGMPv3mr].records] == [
        (3, carp.GROUP, 0)]
    assert {p[IP].dst for p in igmp} == {"224.0.0.22"}
    wanted = {carp.GROUP6} | {wire6.solicited_node(a)[0] for a in (
        SHARED6, OWN6["a"], wire6.link_local(box.mac))}
    # Scapy 2.5 takes each further record for the payload of the one before.
    records = [r for p in mld for r in p[ICMPv6MLReport2].records[0].iterpayloads()]
    assert len(records) == sum(p[ICMPv6MLReport2].records_number for p in mld)
    assert {(r.rtype, r.sources_number) for r in records} == {(3, 0)}
    assert sorted(r.dst for r in records) == sorted(wanted)


def test_an_igmp_report_on_the_wire(lab):
    """RFC 3376 §4: from the port's own MAC and address, TTL 1, Router Alert, right checksums."""
    box = lab.koi("a", own="192.0.2.2", node_id=1)
    tap = box.tap()
    box.start()
    frame = tap.wait(lambda f: f.ip_protocol() == 2, 3, "an IGMP report")
    packet = Ether(frame.data)
    assert (packet.src, packet.dst) == (box.mac, "01:00:5e:00:00:16")
    ip = packet[IP]
    assert (ip.src, ip.dst, ip.ttl, ip.ihl) == ("192.0.2.2", "224.0.0.22", 1, 6)
    assert frame.data[34:38] == b"\x94\x04\x00\x00"  # RFC 2113
    assert carp.checksum(frame.data[14:38]) == 0
    body = frame.data[38:14 + ip.len]
    assert carp.checksum(body) == 0
    assert body[:2] == b"\x22\x00" and int.from_bytes(body[6:8], "big") == 1
    assert body[8] in (2, 4) and body[9:12] == bytes(3)  # excludes no source
    assert body[12:16] == bytes([224, 0, 0, 18]) and len(body) == 16


def test_mld_reports_on_the_wire(lab):
    """RFC 3810 §5.2: link-local source, hop limit 1, Router Alert; every group the box needs."""
    box = lab.koi("a", own="192.0.2.2", own6=OWN6["a"], node_id=1, addresses=(SHARED, SHARED6))
    need_in_this_version(box)
    tap = box.tap()
    box.start()
    source = wire6.link_local(box.mac)
    wanted = {carp.GROUP6} | {wire6.solicited_node(a)[0] for a in (SHARED6, OWN6["a"], source)}
    asked = set()
    while not wanted <= asked:
        frame = tap.wait(lambda f: f.ipv6() and f.ipv6().icmp_type() == 143, 3,
                         f"MLDv2 reports for {wanted - asked}")
        assert (frame.source, frame.data[:6].hex(":")) == (box.mac, "33:33:00:00:00:16")
        found, payload = frame.ipv6(), frame.payload
        assert (found.source, found.destination, found.hop_limit) == (source, "ff02::16", 1)
        assert payload[6] == 0 and payload[40:48] == bytes.fromhex("3a00" "05020000" "0100")
        assert found.checksum_holds()
        records, at = int.from_bytes(found.body[6:8], "big"), 8
        for _ in range(records):
            assert found.body[at] in (2, 4) and found.body[at + 1:at + 4] == bytes(3)
            asked.add(wire6.text(found.body[at + 4:at + 20]))
            at += 20
        assert at == len(found.body)
