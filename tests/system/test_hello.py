"""The hello between koi boxes (CARP.md §21): a BACKUP is seen, its death too, and nothing else changes.

The oracle is Python's hmac and struct over CARP.md §21 (lab/hello.py).
"""

import http.client
import os
import re
import secrets
import time

import pytest

from boxes import OWN, SHARED, Pair
from lab import carp, hello, netns, until

KEY = secrets.token_bytes(32)
INTERVAL = 0.4  # s
EXPORTER_PORT = 9477  # in the box's own namespace: nobody else is there
STRANGER, STRANGER_MAC = "192.0.2.99", "02:00:00:00:00:99"


def _trailer(lab):
    path = os.path.join(lab.folder, "hello.key")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="ascii") as f:
        f.write(f"hex:{KEY.hex()}\n")
    return {"mode": "enforce", "key-file": path, "key-id": 1,
            "hello-interval": f"{INTERVAL * 1000:.0f}ms"}


@pytest.fixture(scope="module")
def pair(module_lab):
    made = Pair(module_lab, "patient", extra={"trailer": _trailer(module_lab)}).up()
    box = made.a
    made.exporter = box.spawn([os.path.join(box.lab.build, "koi-exporter"), "--socket", box.socket,
                               "--listen", f"127.0.0.1:{EXPORTER_PORT}"], log="exporter.log")
    return made


def _peers(box):
    """Address to what status says."""
    return {p["address"]: p for p in box.status()["groups"][0].get("peers", [])}


def _wait_peer(box, name, **wanted):
    def there():
        peer = _peers(box).get(OWN[name])
        return peer if peer and all(peer.get(k) == v for k, v in wanted.items()) else None
    return until(lambda: f"{box.name} to see {name} with {wanted}: {_peers(box)}", there, within=5)


def _received(box):
    return box.counters()["slots"][0]["hellos_received"]


def _metric(box, name, labels):
    """Scraped over HTTP; None when there is no such line."""
    def text():
        try:
            with netns.inside(box.namespace):
                connection = http.client.HTTPConnection("127.0.0.1", EXPORTER_PORT, timeout=5)
                connection.connect()
        except OSError:
            return None
        connection.request("GET", "/metrics")
        body = connection.getresponse().read().decode()
        connection.close()
        return body
    found = re.search(rf"^{name}\{{{re.escape(labels)}\}} (\S+)$",
                      until("the exporter to answer", text, within=5), re.M)
    return float(found[1]) if found else None


def _hellos(pair, name, since_ns=0):
    """What the box has sent: (Ethernet destination, IP packet)."""
    return [(f.data[:6].hex(":"), f.payload) for f in pair.observer.frames(
        name, since_ns, hello.is_hello)]


# C21.2 kept, C21.3 kept, C21.5 kept, C21.8 kept, C21.9 kept
def test_each_lists_the_other(pair):
    """Role, version and node of both; what is on the wire is what Python makes of it."""
    version = pair.a.status()["version"]
    _wait_peer(pair.a, "b", role="BACKUP", node_id=2, version=version, differs=[], silent=False)
    _wait_peer(pair.b, "a", role="MASTER", node_id=1, version=version, differs=[], silent=False)
    assert f"peer {OWN['b']} (node 2): BACKUP, koid {version}, seen " in pair.a.ctl_ok("status")
    until("hellos that know each other", lambda: all(
        len([h for h in _hellos(pair, n) if h[1][28 + 15] == 0]) >= 2 for n in "ab"), within=5)
    for name, other, node in (("a", pair.b, 1), ("b", pair.a, 2)):
        sequences = []
        for to, packet in _hellos(pair, name):
            data, asks = packet[28:], packet[28 + 15] == 1
            sequence = int.from_bytes(data[64 + 4:64 + 12], "big")
            masters = int.from_bytes(data[16:20], "big")
            message = hello.message(addresses=[SHARED], node=node, advbase=0, lowest_advskew=60,
                                    asks=asks, masters=masters, backups=masters ^ 1,
                                    version=version)
            frame = hello.frame(OWN[name], OWN[other.name], message + hello.trailer(
                KEY, 1, sequence, OWN[name], message), source_mac=pair.other(other).mac,
                destination_mac=to, identification=sequence & 0xFFFF)
            assert frame[14:] == packet
            assert to == other.mac or asks  # until it is known the virtual MAC leads there
            sequences.append(sequence)
        assert sequences == sorted(set(sequences))
        assert abs(sequences[-1] / 2**32 - time.time()) < 30


# C21.1 kept, C21.1 refused, C21.5 refused, C21.7 refused, C21.9 refused, C21.11 refused
def test_forged_and_replayed_ones_change_nothing(pair):
    """Each is counted for what it is, none is answered, and the peer is as it was."""
    box, tap = pair.a, pair.a.tap()
    # How many copies of its own the bridge may have kept is not asked: `b` is real, and counts too.
    captured = _hellos(pair, "b")[-1][1]
    head = bytes.fromhex(box.mac.replace(":", "") + pair.b.mac.replace(":", "") + "0800")
    before, roles = _received(box)["hello_old"], (box.role(), pair.b.role())
    term = box.slot()["term"]
    until("a second hello", lambda: _hellos(pair, "b")[-1][1] != captured, within=5)
    time_ns = time.time_ns()
    for _ in range(3):
        tap.send(head + captured)
    until("the replays to be counted", lambda: _received(box)["hello_old"] == before + 3, within=3)

    def forged(reason, *, key=KEY, key_id=1, cut=None, kind=hello.VERSION_BYTE, ttl=255, scheme=1,
               **fields):
        text = hello.message(addresses=[SHARED], advbase=0, lowest_advskew=60, masters=1, backups=0,
                             **fields)
        text = text[:cut] if cut and cut < 64 else text + bytes((cut or 64) - 64)
        tail = hello.trailer(key, key_id, carp.trailer_sequence(time.time()), STRANGER, text,
                             kind=kind, scheme=scheme, vhid=text[5])
        count = box.drops().get(reason, 0)
        tap.send(hello.frame(STRANGER, OWN["a"], text + tail, source_mac=STRANGER_MAC,
                             destination_mac=box.mac, ttl=ttl))
        until(f"a drop for {reason}", lambda: box.drops().get(reason, 0) == count + 1, within=2,
              every=0.005)

    forged("hello_mac", key=bytes(32))
    forged("hello_mac", kind=0xC2)
    forged("hello_key", key_id=2)
    forged("hello_size", cut=63)
    forged("hello_size", cut=129)
    forged("hello_ttl", ttl=254)
    forged("hello_format", layout=2)
    forged("hello_format", magic=b"VRRP")
    forged("hello_format", scheme=2)
    forged("hello_vhid", vhids=(9,))
    assert set(_peers(box)) == {OWN["b"]}
    assert (box.role(), pair.b.role()) == roles and box.slot()["term"] == term
    _wait_peer(box, "b", role="BACKUP", silent=False)
    said = [f for f in pair.observer.frames("a", time_ns) if f.ip_protocol() in (1, 17)]
    assert all(f.payload[16:20] == bytes([192, 0, 2, 3]) for f in said), "somebody was answered"


# C21.13 kept
def test_another_address_list_is_named(pair):
    """`b` goes over to a longer one, `a` has not yet: both say so, and that it is over."""
    b = pair.b
    settings = b.settings()
    group = settings["groups"]["lan-gateway"]
    grown = [SHARED, "192.0.2.5"]
    b.write_config(settings | {"groups": {"lan-gateway": group | {
        "addresses": grown, "previous-addresses": [SHARED]}}})
    b.ctl_ok("reload")
    _wait_peer(pair.a, "b", differs=["addresses"], role="BACKUP")
    _wait_peer(b, "a", differs=["addresses"], role="MASTER")
    assert f"peer {OWN['b']} DIFFERS from this box: addresses" in pair.a.ctl_ok("status")
    told = f"peer differs, {OWN['b']} (node 2) has other addresses than this box"
    assert told in pair.a.ctl_ok("events")
    peer = f'group="lan-gateway",vhid="1",peer="{OWN["b"]}",what='
    assert _metric(pair.a, "koi_peer_differs", peer + '"addresses"') == 1
    assert _metric(pair.a, "koi_peer_differs", peer + '"hash"') == 0
    b.write_config(settings)
    b.ctl_ok("reload")
    _wait_peer(pair.a, "b", differs=[])
    assert f"peer agrees, {OWN['b']} (node 2)" in pair.a.ctl_ok("events")
    assert pair.a.role() == "MASTER" and b.role() == "BACKUP"


# C21.14 kept
def test_a_dead_backup_is_seen(pair):
    """It never said a word in CARP; its last hello grows old, and that is told."""
    labels = f'group="lan-gateway",vhid="1",peer="{OWN["b"]}"'
    assert _metric(pair.a, "koi_peer_last_seen_seconds", labels) < 5
    term = pair.a.slot()["term"]
    pair.b.kill()
    died = time.monotonic()
    gone = _wait_peer(pair.a, "b", silent=True, role="BACKUP")
    assert gone["last_seen_seconds"] >= 3.5 * INTERVAL
    first = _metric(pair.a, "koi_peer_last_seen_seconds", labels)
    assert 3.5 * INTERVAL <= first <= time.monotonic() - died + INTERVAL + 1.5
    assert _metric(pair.a, "koi_peer_last_seen_seconds", labels) > first
    assert re.search(rf"peer {OWN['b']} \(node 2\): NOT SEEN for \d+s, was BACKUP",
                     pair.a.ctl_ok("status"))
    assert f"peer silent, {OWN['b']} (node 2): no hello of it for" in pair.a.ctl_ok("events")
    assert pair.a.role() == "MASTER" and pair.a.slot()["term"] == term
