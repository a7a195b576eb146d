"""Two boxes that know each other's addresses: with and instead of multicast (CARP.md §13)."""

import collections
import time

import pytest

from boxes import OWN, OWN6, SHARED, SHARED6, Pair
from lab import carp, netns, until

FAMILIES = {"IPv4": (4,), "IPv6": (6,), "both families": (4, 6)}
MARGIN_MS = 5 + 20  # promise 2 of design.md, and a machine that has other things to do
_ADDRESSES = {4: SHARED, 6: SHARED6}
_OWN = {4: OWN, 6: OWN6}

# Advertisements to the groups do not reach the port.
_NO_MULTICAST = """
table bridge lab {
  chain deliver { type filter hook forward priority 0; oifname "%s" ip daddr 224.0.0.18 drop; }
}
"""


def _pair(lab, families, multicast):
    pair = Pair(lab, "brisk", addresses=tuple(_ADDRESSES[f] for f in families))
    for box, peer in ((pair.a, "b"), (pair.b, "a")):
        box.groups[0].extra = {"multicast": multicast, "peers": [_OWN[f][peer] for f in families]}
        box.write_config()
    return pair


def _up(pair):
    """As Pair.up(), but a group of IPv6 alone speaks from the address that its peer knows."""
    pair.a.start()
    pair.a.wait_role("MASTER", within=6)
    pair.b.start()
    _heard(pair.b, pair.a, "a")
    return pair


def _heard(backup, master, name):
    backup.wait_role("BACKUP", within=3)
    until(f"{backup.name} to hear {name}", lambda: (backup.slot()["master"] or {}).get(
        "address") in (OWN[name], OWN6[name]), within=5)
    assert master.role() == "MASTER" and backup.role() == "BACKUP"


def _destination(frame):
    return frame.ipv6().destination if frame.ipv6() else ".".join(map(str, frame.payload[16:20]))


def _verdicts(box):
    return box.counters()["slots"][0]["adverts_received"]


def _adverts(pair, name, since_ns=0):
    return pair.observer.frames(name, since_ns, lambda f: f.carp() is not None)


def _sends_to(pair, name, destinations):
    """Waits until the box has sent to all of these (it finds MACs first) and returns what it sent,
    none of which went elsewhere."""
    until(f"{name} to send to {destinations}", lambda: destinations <= {
        _destination(f) for f in _adverts(pair, name)}, within=5, every=0.05)
    sent = _adverts(pair, name)
    assert {_destination(f) for f in sent} == destinations
    return sent


# C13.1 kept, C13.2 kept, C13.11 kept
@pytest.mark.parametrize("families", FAMILIES.values(), ids=FAMILIES)
def test_no_multicast_at_all(lab, families):
    """Elect, take over after SIGKILL, and nothing goes to a group on the wire."""
    pair = _up(_pair(lab, families, multicast=False))
    _sends_to(pair, "a", {_OWN[f]["b"] for f in families})
    began = time.time_ns()
    pair.a.kill()
    pair.b.wait_role("MASTER", within=2)
    heard, first = _adverts(pair, "a")[-1], _adverts(pair, "b", began)[0]
    down = pair.b.groups[0].master_down_ms()
    assert down - 2 <= (first.time_ns - heard.time_ns) / 1e6 <= down + MARGIN_MS
    pair.a.start()
    _heard(pair.a, pair.b, "b")
    for name, peer in (("a", pair.b), ("b", pair.a)):
        sent = _sends_to(pair, name, {_OWN[f][peer.name] for f in families})
        assert {f.data[:6].hex(":") for f in sent} == {peer.mac}
    assert not {"carp_replay", "carp_destination"} & pair.b.drops().keys()


# C13.3 kept
def test_both_ways_at_once(lab):
    """Each advertisement is on the wire twice with one counter; the second copy changes nothing."""
    pair = _up(_pair(lab, (4,), multicast=True))
    until("the peer's MAC to be found", lambda: any(
        _destination(f) == OWN["b"] for f in _adverts(pair, "a")), within=5)
    before, began = _verdicts(pair.b), time.time_ns()
    time.sleep(1)
    copies = collections.defaultdict(set)
    for frame in _adverts(pair, "a", began + 100_000_000)[:-2]:
        copies[frame.carp()[8:16]].add(_destination(frame))
    twice = list(copies.values())[1:]  # the first may have been cut in two
    assert len(twice) > 5 and all(to == {carp.GROUP, OWN["b"]} for to in twice)
    now = _verdicts(pair.b)
    more = {verdict: now[verdict] - before[verdict] for verdict in now}
    assert more["accepted"] > 5 and abs(more["accepted"] - more["carp_replay"]) <= 1
    assert sum(more.values()) == more["accepted"] + more["carp_replay"]
    assert pair.b.role() == "BACKUP" and not pair.b.notices()


# C13.3 kept
def test_one_way_is_enough(lab):
    """The multicast copies get lost: nothing changes, until the owner dies."""
    pair = _up(_pair(lab, (4,), multicast=True))
    until("the peer's MAC to be found", lambda: any(
        _destination(f) == OWN["b"] for f in _adverts(pair, "a")), within=5)
    netns.run("ip", "netns", "exec", lab.switch, "nft", "-f", "-", stdin=_NO_MULTICAST % "b")
    began = time.time_ns()
    end = time.monotonic() + 3 * pair.b.groups[0].master_down_ms() / 1000
    while time.monotonic() < end:
        assert (pair.a.role(), pair.b.role()) == ("MASTER", "BACKUP")
        time.sleep(0.05)
    assert not pair.observer.adverts("b", began)
    pair.change(pair.a.kill, pair.b, within=2)


# C13.11 refused
def test_a_stranger_is_refused(lab):
    """An advertisement, signed with the right key, from an address that is no peer's."""
    pair = _up(_pair(lab, (4,), multicast=False))
    tap = pair.b.tap()
    stranger = carp.Speaker(tap, "192.0.2.9", key=pair.a.groups[0].key,
                            addresses=[SHARED], first_counter=time.time_ns() // 1000)
    header = stranger.header(advbase=0, advskew=0)
    for to, mac in ((OWN["b"], pair.b.mac), (carp.GROUP, carp.GROUP_MAC)):
        before = pair.b.drops().get("carp_destination", 0)
        tap.send(carp.frame("192.0.2.9", header, destination=to, destination_mac=mac))
        until("a drop", lambda b=before: pair.b.drops().get("carp_destination", 0) == b + 1, 1)
    assert pair.b.slot()["master"]["address"] == OWN["a"]
