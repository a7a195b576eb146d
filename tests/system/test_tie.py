"""Groups tied together: a firewall's two sides move to the other box as one (CARP.md §18)."""

import datetime
import time

import pytest

from boxes import OVERLAP_ALLOWED_MS, SHARED
from lab import Client, Group, last_answer, overlap_ms, until

pytestmark = pytest.mark.alone

SIDES = {"lan": SHARED, "wan": "203.0.113.1"}  # port, and group, to its shared address
OWN = {"a": ("192.0.2.2", "203.0.113.2"), "b": ("192.0.2.3", "203.0.113.3")}
MARGIN_MS = 5  # promise 2 of design.md
TOGETHER_S = 0.02  # one preempts, the other one is called by the bow-out of a peer that is tied too
NOISE_MS = 30  # of a cable that is pulled: the kernel tells its owner at leisure


class Firewalls:
    """Two boxes between two segments, a client on either; `a` is preferred."""

    def __init__(self, lab):
        self.lab = lab
        outside = lab.segment("wan")
        self.boxes = [self._box(lab, outside, number, name, skew)
                      for number, (name, skew) in enumerate((("a", 20), ("b", 40)), 1)]
        self.a, self.b = self.boxes
        self.clients = {"lan": lab.client, "wan": lab.station(
            "outside", "203.0.113.100", Client, bridge=outside)}
        self.observers = {side: lab.observer(*self.boxes, port=side) for side in SIDES}

    @staticmethod
    def _box(lab, outside, number, name, skew):
        lan, wan = OWN[name]
        groups = [Group(name=side, port=side, vhid=vhid, advbase=0, advskew=skew,
                        lowest_advskew=20, preempt=True, addresses=(address,),
                        extra={"tie": [other]})
                  for vhid, (side, address, other) in enumerate(
                      ((s, x, o) for (s, x), o in zip(SIDES.items(), reversed(SIDES))), 1)]
        return lab.koi(name, own=lan, node_id=number, ports={"wan": (outside, wan)}, groups=groups)

    def roles(self, box):
        status = box.status()
        return {g["name"]: g["slots"][0]["role"] for g in status["groups"]}

    def wait_roles(self, box, within, **roles):
        until(lambda: f"{box.name} to be {roles}, it is {self.roles(box)}",
              lambda: self.roles(box) == roles, within, every=0.005)

    def up(self):
        for box in self.boxes:
            box.start()
        self.owned_by(self.a)
        return self

    def owned_by(self, box, within=5):
        self.wait_roles(box, within, lan="MASTER", wan="MASTER")
        other = self.b if box is self.a else self.a
        self.wait_roles(other, within, lan="BACKUP", wan="BACKUP")

    def since(self, box):
        """When the roles began, by side, in seconds."""
        return {g["name"]: datetime.datetime.fromisoformat(
            g["slots"][0]["since"].replace("Z", "+00:00")).timestamp()
                for g in box.status()["groups"]}


@pytest.fixture
def firewalls(lab):
    return Firewalls(lab).up()


# C18.1 kept, C18.2 kept
@pytest.mark.parametrize("pulled", SIDES)
def test_one_cable_moves_both(firewalls, lab, pulled):
    """The healthy side leaves at once, by a bow-out, and does not wait for the other one; when the
    cable is back both return together."""
    f = firewalls
    other = next(side for side in SIDES if side != pulled)
    began = time.time_ns()
    probes = {side: lab.probe(address, f.clients[side]) for side, address in SIDES.items()}
    with probes["lan"], probes["wan"]:
        time.sleep(0.1)
        moment = time.time_ns()
        f.a.plug(False, pulled)
        f.wait_roles(f.b, 3, lan="MASTER", wan="MASTER")
        f.wait_roles(f.a, 1, **{pulled: "INIT", other: "BACKUP"})
        time.sleep(0.2)
        moved = time.time_ns() - 50_000_000
        f.a.plug(True, pulled)
        f.owned_by(f.a)
        time.sleep(0.2)
        back = time.time_ns() - 50_000_000
        results = {side: probe.stop() for side, probe in probes.items()}
    down = f.b.groups[0].master_down_ms()
    bow_outs = {}
    for side, address in SIDES.items():
        answers = f.observers[side].answers(address, began)
        owners = [a.box for a in answers]
        assert owners[0] == "a" and "b" in owners and owners[-1] == "a"
        overlap = overlap_ms(answers)
        assert overlap <= OVERLAP_ALLOWED_MS, f"{side}: two boxes answered for {overlap:.3f} ms"
        first = next(a.time_ns for a in answers if a.box == "b")
        left = last_answer([a for a in answers if a.time_ns < first], "a")
        late = results[side].late_ms(left - 2_000_000, moved)
        outage = results[side].outage_ms("arp", left - 2_000_000, moved)
        print(f"{side}: {outage:.1f} ms without an answer, the probe {late:.1f} ms late")
        # The cable's side falls silent; the other one is handed over.
        assert outage <= (down + MARGIN_MS if side == pulled else MARGIN_MS) + late + NOISE_MS
        bow_outs[side] = [t for t, c in f.observers[side].adverts("a", moment)
                          if (c[5], c[2]) == (255, 255) and t < back]
    assert len(bow_outs[other]) == 1 and not bow_outs[pulled]
    lan, wan = f.since(f.a).values()
    assert abs(lan - wan) <= TOGETHER_S


# C18.2 refused
def test_a_tied_master_stays_while_the_other_side_is_well(firewalls):
    """A box that returns for one side takes neither side alone: never one firewall in, the other
    one out, for longer than the change lasts."""
    f = firewalls
    f.a.kill()
    f.wait_roles(f.b, 3, lan="MASTER", wan="MASTER")
    f.a.plug(False, "wan")
    f.a.start()
    f.wait_roles(f.a, 2, lan="BACKUP", wan="INIT")
    end = time.monotonic() + 4 * f.a.groups[0].master_down_ms() / 1000
    while time.monotonic() < end:
        assert f.roles(f.b) == {"lan": "MASTER", "wan": "MASTER"}
        time.sleep(0.02)
    f.a.plug(True, "wan")
    f.owned_by(f.a)
