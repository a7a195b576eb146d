"""Mass failover: 255 groups of 16 addresses are on one box, which is killed."""

import collections
import contextlib
import dataclasses
import os
import socket
import statistics
import time

from lab import Group, Lab, until
from lab.station import IFACE

from meter_lib.memif import MemifLink
from meter_lib.veth import VethLink, announces

GROUPS, ADDRESSES = 255, 16
GOAL_MS = 20.0
OWN = {"a": "10.0.0.2", "b": "10.0.0.3"}
LINKS = {"veth": VethLink, "memif": MemifLink}
_PRIORITY, _CORE = 45, 0   # below koid's control thread, which is on that core; off its worker's


def addresses(groups, each):
    return {vhid: [f"10.1.{vhid}.{n}" for n in range(1, each + 1)]
            for vhid in range(1, groups + 1)}


@dataclasses.dataclass
class MassSample:
    """Milliseconds, from the kill on but for the longest. Detection: when the last group's master-down
    time was over, counted from the last advertisement that the dead box sent for it."""

    owner: str
    detection_ms: float
    spread_ms: float         # so long before, it was over for the first group
    announced_ms: float      # every address's first gratuitous ARP was seen
    answered_ms: float       # every address's first answer
    longest_ms: float | None # that an address waited for both after its own group's; None: one has none
    before_ms: float         # before the kill: the client asks the living box for all, all answered
    client_ms: float         # of it the client's own work: it can be no quicker
    unannounced: int
    unanswered: int
    dropped: dict            # by the heir, or on its way to it, from the kill on: reason to count

    @property
    def after_ms(self):
        return max(self.announced_ms, self.answered_ms) - self.detection_ms

    @property
    def reached(self):
        return self.longest_ms is not None and self.longest_ms <= GOAL_MS


def figures(owner, down_ms, killed_ns, claims, announced, answered, wanted, before, dropped):
    """claims: group to the dead box's last advertisement; announced, answered: address to the heir's
    first; wanted: address to its group. Times in ns. before: Asked."""
    due = max(claims.values()) + down_ms * 1e6
    missing = [wanted.keys() - first.keys() for first in (announced, answered)]
    longest = None if any(missing) else max(
        first[address] - claims[group] for address, group in wanted.items()
        for first in (announced, answered)) / 1e6 - down_ms

    def until_last(times):
        return (max(times.values(), default=killed_ns) - killed_ns) / 1e6
    spread = max(claims.values()) - min(claims.values())
    return MassSample(owner, (due - killed_ns) / 1e6, spread / 1e6, until_last(announced),
                      until_last(answered), longest, before.whole_ms, before.busy_ms,
                      *map(len, missing), dropped)


class Mass:
    """Two boxes with all those groups."""

    def __init__(self, advbase, advskew, link=VethLink, groups=GROUPS, each=ADDRESSES, build=None):
        """advskew: of the first box, and the lowest; the other's is one more."""
        self.addresses = addresses(groups, each)
        self.wanted = {socket.inet_aton(a): vhid for vhid, members in self.addresses.items()
                       for a in members}
        self.lab = Lab(build)
        try:
            self.boxes = [self._box(name, advbase, advskew + more, advskew)
                          for more, name in enumerate(OWN)]
            self.link = link(self.lab, self.boxes, self.addresses)
            for box in self.boxes:
                settings = box.settings()
                settings["ports"][IFACE]["addresses"] = [f"{box.own}/8"]
                box.write_config(settings)
        except BaseException:
            self.lab.close()
            raise

    def close(self):
        self.lab.close()

    def _box(self, name, advbase, skew, lowest):
        return self.lab.koi(name, own=OWN[name], node_id=len(self.lab.stations), groups=[
            Group(name=f"g{vhid}", vhid=vhid, advbase=advbase, advskew=skew,
                  lowest_advskew=lowest, addresses=tuple(members))
            for vhid, members in self.addresses.items()])

    def up(self):
        """The first box has all groups before the second one starts."""
        first, second = self.boxes
        first.start(within=30)
        self._owns_all(first)
        second.start(within=30)
        self.settled()

    def down(self):
        for box in self.boxes:
            if box.running():
                box.kill()

    def running(self):
        return all(box.running() for box in self.boxes)

    @staticmethod
    def _owns_all(box):
        def there():
            status = box.status()
            return status and all(g["slots"][0]["role"] == "MASTER" for g in status["groups"])
        until(f"{box.name} to own all groups", there, within=30, every=0.1)

    def settled(self):
        """Waits until all groups are on one box and the other one knows it. Returns (owner, other).
        """
        seen = {}

        def there():
            self.link.forget()
            statuses = [box.status() for box in self.boxes]
            if not all(statuses):
                return None
            slots = [[g["slots"][0] for g in s["groups"]] for s in statuses]
            seen["roles"] = [{r: sum(s["role"] == r for s in each)
                              for r in {s["role"] for s in each}} for each in slots]
            for owner, other in ((0, 1), (1, 0)):
                source = self.boxes[owner].own
                if (all(s["role"] == "MASTER" for s in slots[owner])
                        and all(s["role"] == "BACKUP" and (s["master"] or {}).get("address")
                                == source for s in slots[other])):
                    return self.boxes[owner], self.boxes[other]
            return None
        return until(lambda: f"all groups on one box: {seen}", there, within=60, every=0.1)

    def sample(self):
        """Kills whoever owns them, and brings it back."""
        owner, heir = self.settled()
        drops = collections.Counter(heir.drops())
        with _urgent():
            before = self.link.ask(owner, 5, at_once=True)
            assert not before.left, f"the living box left {before.left} addresses without an answer"
            self.link.forget()
            since = self.link.now()
            # Each group advertises, on a machine that is late now and then, too.
            time.sleep(1.2 * owner.groups[0].master_down_ms() / 3000 + 0.005)
            killed = self.link.now()
            owner.process.kill()  # not waited for: a process takes its time to be gone
            self.link.ask(heir, 5 + heir.groups[0].master_down_ms() / 1000)
        owner.process.wait()
        self._announcements_end(heir, killed)
        claims, (announced, answered) = self._claims(owner, since), self._firsts(heir, killed)
        missing = len(self.addresses) - len(claims)
        assert not missing, f"no advertisement of {missing} groups before the kill"
        dropped = dict(collections.Counter(heir.drops()) - drops) | self.link.lost(heir)
        self._owns_all(heir)
        owner.start(within=30)
        return figures(owner.name, heir.groups[0].master_down_ms(), killed, claims, announced,
                       answered, self.wanted, before, dropped)

    def _announcements_end(self, heir, killed):
        """They may come after the answers; those of the second round two advertisements later."""
        end = time.monotonic() + 1 + 2 * heir.groups[0].master_down_ms() / 3000
        while time.monotonic() < end and self.link.announced(heir, killed) < len(self.wanted):
            time.sleep(0.05)

    def _claims(self, owner, since):
        return {f.data[11]: f.time_ns for f in self.link.frames(owner, since)
                if f.data[12:14] == b"\x08\0" and f.data[23] == 112}

    def _firsts(self, heir, killed):
        announced, answered = {}, {}
        for frame in self.link.frames(heir, killed):
            if frame.data[12:14] == b"\x08\x06" and frame.data[28:32] in self.wanted:
                first = announced if announces(frame) else answered
                first.setdefault(frame.data[28:32], frame.time_ns)
        return announced, answered


@contextlib.contextmanager
def _urgent():
    """This thread asks at once, on a core that koid's workers are not on."""
    cores = os.sched_getaffinity(0)
    policy, nice = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setaffinity(0, {_CORE})
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, nice)
        os.sched_setaffinity(0, cores)


def table(samples):
    lines = [f"{'run':>4}{'detection':>11}{'spread':>8}{'announced':>11}{'answered':>10}"
             f"{'after detection':>17}{'longest':>9}{'without':>9}{'before: all':>13}{'client':>8}"
             "   dropped by the survivor"]
    for number, s in enumerate(samples, 1):
        dropped = ", ".join(f"{reason} {n}" for reason, n in sorted(s.dropped.items()))
        lines.append(f"{number:4}{s.detection_ms:11.1f}{s.spread_ms:8.1f}{s.announced_ms:11.1f}"
                     f"{s.answered_ms:10.1f}{s.after_ms:17.1f}{_shown(s.longest_ms):>9}"
                     f"{max(s.unannounced, s.unanswered):9}{s.before_ms:13.1f}{s.client_ms:8.1f}"
                     f"   {dropped or '-'}")
    lines.append("ms from the kill on until all addresses were; detection: the last group's master-down"
                 " time is over,\nspread: from the first group's to it; longest: that any address waited"
                 " after its own group's;\nwithout: addresses not announced or not answered; before: all"
                 " asked of the living box, and\nof that the client's own work")
    complete = [s.longest_ms for s in samples if s.longest_ms is not None]
    median = statistics.median(complete) if complete else None
    reached = sum(s.reached for s in samples)
    lines.append(f"goal: each announced and answered at most {GOAL_MS:g} ms after its group's detection:"
                 f" median {_shown(median)} ms,"
                 f" {'reached' if reached == len(samples) else 'NOT REACHED'} in"
                 f" {reached} of {len(samples)} runs")
    return "\n".join(lines)


def _shown(milliseconds):
    return "-" if milliseconds is None else f"{milliseconds:.1f}"
