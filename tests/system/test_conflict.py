"""Others who use what is ours (CARP.md §16): noticed, defended against with measure, and obeyed in
nothing.

One box with a group for each kind of conflict, so that all the ten seconds are the same ones.
"""

import dataclasses
import shutil
import time

import pytest
from scapy.all import ARP, IP, UDP, Ether

from lab import Group, Lab, carp, until, wire6
from lab.koibox import KEY
from lab.wire import BROADCAST, mac_bytes, virtual_mac

pytestmark = pytest.mark.alone

OWN, OWN6 = "192.0.2.2", "2001:db8::2"
FOREIGN, FOREIGN_MAC = "192.0.2.66", "02:00:00:00:00:66"
# Slow enough for a machine that leaves a worker waiting, quick enough for a test.
TIMERS = {"advbase": 0, "advskew": 60, "lowest_advskew": 60}
NOTICED_S = 1.0     # after the first frame
DEFENDED_S = 1.0
DEFENCES_S = 10.0   # RFC 5227 §2.4(b): not oftener
CLAIM_EVERY_S = 0.25
SAID_EVERY_S = 1.0  # C16.8


def _arp(vhid, **fields):
    """Scapy's, of the shared address of that group, from a box that is none of ours."""
    shared = f"192.0.2.{100 + vhid}"
    arp = ARP(**{"hwsrc": FOREIGN_MAC, "psrc": shared, "pdst": shared} | fields)
    return bytes(Ether(src=FOREIGN_MAC, dst=BROADCAST) / arp)


def _advertisement(shared):
    """An unsolicited Neighbor Advertisement."""
    message = wire6.advertisement(shared, mac_bytes(FOREIGN_MAC), wire6.OVERRIDE)
    return (mac_bytes(wire6.ALL_NODES_MAC) + mac_bytes(FOREIGN_MAC) + b"\x86\xdd"
            + wire6.packet(shared, wire6.ALL_NODES, message))


@dataclasses.dataclass(frozen=True)
class Claim:
    vhid: int
    notice: str
    frame: bytes
    shared: str

    @property
    def group(self):
        return f"group-{self.vhid}"


CLAIMS = {
    "gratuitous ARP": Claim(1, "address-claimed", _arp(1, op=1), "192.0.2.101"),
    "ARP reply": Claim(2, "address-claimed", _arp(2, op=2, hwdst="02:00:00:00:00:77",
                                                  pdst="192.0.2.77"), "192.0.2.102"),
    "ARP probe's sender": Claim(3, "address-claimed", _arp(3, op=1, pdst=OWN), "192.0.2.103"),
    "unsolicited NA": Claim(4, "address-claimed", _advertisement("2001:db8::104"),
                            "2001:db8::104"),
    "virtual MAC": Claim(5, "virtual-mac-used", bytes(
        Ether(src=virtual_mac(5), dst=BROADCAST) / IP(src=FOREIGN, dst="192.0.2.255") / UDP()),
        "192.0.2.105"),
}
VRRP = {2: 6, 3: 7}  # version to number
OTHERS_KEY = 8


class Stage:
    """A lone MASTER of all the groups, its cable, and what it sends."""

    def __init__(self, lab):
        self.lab = lab
        addresses = {c.vhid: c.shared for c in CLAIMS.values()}
        addresses |= {v: f"192.0.2.{100 + v}" for v in (*VRRP.values(), OTHERS_KEY)}
        groups = [Group(name=f"group-{v}", vhid=v, addresses=(a,), **TIMERS)
                  for v, a in sorted(addresses.items())]
        self.box = lab.koi("a", own=OWN, own6=OWN6, node_id=1, groups=groups)
        self.tap, self.observer = self.box.tap(), lab.observer(self.box)
        self.box.start()
        for group in groups:
            self.box.wait_role("MASTER", 5, group.name)
        for claim in CLAIMS.values():  # those of the takeover are over: see test_announcements
            until("both rounds of announcements", lambda c=claim: len(
                self.observer.announcements("a", c.shared)) >= 2, within=5, every=0.02)

    def transitions(self):
        return {s["group"]: s["transitions"] for s in self.box.counters()["slots"]}


@pytest.fixture(scope="module")
def stage():
    with Lab() as lab:
        yield Stage(lab)


@dataclasses.dataclass
class Story:
    """Of one run of claims: the first frame's time, and when the box announced each address."""

    began_ns: int
    ended_ns: int
    noticed_s: dict   # claim to the seconds after which its notice was there
    notices: dict     # claim to how often
    announced: dict   # claim to times in ns
    same_roles: bool


@pytest.fixture(scope="module")
def story(stage):
    """All claims again and again, for a little longer than two defences need."""
    before = stage.transitions()
    began, noticed = time.time_ns(), {}
    end, following = time.monotonic() + DEFENCES_S + DEFENDED_S + 0.5, 0.0
    while time.monotonic() < end:
        if time.monotonic() >= following:
            following = time.monotonic() + CLAIM_EVERY_S
            for claim in CLAIMS.values():
                stage.tap.send(claim.frame)
        counters = {s["group"]: s["notices"] for s in stage.box.counters()["slots"]}
        now = (time.time_ns() - began) / 1e9
        for name, claim in CLAIMS.items():
            if counters[claim.group][claim.notice]:
                noticed.setdefault(name, now)
        time.sleep(0.02)
    ended = time.time_ns()
    counters = {s["group"]: s["notices"] for s in stage.box.counters()["slots"]}
    return Story(
        began, ended, noticed,
        {name: counters[c.group][c.notice] for name, c in CLAIMS.items()},
        {name: [f.time_ns for f in stage.observer.announcements("a", c.shared, began)]
         for name, c in CLAIMS.items()},
        stage.transitions() == before)


# C16.4 kept, C16.5 kept
@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_noticed(stage, story, name):
    """At once, and then once a second at most."""
    claim = CLAIMS[name]
    assert story.noticed_s[name] <= NOTICED_S
    seconds = (story.ended_ns - story.began_ns) / 1e9
    assert seconds / SAID_EVERY_S / 2 < story.notices[name] <= seconds / SAID_EVERY_S + 1
    assert stage.box.notices(claim.group).keys() == {claim.notice}
    if claim.notice == "virtual-mac-used":
        assert f"virtual-mac-used from {FOREIGN}" in stage.box.log_text()
    else:
        assert "address-claimed from 192.0.2.10" in stage.box.log_text()


# C16.6 kept, C16.6 refused
@pytest.mark.parametrize("name", CLAIMS)
def test_a_claim_is_answered_by_one_announcement_in_ten_seconds(story, name):
    times = [(t - story.began_ns) / 1e9 for t in story.announced[name]]
    assert times, "no defence"
    assert times[0] <= DEFENDED_S
    assert len(times) == 2, f"announced at {times}"
    assert times[1] - times[0] >= DEFENCES_S - 0.1


# C16.7 kept, C16.7 refused
def test_a_claim_changes_no_role(stage, story):
    assert story.same_roles
    for claim in CLAIMS.values():
        assert stage.box.role(claim.group) == "MASTER"


# C16.1 kept, C16.2 kept
@pytest.mark.parametrize("version", VRRP)
def test_keepalived_with_our_number(stage, keepalived, version):
    """VRRP of either version: heard, said, dropped under its reason, no role, no announcement."""
    group = f"group-{VRRP[version]}"
    until(lambda: f"vrrp-heard; noticed {stage.box.notices(group)}",
          lambda: "vrrp-heard" in stage.box.notices(group), within=8)
    assert stage.box.notices(group).keys() == {"vrrp-heard"}
    assert f"vrrp-heard from {keepalived.own}" in stage.box.log_text()
    said = keepalived.wire_adverts(version)
    assert said and all(m[1] == VRRP[version] and m[0] == version << 4 | 1 for m in said)
    assert stage.box.role(group) == "MASTER"
    assert stage.transitions()[group] == keepalived.transitions[group]


def test_keepalived_is_dropped_under_its_reason(stage, keepalived):
    """All that it said, and nothing of it under another one. (It does not say much: a keepalived
    that hears what it takes for a bad VRRP begins its interval anew, and CARP is quicker here.)"""
    until("both versions", lambda: all(keepalived.wire_adverts(v) for v in VRRP), within=8)
    until("all of them to be dropped", lambda: stage.box.drops().get("vrrp", 0) == sum(
        len(keepalived.wire_adverts(v)) for v in VRRP), within=3)
    dropped = {r for r, n in stage.box.drops().items() if n > keepalived.drops.get(r, 0)}
    assert not {r for r in dropped if r.startswith("carp")}


class Neighbor:
    """A keepalived and what it was seen to send."""

    def __init__(self, stage):
        self.transitions, self.drops = stage.transitions(), stage.box.drops()
        self.own = "192.0.2.9"
        made = stage.lab.keepalived("k", self.own, instances=[
            (version, number, f"192.0.2.{150 + version}") for version, number in VRRP.items()])
        self._observer = stage.lab.observer(made)
        made.start()

    def wire_adverts(self, version):
        frames = self._observer.frames("k", 0, lambda f: f.ip_protocol() == 112)
        bodies = [f.payload[(f.payload[0] & 0xF) * 4:] for f in frames]
        return [b for b in bodies if b[0] >> 4 == version]


@pytest.fixture(scope="module")
def keepalived(stage, story):  # after the claims: its own announcements are none of them
    if not shutil.which("keepalived"):
        pytest.skip("keepalived is not installed: apt-get install keepalived")
    return Neighbor(stage)


# C16.3 kept
@pytest.mark.parametrize("what", ["another key", "another address list"])
def test_carp_that_does_not_verify(stage, story, what):
    """Another pair with our number, or a box that is configured differently: said, dropped."""
    group = f"group-{OTHERS_KEY}"
    shared = f"192.0.2.{100 + OTHERS_KEY}"
    key, addresses = (KEY[::-1], [shared]) if what == "another key" else (KEY, [shared, FOREIGN])
    header = carp.header(key, OTHERS_KEY, addresses, time.time_ns(), advbase=0, advskew=0)
    time.sleep(SAID_EVERY_S + 0.1)  # C16.8: after those of the test before
    before = (stage.box.notices(group).get("digest-differs", 0),
              stage.box.drops().get("carp_digest", 0))
    roles, began = stage.transitions(), time.time_ns()
    for _ in range(3):
        stage.tap.send(carp.frame(FOREIGN, header, vhid=OTHERS_KEY))
    until("carp_digest", lambda: stage.box.drops().get("carp_digest", 0) == before[1] + 3, 1)
    until("digest-differs", lambda: stage.box.notices(group).get(
        "digest-differs") == before[0] + 1, within=1)
    assert f"digest-differs from {FOREIGN}" in stage.box.log_text()
    time.sleep(0.3)
    assert stage.transitions() == roles and stage.box.role(group) == "MASTER"
    # It is nobody's address that is claimed: there is nothing to defend.
    assert not stage.observer.announcements("a", shared, began)
