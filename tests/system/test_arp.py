"""ARP and ICMP echo, byte for byte; silence in BACKUP; bad packets, each with its counter."""

import pytest
from scapy.all import IP, Dot1Q, Ether

from boxes import SHARED, VMAC, Pair
from frames import (CLIENT, CLIENT_MAC, Asker, arp_request, echo_request, expected_arp_reply,
                    mended)
from lab import Group
from lab.wire import mac_bytes, virtual_mac

VLAN, VLAN_SHARED, VLAN_VMAC = 20, "198.51.100.1", virtual_mac(7)
VLAN_OWN = {"a": "198.51.100.2", "b": "198.51.100.3"}
BRISK = {"a": {"advbase": 0, "advskew": 20, "lowest_advskew": 20},
         "b": {"advbase": 0, "advskew": 40, "lowest_advskew": 20}}


def _box(lab, name, own, node_id):
    groups = [Group(**BRISK[name]),
              Group(name="vlan-gateway", vhid=7, vlan=VLAN, addresses=(VLAN_SHARED,),
                    **BRISK[name])]
    return lab.koi(name, own=own, node_id=node_id, groups=groups,
                   vlans={VLAN: f"{VLAN_OWN[name]}/24"})


@pytest.fixture(scope="module")
def boxes(module_lab):
    """a is MASTER of both groups, b BACKUP."""
    a, b = (_box(module_lab, name, own, i)
            for name, own, i in (("a", "192.0.2.2", 1), ("b", "192.0.2.3", 2)))
    a.start()
    for group in ("lan-gateway", "vlan-gateway"):
        a.wait_role("MASTER", within=5, group=group)
    b.start()
    for group in ("lan-gateway", "vlan-gateway"):
        b.wait_role("BACKUP", within=5, group=group)
    return {"a": a, "b": b}


@pytest.fixture(scope="module")
def master(boxes):
    return Asker(boxes["a"])


@pytest.fixture(scope="module")
def backup(boxes):
    return Asker(boxes["b"])


# What is answered.

# C11.1 kept, C11.2 kept
def test_shared_address(master):
    reply = master.ask(arp_request(SHARED))
    assert reply.data == expected_arp_reply(VMAC, SHARED)


# C11.4 kept
def test_own_address(master):
    reply = master.ask(arp_request(master.box.own))
    assert reply.data == expected_arp_reply(master.box.mac, master.box.own)


# C11.5 kept
@pytest.mark.parametrize("pad", [b"\0" * 18, b"\xa5" * 18, b"\0" * 400])
def test_padded_request(master, pad):
    """The padding of a short frame is no part of the packet; it may come back, nothing else may."""
    reply = master.ask(arp_request(SHARED, pad=pad)).data
    assert reply[:42] == expected_arp_reply(VMAC, SHARED)
    assert reply[42:] in (b"", pad, b"\0" * len(pad))


# C11.7 kept
def test_arp_probe(master):
    """RFC 5227: sender 0.0.0.0; it is answered, so that nobody takes the shared address."""
    reply = master.ask(arp_request(SHARED, sender_ip="0.0.0.0"))
    assert reply.data == expected_arp_reply(VMAC, SHARED, to_ip="0.0.0.0")


# C11.1 kept
@pytest.mark.parametrize("to", [VMAC, "port"])
def test_unicast_request(master, to):
    """A kernel confirms a cached entry by unicast."""
    request = arp_request(SHARED, to=master.box.mac if to == "port" else to)
    assert master.ask(request).data == expected_arp_reply(VMAC, SHARED)


# C14.1 kept
def test_vlan(master):
    reply = master.ask(arp_request(VLAN_SHARED, vlan=VLAN, sender_ip="198.51.100.77"))
    assert reply.data == expected_arp_reply(VLAN_VMAC, VLAN_SHARED, to_ip="198.51.100.77",
                                            vlan=VLAN)
    own = VLAN_OWN["a"]
    reply = master.ask(arp_request(own, vlan=VLAN, sender_ip="198.51.100.77"))
    assert reply.data == expected_arp_reply(master.box.mac, own, to_ip="198.51.100.77", vlan=VLAN)


# C14.2 kept
def test_priority_tag(master):
    """802.1Q with VLAN 0 is the untagged LAN."""
    reply = master.ask(arp_request(SHARED, vlan=0))
    assert reply.payload == expected_arp_reply(VMAC, SHARED)[14:]


# C11.12 kept
@pytest.mark.parametrize("size", [0, 1, 56, 1472])
@pytest.mark.parametrize("whose", ["shared", "own"])
def test_echo(master, whose, size):
    mac = VMAC if whose == "shared" else master.box.mac
    address = SHARED if whose == "shared" else master.box.own
    request = Ether(echo_request(address, mac, size=size))
    reply = Ether(master.ask(bytes(request)).data)
    assert (reply.dst, reply.src) == (CLIENT_MAC, mac)
    assert (reply[IP].src, reply[IP].dst, reply[IP].len) == (address, CLIENT, 28 + size)
    sums = reply[IP].chksum, reply[IP].payload.chksum
    computed = Ether(bytes(reply))
    del computed[IP].chksum, computed[IP].payload.chksum
    computed = Ether(bytes(computed))
    assert sums == (computed[IP].chksum, computed[IP].payload.chksum)
    icmp = reply[IP].payload
    assert (icmp.type, icmp.code, icmp.id, icmp.seq) == (0, 0, 0x1234, 7)
    assert bytes(icmp.payload)[:size] == bytes(i & 0xFF for i in range(size))


@pytest.mark.parametrize("address", [SHARED, "192.0.2.2", "192.0.2.3"])
def test_clients_kernel(boxes, address):
    """The client's own stack: its echo is answered and its ARP cache has the right MAC."""
    client = boxes["a"].lab.client
    client.forget(address)
    assert client.ping(address, count=3)
    mac = VMAC if address == SHARED else boxes["a" if address == "192.0.2.2" else "b"].mac
    assert client.neighbor(address) == mac


# Silence.

# C11.2 refused
@pytest.mark.parametrize("to", ["ff:ff:ff:ff:ff:ff", "port"])
def test_backup_is_silent(backup, to):
    to = backup.box.mac if to == "port" else to
    backup.expect_drop(arp_request(SHARED, to=to), "not_master")


# C11.2 refused
def test_backup_is_silent_on_the_vlan(backup):
    backup.expect_drop(arp_request(VLAN_SHARED, vlan=VLAN, sender_ip="198.51.100.77"), "not_master")


# C11.2 refused
def test_backup_does_not_answer_echo(backup):
    assert not backup.answers_before_fence(echo_request(SHARED, VMAC),
                                           echo_request(SHARED, backup.box.mac))


# C1.3 kept, C7.7 kept, C7.7 refused, C11.2 refused
def test_init_is_silent(lab):
    """After start and after the cable was pulled: no answer until MASTER, however it is asked."""
    pair = Pair(lab, "brisk")
    pair.a.launch()
    asker = Asker(pair.a)
    roles, answered = set(), []
    while (role := pair.a.role()) != "MASTER":
        roles.add(role)
        asker.tap.send(arp_request(SHARED))
        # An answer may be right by the time it comes, if the role changed in between.
        heard = [f for f in asker.tap.frames() if f.answer_for()]
        if heard and pair.a.role() != "MASTER":
            answered += heard
    assert "BACKUP" in roles and not answered
    pair.a.plug(False)
    assert pair.a.wait_role("INIT", within=2)["master"] is None
    pair.a.plug(True)
    pair.a.wait_role("MASTER", within=5)
    counts = {}
    for t in pair.a.counters()["slots"][0]["transitions"]:
        change = t["from"], t["to"]
        counts[change] = counts.get(change, 0) + t["count"]
    assert counts[("MASTER", "INIT")] == 1 and counts[("INIT", "BACKUP")] == 2
    assert counts[("BACKUP", "MASTER")] == 2 and ("INIT", "MASTER") not in counts


# Bad packets: the reason each must be counted under. Not here: fragments (net_af_packet's fanout
# has the kernel collect them, so none arrives) and runts (the kernel takes a VLAN tag off, or the
# frame away); the unit tests have them.

GOOD = arp_request(SHARED)
BAD = {f"cut to {n} bytes": (GOOD[:n], "arp_length") for n in range(14, 42)}
BAD |= {
    "hardware type 2": (arp_request(SHARED, hwtype=2), "arp_format"),
    "protocol type IPv6": (arp_request(SHARED, ptype=0x86DD), "arp_format"),
    "hardware length 0": (GOOD[:18] + b"\x00" + GOOD[19:], "arp_format"),
    "hardware length 8": (GOOD[:18] + b"\x08" + GOOD[19:], "arp_format"),
    "protocol length 0": (GOOD[:19] + b"\x00" + GOOD[20:], "arp_format"),
    "protocol length 16": (GOOD[:19] + b"\x10" + GOOD[20:], "arp_format"),
    "operation 0": (arp_request(SHARED, op=0), "arp_not_request"),
    "operation 2": (arp_request(SHARED, op=2), "arp_not_request"),
    "operation 3": (arp_request(SHARED, op=3), "arp_not_request"),
    "operation 65535": (arp_request(SHARED, op=65535), "arp_not_request"),
    "sender multicast": (arp_request(SHARED, hwsrc="01:00:5e:00:00:12"), "arp_sender"),
    "sender broadcast": (arp_request(SHARED, hwsrc="ff:ff:ff:ff:ff:ff"), "arp_sender"),
    "sender zero": (arp_request(SHARED, hwsrc="00:00:00:00:00:00"), "arp_sender"),
    "claims the shared address": (arp_request(SHARED, sender_ip=SHARED), "arp_claim"),
    "claims our own address": (arp_request("192.0.2.2", sender_ip="192.0.2.2"), "arp_claim"),
    "our own announcement, reflected": (arp_request(SHARED, sender=VMAC, sender_ip=SHARED),
                                        "arp_announcement"),
    "sender has our MAC": (arp_request(SHARED, sender=VMAC), "arp_sender"),
    "another's address": (arp_request("192.0.2.9"), "arp_not_ours"),
    "the VLAN's address, untagged": (arp_request(VLAN_SHARED), "arp_not_ours"),
    "our address on a foreign VLAN": (arp_request(SHARED, vlan=21), "arp_not_ours"),
    "another's MAC": (arp_request(SHARED, to="02:00:00:00:00:99"), "not_our_mac"),
    "source multicast": (GOOD[:6] + mac_bytes("03:00:00:00:00:01") + GOOD[12:],
                         "source_mac"),
    "source zero": (GOOD[:6] + bytes(6) + GOOD[12:], "source_mac"),
    "two tags": (bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=CLIENT_MAC) / Dot1Q(vlan=20)
                       / Dot1Q(vlan=21) / Ether(GOOD).payload), "vlan_stacked"),
    "unknown type": (GOOD[:12] + b"\x88\xb5" + bytes(46), "ethertype"),
}

OWN, PORT_MAC = "192.0.2.2", "02:00:00:00:00:01"  # the real MAC is put in when it is sent
ECHO = echo_request(OWN, PORT_MAC)


def _ip(at, value):
    """The good echo request with a byte of its IP header changed and the checksum mended."""
    return mended(ECHO[:14 + at] + bytes([value]) + ECHO[15 + at:])


BAD_IP = {f"cut to {n} bytes": (ECHO[:n], "ipv4_length") for n in (14, 20, 33, 34, 41, 97)}
BAD_IP |= {
    "total length 19": (_ip(3, 19), "ipv4_length"),
    "total length past the end": (_ip(2, 1), "ipv4_length"),
    "version 5": (_ip(0, 0x55), "ipv4_header"),
    "IHL 4": (_ip(0, 0x44), "ipv4_header"),
    "IHL 6": (_ip(0, 0x46), "ipv4_options"),
    "checksum": (ECHO[:24] + bytes([ECHO[24] ^ 1]) + ECHO[25:], "ipv4_checksum"),
    "source multicast": (echo_request(OWN, PORT_MAC, sender_ip="224.0.0.5"),
                         "ipv4_source"),
    "source broadcast": (echo_request(OWN, PORT_MAC, sender_ip="255.255.255.255"),
                         "ipv4_source"),
    "source 0.0.0.0": (echo_request(OWN, PORT_MAC, sender_ip="0.0.0.0"), "ipv4_source"),
    "source our own": (echo_request(OWN, PORT_MAC, sender_ip=OWN), "ipv4_source"),
    "to another": (echo_request("192.0.2.9", PORT_MAC), "ipv4_not_ours"),
    "UDP": (_ip(9, 17), "ipv4_protocol"),
    "ICMP of 4 bytes": (mended(ECHO[:16] + b"\x00\x18" + ECHO[18:38]), "icmp_length"),
    "ICMP checksum": (ECHO[:36] + bytes([ECHO[36] ^ 1]) + ECHO[37:], "icmp_checksum"),
    "echo reply": (echo_request(OWN, PORT_MAC, icmp={"type": 0}), "icmp_not_echo"),
    "timestamp request": (echo_request(OWN, PORT_MAC, icmp={"type": 13}),
                          "icmp_not_echo"),
    "echo with code 1": (echo_request(OWN, PORT_MAC, icmp={"code": 1}), "icmp_not_echo"),
}


# C4.5 refused, C11.5 refused, C11.6 refused, C11.8 refused, C14.1 refused, C14.3 refused
@pytest.mark.parametrize("name", BAD)
def test_bad_arp(master, name):
    packet, reason = BAD[name]
    master.expect_drop(packet, reason)


# C4.3 refused, C11.13 refused
@pytest.mark.parametrize("name", BAD_IP)
def test_bad_ipv4(master, name):
    packet, reason = BAD_IP[name]
    master.expect_drop(mac_bytes(master.box.mac) + packet[6:], reason)


def test_still_the_owner(master):
    """Nothing above changed who owns the address."""
    slot = master.box.slot()
    assert slot["role"] == "MASTER"
    assert master.ask(arp_request(SHARED)).data == expected_arp_reply(VMAC, SHARED)
