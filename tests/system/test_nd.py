"""Neighbor Discovery and ICMPv6 echo, byte for byte; silence; bad packets, each with its counter.

The clauses are those of CARP.md §11.
"""

import pytest
from scapy.all import (Ether, ICMPv6EchoReply, ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt,
                       IPv6ExtHdrFragment, PadN)

from boxes import OWN6, SHARED, SHARED6, VMAC, need_in_this_version
from frames import CLIENT_MAC, Asker
from frames6 import (CLIENT6, OWN_FLAGS, SHARED_FLAGS, cut_message, detection, echo_request6,
                     expected_advertisement, mended6, patched, solicitation)
from lab import Group, until, wire6
from lab.wire import mac_bytes, virtual_mac

VLAN, VLAN_SHARED, VLAN_VMAC = 20, "2001:db8:20::1", virtual_mac(7)
VLAN_OWN = {"a": ("198.51.100.2/24", "2001:db8:20::2/64"),
            "b": ("198.51.100.3/24", "2001:db8:20::3/64")}
S = wire6.SOLICITED


def _box(lab, name, node_id, skew):
    timers = {"advbase": 0, "advskew": skew, "lowest_advskew": 20,
              "extra": {"announce-refresh": "0s"}}
    groups = [Group(addresses=(SHARED, SHARED6), **timers),
              Group(name="vlan-gateway", vhid=7, vlan=VLAN, addresses=(VLAN_SHARED,), **timers)]
    return lab.koi(name, own=f"192.0.2.{1 + node_id}", own6=OWN6[name], node_id=node_id,
                   groups=groups, vlans={VLAN: VLAN_OWN[name]})


@pytest.fixture(scope="module")
def boxes(module_lab):
    """a is MASTER of both groups, b BACKUP."""
    a, b = _box(module_lab, "a", 1, 20), _box(module_lab, "b", 2, 40)
    need_in_this_version(a)
    for box, role in ((a, "MASTER"), (b, "BACKUP")):
        box.start()
        for group in ("lan-gateway", "vlan-gateway"):
            box.wait_role(role, within=5, group=group)
    return {"a": a, "b": b}


@pytest.fixture(scope="module")
def master(boxes):
    asker = Asker(boxes["a"])
    # The second round of announcements follows the third advertisement; there is one per family.
    for _ in range(7):
        asker.tap.wait(lambda f: f.carp() is not None, 2, "an advertisement")
    return asker


@pytest.fixture(scope="module")
def backup(boxes):
    return Asker(boxes["b"])


# What is answered.

@pytest.mark.parametrize("option", [CLIENT_MAC, None], ids=["option", "no option"])
@pytest.mark.parametrize("to", ["multicast", "virtual MAC", "port"])
def test_shared_address(master, to, option):
    """C11.10. By unicast a kernel confirms what it knows; to the port's own MAC if it must."""
    unicast = {} if to == "multicast" else {
        "to": SHARED6, "to_mac": VMAC if to == "virtual MAC" else master.box.mac}
    reply = master.ask(solicitation(SHARED6, option=option, **unicast))
    assert reply.data == expected_advertisement(VMAC, SHARED6, SHARED_FLAGS | S)


def test_the_options_mac_is_answered(master):
    """RFC 4861 §7.2.4: the answer goes where the option says, whoever sent the frame."""
    reply = master.ask(solicitation(SHARED6, option="02:00:00:00:00:78"))
    assert reply.data == expected_advertisement(VMAC, SHARED6, SHARED_FLAGS | S,
                                                to_mac="02:00:00:00:00:78")


@pytest.mark.parametrize("whose", ["own", "link-local"])
def test_own_address(master, whose):
    own = OWN6["a"] if whose == "own" else wire6.link_local(master.box.mac)
    reply = master.ask(solicitation(own))
    assert reply.data == expected_advertisement(master.box.mac, own, OWN_FLAGS | S)


def test_link_local_asker(master):
    asker = wire6.link_local(CLIENT_MAC)
    reply = master.ask(solicitation(SHARED6, source=asker))
    assert reply.data == expected_advertisement(VMAC, SHARED6, SHARED_FLAGS | S, to=asker)


def test_vlan(master):
    reply = master.ask(solicitation(VLAN_SHARED, vlan=VLAN, source="2001:db8:20::77"))
    assert reply.data == expected_advertisement(VLAN_VMAC, VLAN_SHARED, SHARED_FLAGS | S,
                                                to="2001:db8:20::77", vlan=VLAN)
    own = VLAN_OWN["a"][1].partition("/")[0]
    reply = master.ask(solicitation(own, vlan=VLAN, source="2001:db8:20::77"))
    assert reply.data == expected_advertisement(master.box.mac, own, OWN_FLAGS | S,
                                                to="2001:db8:20::77", vlan=VLAN)


def test_other_options_are_passed_over(master):
    """A nonce (RFC 3971 §5.3.2) before and after: 8 bytes each, and the answer has one option."""
    plain = solicitation(SHARED6)
    nonce = b"\x0e\x01" + bytes(6)
    longer = mended6(plain[:18] + (48).to_bytes(2, "big") + plain[20:78] + nonce + plain[78:]
                     + nonce)
    assert master.ask(longer).data == expected_advertisement(VMAC, SHARED6, SHARED_FLAGS | S)


def test_eight_extension_headers(master):
    extensions = _extensions(8)
    reply = master.ask(solicitation(SHARED6, extensions=extensions))
    assert reply.data == expected_advertisement(VMAC, SHARED6, SHARED_FLAGS | S)


def _extensions(count):
    out = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    for _ in range(count - 1):
        out = out / IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(4))])
    return out


def _answer_to_all(asker, target, mac, flags):
    """Waits for the answer to Duplicate Address Detection, asking once a second at most."""
    expected = expected_advertisement(mac, target, flags, to=wire6.ALL_NODES,
                                      to_mac=wire6.ALL_NODES_MAC)

    def ask():
        asker.tap.frames()
        asker.tap.send(detection(target))
        try:
            return asker.tap.wait(lambda f: f.neighbor_advertisement(), 0.2)
        except AssertionError:
            return None
    frame = until(f"an answer to the detection of {target}", ask, within=3)
    assert frame.data == expected
    return frame.time_ns


@pytest.mark.parametrize("whose", ["shared", "own"])
def test_duplicate_address_detection(master, whose):
    """C11.11: to all nodes, and not again for a second; another target is not held back by it."""
    target, mac, flags = ((SHARED6, VMAC, SHARED_FLAGS) if whose == "shared"
                          else (OWN6["a"], master.box.mac, OWN_FLAGS))
    first = _answer_to_all(master, target, mac, flags)
    master.expect_drop(detection(target), "nd_dad")
    assert not master.answers_before_fence(*[detection(target)] * 20)
    second = _answer_to_all(master, target, mac, flags)
    assert second - first >= 990_000_000
    other = wire6.link_local(master.box.mac)
    _answer_to_all(master, other, master.box.mac, OWN_FLAGS)


@pytest.mark.parametrize("size", [0, 1, 56, 1452])
@pytest.mark.parametrize("whose", ["shared", "own"])
def test_echo(master, whose, size):
    """C11.12, C11.15: decoded by Scapy, the checksum by Python."""
    mac, address = (VMAC, SHARED6) if whose == "shared" else (master.box.mac, OWN6["a"])
    frame = master.ask(echo_request6(address, mac, size=size))
    reply = Ether(frame.data)
    assert (reply.dst, reply.src) == (CLIENT_MAC, mac)
    assert (reply[IPv6].src, reply[IPv6].dst, reply[IPv6].plen, reply[IPv6].hlim) == (
        address, CLIENT6, 8 + size, 64)
    assert frame.ipv6().checksum_holds()
    icmp = reply[ICMPv6EchoReply]
    assert (icmp.type, icmp.code, icmp.id, icmp.seq) == (129, 0, 0x1234, 7)
    assert bytes(icmp.data) == bytes(i & 0xFF for i in range(size))


@pytest.mark.parametrize("address", [SHARED6, OWN6["a"], OWN6["b"]])
def test_clients_kernel(boxes, address):
    """The client's own stack: its echo is answered and its neighbor cache has the right MAC."""
    client = boxes["a"].lab.client
    client.forget(address)
    until("an echo", lambda: client.ping(address), within=5)
    mac = VMAC if address == SHARED6 else boxes["a" if address == OWN6["a"] else "b"].mac
    assert client.neighbor(address) == mac


# Silence.

@pytest.mark.parametrize("request_of", [
    lambda box: solicitation(SHARED6),
    lambda box: solicitation(SHARED6, option=None),
    lambda box: solicitation(SHARED6, to=SHARED6, to_mac=box.mac),
    lambda box: solicitation(SHARED6, to=SHARED6, to_mac=VMAC),
    lambda box: detection(SHARED6),
    lambda box: solicitation(VLAN_SHARED, vlan=VLAN, source="2001:db8:20::77"),
    lambda box: echo_request6(SHARED6, VMAC),
], ids=["multicast", "no option", "unicast", "virtual MAC", "detection", "VLAN", "echo"])
def test_backup_is_silent(backup, request_of):
    backup.expect_drop(request_of(backup.box), "not_master")


# Bad packets: the reason each must be counted under. In place of PORT the box's own MAC is put in.

GOOD = solicitation(SHARED6)
PORT = "02:00:00:00:00:01"
ECHO = echo_request6(OWN6["a"], PORT)
GROUP_MAC = wire6.solicited_node(SHARED6)[1]

BAD = {f"cut to {n} bytes": (GOOD[:n], "ipv6_length") for n in (14, 15, 53, 54, 77, 85)}
BAD |= {f"message of {n} bytes": (cut_message(GOOD, n), "nd_length") for n in (4, 8, 23)}
BAD |= {f"option cut to {n} bytes": (cut_message(GOOD, 24 + n), "nd_options") for n in (1, 2, 7)}
BAD |= {
    "payload length past the end": (GOOD[:18] + b"\x00\x21" + GOOD[20:], "ipv6_length"),
    "version 5": (GOOD[:14] + b"\x50" + GOOD[15:], "ipv6_header"),
    "version 4": (GOOD[:14] + b"\x40" + GOOD[15:], "ipv6_header"),
    "hop limit 254": (solicitation(SHARED6)[:21] + b"\xfe" + GOOD[22:], "nd_hop_limit"),
    "hop limit 0": (GOOD[:21] + b"\x00" + GOOD[22:], "nd_hop_limit"),
    "checksum": (GOOD[:56] + bytes([GOOD[56] ^ 1]) + GOOD[57:], "icmp6_checksum"),
    "checksum 0": (GOOD[:56] + b"\0\0" + GOOD[58:], "icmp6_checksum"),
    "code 1": (solicitation(SHARED6, ns={"code": 1}), "nd_code"),
    "option of length 0": (patched(GOOD, 25, 0), "nd_options"),
    "option past the end": (patched(GOOD, 25, 2), "nd_options"),
    "target multicast": (mended6(GOOD[:62] + wire6.packed("ff02::1") + GOOD[78:]), "nd_target"),
    "target ::": (mended6(GOOD[:62] + bytes(16) + GOOD[78:]), "nd_target"),
    "another's address": (solicitation("2001:db8::9"), "nd_not_ours"),
    "the VLAN's address, untagged": (solicitation(VLAN_SHARED), "nd_not_ours"),
    "our address on a foreign VLAN": (solicitation(SHARED6, vlan=21), "nd_not_ours"),
    "detection with the option": (detection(SHARED6, option=CLIENT_MAC), "nd_source"),
    "detection by unicast": (detection(SHARED6, to=SHARED6, to_mac=PORT), "nd_source"),
    "sender multicast": (solicitation(SHARED6, option="01:00:5e:00:00:12"), "nd_sender"),
    "sender zero": (solicitation(SHARED6, option="00:00:00:00:00:00"), "nd_sender"),
    "sender has our MAC": (solicitation(SHARED6, option=VMAC), "nd_sender"),
    "source multicast": (solicitation(SHARED6, source="ff02::5"), "ipv6_source"),
    "claims the shared address": (solicitation(SHARED6, source=SHARED6), "nd_claim"),
    "our own announcement, reflected": (
        expected_advertisement(VMAC, SHARED6, SHARED_FLAGS, to=wire6.ALL_NODES,
                               to_mac=wire6.ALL_NODES_MAC), "nd_announcement"),
    "a foreign announcement": (
        expected_advertisement(CLIENT_MAC, SHARED6, wire6.OVERRIDE, to=wire6.ALL_NODES,
                               to_mac=wire6.ALL_NODES_MAC), "nd_claim"),
    "9 extension headers": (solicitation(SHARED6, extensions=_extensions(9)), "ipv6_extensions"),
    "fragment": (solicitation(SHARED6, extensions=IPv6ExtHdrFragment(offset=0, m=1)),
                 "ipv6_fragment"),
    "atomic fragment": (solicitation(SHARED6, extensions=IPv6ExtHdrFragment(offset=0, m=0)),
                        "ipv6_fragment"),
    "fragment after an option header": (
        solicitation(SHARED6, extensions=_extensions(1) / IPv6ExtHdrFragment(offset=8, m=0)),
        "ipv6_fragment"),
    "another's MAC": (solicitation(SHARED6, to=SHARED6, to_mac="02:00:00:00:00:99"),
                      "not_our_mac"),
    "echo to another": (echo_request6("2001:db8::9", PORT), "ipv6_not_ours"),
    "echo at another's MAC": (echo_request6(SHARED6, PORT), "not_our_mac"),
    "echo from our own": (echo_request6(OWN6["a"], PORT, source=OWN6["a"]), "ipv6_source"),
    "echo from a group": (echo_request6(OWN6["a"], PORT, source="ff02::5"), "ipv6_source"),
    "echo from ::": (echo_request6(OWN6["a"], PORT, source="::"), "ipv6_source"),
    "echo of 7 bytes": (cut_message(ECHO, 7), "icmp6_length"),
    "echo checksum": (ECHO[:56] + bytes([ECHO[56] ^ 1]) + ECHO[57:], "icmp6_checksum"),
    "echo reply": (patched(ECHO, 0, 129), "icmp6_not_echo"),
    "router solicitation": (patched(ECHO, 0, 133), "icmp6_not_echo"),
    "echo with code 1": (patched(ECHO, 1, 1), "icmp6_not_echo"),
    "UDP": (ECHO[:20] + b"\x11" + ECHO[21:], "ipv6_protocol"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad(master, name):
    packet, reason = BAD[name]
    if packet[:6] == mac_bytes(PORT):
        packet = mac_bytes(master.box.mac) + packet[6:]
    master.expect_drop(packet, reason)


def test_echo_by_multicast(master):
    """C11.13: neither to a group nor at a group's MAC."""
    request = echo_request6(SHARED6, GROUP_MAC)
    assert Ether(request)[ICMPv6EchoRequest].type == 128
    assert not master.answers_before_fence(request, echo_request6("ff02::1", wire6.ALL_NODES_MAC))


def test_still_the_owner(master):
    """Nothing above changed who owns the address."""
    assert master.box.role() == "MASTER"
    reply = master.ask(solicitation(SHARED6))
    assert reply.data == expected_advertisement(VMAC, SHARED6, SHARED_FLAGS | S)
