"""The boxes that several tests use."""

import os
import subprocess
import time

import pytest

from lab import last_answer, overlap_ms, until, wire6

SHARED, SHARED6 = "192.0.2.1", "2001:db8::1"
OWN = {"a": "192.0.2.2", "b": "192.0.2.3"}
OWN6 = {"a": "2001:db8::2", "b": "2001:db8::3"}
VMAC = "00:00:5e:00:01:01"

# Timers. `tight` is the shortest there is (11.7 ms); `brisk` is quick and bears a busy machine;
# `patient` bears pauses of half a second; `seconds` is what most people run.
TIMERS = {
    "tight": ({"advbase": 0, "advskew": 0, "lowest_advskew": 0},
              {"advbase": 0, "advskew": 1, "lowest_advskew": 0}),
    "brisk": ({"advbase": 0, "advskew": 20, "lowest_advskew": 20},
              {"advbase": 0, "advskew": 40, "lowest_advskew": 20}),
    "patient": ({"advbase": 0, "advskew": 60, "lowest_advskew": 60},
                {"advbase": 0, "advskew": 80, "lowest_advskew": 60}),
    "seconds": ({"advbase": 1, "advskew": 0}, {"advbase": 1, "advskew": 100}),
}

# Promise 1 of design.md: two wire delays plus 1 ms. A wire here is a veth pair and a bridge; its
# delay is what the kernel takes to run the receiving side, 0.1 ms when nothing else runs.
OVERLAP_ALLOWED_MS = 1.5


def need_in_this_version(box):
    """Skips the test iff koid says itself that its version lacks what the configuration asks for.

    Any other complaint is left for the start to fail with.
    """
    said = subprocess.run([box.program, "--check", "-c", box.config], capture_output=True,
                          text=True, check=False)
    lacking = [line for line in (said.stdout + said.stderr).splitlines()
               if "is not in this version" in line]
    if lacking:
        pytest.skip(lacking[0].partition(": ")[2])


def capabilities(pid):
    """Of each thread that has any, by its name: the effective and permitted ones, as bits."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{number}/status", encoding="ascii") as f:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
        if bits := int(status["CapEff"], 16) | int(status["CapPrm"], 16):
            found[status["Name"]] = bits
    return found


class Pair:
    """Two boxes and an eye on them. `a` is preferred and the master once up() returns."""

    def __init__(self, lab, timers, **group):
        first, second = TIMERS[timers]
        self.lab = lab
        own6 = OWN6 if any(":" in a for a in group.get("addresses", ())) else {}
        self.a = lab.koi("a", own=OWN["a"], own6=own6.get("a"), node_id=1, **first, **group)
        self.b = lab.koi("b", own=OWN["b"], own6=own6.get("b"), node_id=2, **second, **group)
        self.observer = lab.observer(self.a, self.b)

    def up(self):
        self.a.start()
        self.a.wait_role("MASTER", within=6)
        self.b.start()
        self.settled(self.a)
        return self

    def settled(self, owner):
        """Waits until the other box is BACKUP and has heard the owner, which owns it."""
        backup = self.other(owner)
        backup.wait_role("BACKUP", within=3)
        # Of a group without IPv4 the source is the box's link-local address.
        sources = (owner.own, wire6.link_local(owner.mac))
        until(f"{backup.name} to hear {owner.name}", lambda: (backup.slot()["master"] or {}).get(
            "address") in sources, within=3)
        # The start of a program may cost the other one a lease of a few ms.
        until(f"{owner.name} to own it", lambda: owner.role() == "MASTER"
              and backup.role() == "BACKUP", within=3)

    def other(self, box):
        return self.b if box is self.a else self.a

    def owner(self):
        return self.a if self.a.role() == "MASTER" else self.b

    def change(self, act, heir, within, linger=0.2):
        """Probes while act() makes heir the owner.

        act() returns its moment in ns. Returns (ARP outage, echo outage, the probe's own delay) in
        ms, the moment, and the answers since just before it. Asserts that no two boxes answered.
        """
        probe = self.lab.probe(SHARED)
        with probe:
            began = time.time_ns()
            time.sleep(0.2)  # some answers, for the figure's near end
            moment = act()
            heir.wait_role("MASTER", within)
            time.sleep(linger)  # further answers, for the figure's far end
            seen = time.time_ns() - 100_000_000
            result = probe.stop()
        answers = self.observer.answers(SHARED, began)
        overlap = overlap_ms(answers)
        assert overlap <= OVERLAP_ALLOWED_MS, f"two boxes answered for {overlap:.3f} ms"
        assert answers[-1].box == heir.name
        window = (last_answer(answers, self.other(heir).name) - 2_000_000, seen)
        return (result.outage_ms("arp", *window), result.outage_ms("echo", *window),
                result.late_ms(*window)), moment, answers
