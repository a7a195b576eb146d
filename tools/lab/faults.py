"""Random faults of a koi pair under a flood of requests, judged from the packets.

    with Campaign(seed=7, longest_ms=400) as campaign:
        campaign.run(60)
        print(campaign.report())

All that is random comes from the seed: the kinds, whom they befall, how long they last and how long
after the one before they begin. What the machine makes of it is its own.
"""

import contextlib
import dataclasses
import math
import os
import random
import signal
import socket
import time

from . import netns
from .crier import request
from .freeze import Frozen, control_thread, worker_threads
from .judge import MS, Finding, Terms
from .koibox import SHARED, SHARED6
from .network import Lab
from .station import IFACE
from .until import TimedOut
from .watch import Watch

# advskew of the preferred box and of the other one; advbase 0. `tight` is the shortest there is.
TIMERS = {"tight": (0, 1), "quick": (5, 7)}
OWN = {"a": ("192.0.2.2", "2001:db8::2"), "b": ("192.0.2.3", "2001:db8::3")}

# Kind to its share of the faults. See Campaign._control and so on for what they are.
KINDS = {"control": 24, "worker": 18, "stop": 18, "relay": 6, "kill": 6, "cable": 5, "refuse": 5, "flood": 6,
         "hogs": 6, "hog-control": 3, "hog-worker": 3}
EVERYBODYS = ("relay", "flood", "hogs", "hog-control", "hog-worker")  # befall both boxes
SHORTEST_MS = 1
LONGEST_HOG_MS = 50   # SCHED_FIFO: others use these cores too
SETTLE_S = 20
NICE = -15
_ALONE_MS = 40        # only one box answers for so long: it has settled


@dataclasses.dataclass(frozen=True)
class Fault:
    number: int
    kind: str
    owner: bool       # befalls whoever answers, else the other box
    length_ms: float
    after_ms: float   # pause before it

    def __str__(self):
        whom = "both" if self.kind in EVERYBODYS else "owner" if self.owner else "other"
        return (f"{self.number:5} {self.kind:11} {whom:5} {self.length_ms:8.1f} ms,"
                f" after {self.after_ms:5.1f} ms")


def lease_ms(full_ms):
    """L5: less a guard of 5 %, of 10 % under 50 ms, of 1 ms at least."""
    return full_ms - max(full_ms * (0.10 if full_ms < 50 else 0.05), 1)


def plan(seed, count, longest_ms, kinds=None):
    """The faults of a seed. Lengths are log-uniform from 1 ms to longest_ms."""
    dice = random.Random(seed)
    names, weights = zip(*((k, w) for k, w in KINDS.items() if kinds is None or k in kinds))
    out = []
    for number in range(count):
        kind = dice.choices(names, weights)[0]
        length = math.exp(dice.uniform(math.log(SHORTEST_MS), math.log(longest_ms)))
        if kind.startswith("hog-"):
            length = min(length, LONGEST_HOG_MS)
        out.append(Fault(number, kind, dice.random() < 0.7, length, dice.uniform(0, 150)))
    return out


@dataclasses.dataclass
class Freeze:
    """What the owner did whose control thread stood still. Milliseconds from then on."""

    length_ms: float
    last_answer_ms: float          # its own
    heir_ms: float | None = None   # the other box's first answer, if there was one

    def __str__(self):
        heir = "" if self.heir_ms is None else f", the other box from {self.heir_ms:.1f} ms on"
        return (f"frozen for {self.length_ms:.1f} ms it answered for {self.last_answer_ms:.1f}"
                f" ms{heir}")


class Campaign:
    """A lab with the boxes `a` and `b`, up and watched within `with`."""

    def __init__(self, seed, longest_ms, timers="quick", kinds=None, build=None, say=None):
        """kinds: only these. say: called with a line for each fault."""
        self.seed, self.longest_ms, self.kinds = seed, longest_ms, kinds
        self.say = say or (lambda line: None)
        self.freezes, self.done, self._said = [], [], 0
        self._windows = []  # (since, until or None, boxes that are not whole)
        skews = TIMERS[timers]
        preempt = random.Random(seed).random() < 0.5
        lowest = max(skews[0], 1)
        self.lab = Lab(build)
        try:
            self.boxes = {
                name: self.lab.koi(
                    name, own=OWN[name][0], own6=OWN[name][1], node_id=number, advbase=0,
                    advskew=skew, lowest_advskew=skews[0], preempt=preempt,
                    addresses=(SHARED, SHARED6))
                for number, (name, skew) in enumerate(zip("ab", skews), 1)}
            self.lease_ms = lease_ms(3000 * lowest / 256)
            terms = {name: Terms(self.lease_ms, box.groups[0].master_down_ms())
                     for name, box in self.boxes.items()}
            self.watch = Watch(self.lab, self.boxes.values(), terms, (SHARED, SHARED6))
            self.watch.judge.healthy = self._healthy
        except BaseException:
            self.lab.close()
            raise
        self.title = f"seed {seed}, {timers}, preempt {str(preempt).lower()}"

    def __enter__(self):
        # What reads the taps must keep up beside real-time threads and whatever else runs.
        self._nice = os.getpriority(os.PRIO_PROCESS, 0)
        os.setpriority(os.PRIO_PROCESS, 0, min(self._nice, NICE))
        try:
            for box in self.boxes.values():
                box.start()
            self.boxes["a"].wait_role("MASTER", within=6)
            self.boxes["b"].wait_role("BACKUP", within=3)
            self.watch.crier.start()
            self._settle()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        os.setpriority(os.PRIO_PROCESS, 0, self._nice)
        self.lab.close()

    @property
    def judge(self):
        return self.watch.judge

    def run(self, count):
        """Returns the findings."""
        for fault in plan(self.seed, count, self.longest_ms, self.kinds):
            self.watch.rest(fault.after_ms / 1000)
            self._befall(fault)
        self.watch.finish()
        return self.judge.findings

    def report(self):
        j = self.judge
        longest = max(self.freezes, key=lambda f: f.last_answer_ms, default=None)
        margins = [f.heir_ms - f.last_answer_ms for f in self.freezes if f.heir_ms is not None]
        lines = [
            f"{self.title}: {len(self.done)} faults, {sum(j.answers.values())} answers"
            f" ({', '.join(f'{b} {n}' for b, n in sorted(j.answers.items()))})",
            f"  findings {len(j.findings)}; late bursts that no software can help"
            f" {j.late_bursts}",
            f"  both answered for {j.longest_overlap_ms:.3f} ms at most; longest wire delay"
            f" {j.longest_wire_ms:.3f} ms",
            f"  nobody answered for {j.longest_silence_ms:.1f} ms at most; first answer beyond the"
            f" master-down time {_ms(j.worst_takeover_ms)} at most"]
        if longest:
            lines.append(
                f"  control frozen, {len(self.freezes)} owners: the longest answered for"
                f" {longest.last_answer_ms:.1f} ms, the lease is {self.lease_ms:.1f} ms;"
                f" the other box's first answer came {_ms(min(margins, default=None))} after the"
                " last of the frozen one at least")
        return "\n".join(lines + [f"  {finding}" for finding in j.findings])

    # One fault.

    def _befall(self, fault):
        owner = self._owner()
        name = owner if fault.owner else next(n for n in self.boxes if n != owner)
        whom = set(self.boxes) if fault.kind in EVERYBODYS else {name}
        window = [time.time_ns(), None, whom]
        self._windows = self._windows[-50:] + [window]
        began = time.time_ns()
        getattr(self, "_" + fault.kind.replace("-", "_"))(self.boxes[name], fault.length_ms / 1000)
        self._settle()
        window[1] = time.time_ns()
        if fault.kind == "control" and fault.owner:
            self._note_freeze(name)
        self.done.append(fault)
        self.say(f"{fault}  {name}, {(window[1] - began) / 1e9:.2f} s in all"
                 + "".join(f"\n      {f}" for f in self.judge.findings[self._said:]))
        self._said = len(self.judge.findings)

    def _owner(self):
        found = [box for boxes in self.watch.answerers(_ALONE_MS).values() for box in boxes]
        return found[0] if found else "a"

    def _settle(self):
        """Waits until one and the same box answers for all addresses."""
        end = time.monotonic() + SETTLE_S
        while True:
            self.watch.rest(0.01)
            boxes = list(self.watch.answerers(_ALONE_MS).values())
            if all(b == boxes[0] and len(b) == 1 for b in boxes):
                return
            if time.monotonic() > end:
                if not self.watch.crier.running():
                    raise RuntimeError("the clients have ended")
                said = {n: b.status() and b.slot() for n, b in self.boxes.items()}
                self.judge.findings.append(Finding(
                    "I2", time.time_ns(), "-", SETTLE_S * 1000,
                    f"{SETTLE_S} s later not one box answers: {boxes}; {said}"))
                raise TimedOut(str(self.judge.findings[-1]))

    def _healthy(self, since_ns, until_ns, heir):
        """Nothing befell the heir since the last claims before that silence."""
        since_ns -= 500 * MS
        return not any(heir in boxes and began < until_ns and (ended is None or ended > since_ns)
                       for began, ended, boxes in self._windows)

    def _note_freeze(self, name):
        since, until_ns = self._frozen.since_ns, self._frozen.until_ns
        mine = [t for t, what, box, _ in self.watch.recent
                if what == "answer" and box == name and since < t < until_ns]
        other = [t for t, what, box, _ in self.watch.recent
                 if what == "answer" and box != name and since < t]
        last = max(mine, default=since)
        # Whether the other took over in that time; later it is another story.
        heir = min(other, default=None)
        took = heir is not None and heir < until_ns
        self.freezes.append(Freeze((until_ns - since) / MS, (last - since) / MS,
                                   (heir - since) / MS if took else None))

    def _frozen_for(self, thread, seconds):
        self._frozen = Frozen(thread).freeze()
        try:
            self.watch.rest(seconds)
        finally:
            self._frozen.thaw()

    # The kinds. The other box is untouched, but by those of EVERYBODYS.

    def _control(self, box, seconds):
        """The control thread stands still."""
        self._frozen_for(control_thread(box.process.pid), seconds)

    def _worker(self, box, seconds):
        """A worker stands still."""
        self._frozen_for(worker_threads(box.process.pid)[0], seconds)

    def _stop(self, box, seconds):
        """The whole process stands still."""
        box.freeze()
        try:
            self.watch.rest(seconds)
        finally:
            box.thaw()

    def _relay(self, _, seconds):
        """The owner stands still until the other one answers; then that one's control does, and
        the first is let go. If it preempts, its claims must silence the other's workers (L7)."""
        first = self._owner()
        heir = next(n for n in self.boxes if n != first)
        self.boxes[first].freeze()
        try:
            end = time.monotonic() + 2
            while time.monotonic() < end and heir not in set().union(
                    *self.watch.answerers(5).values()):
                self.watch.rest(0.005)
            frozen = Frozen(control_thread(self.boxes[heir].process.pid)).freeze()
        finally:
            self.boxes[first].thaw()
        try:
            self.watch.rest(seconds)
        finally:
            frozen.thaw()

    def _kill(self, box, seconds):
        """SIGKILL, and a new start after that time at most a second later."""
        box.kill()
        self.watch.rest(min(seconds, 1))
        box.launch()
        end = time.monotonic() + 15
        while not box.status():
            self.watch.poll()
            if time.monotonic() > end:
                raise TimedOut(f"{box.name} does not start; its log:\n{box.log_text()[-2000:]}")

    def _cable(self, box, seconds):
        """The cable is pulled at the switch."""
        box.plug(False)
        try:
            self.watch.rest(seconds)
        finally:
            box.plug(True)

    def _refuse(self, box, seconds):
        """The box's own interface takes no frame (which net_af_packet does not tell)."""
        began = time.time_ns()
        netns.set_link(box.namespace, IFACE, False)
        self.judge.refuses(box.name, began, time.time_ns())
        try:
            self.watch.rest(seconds)
        finally:
            netns.set_link(box.namespace, IFACE, True)

    def _flood(self, _, seconds):
        """As many requests as one core can send: the receive rings and their buffers overflow."""
        with netns.inside(self.lab.client.namespace):
            out = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            out.bind((IFACE, 0))
        frame = bytearray(request("192.0.2.251", 0))  # which no box has
        frame[6:12] = frame[22:28] = b"\x02\x00\x00\x00\x02\x01"  # not one the judge looks at

        def send():
            for _ in range(64):
                with contextlib.suppress(OSError):
                    out.send(frame)
        with out:
            self._with_children(seconds, [_child(seconds, send)])

    def _hogs(self, _, seconds):
        """Two ordinary programs on each core that never sleep."""
        self._hogging(seconds, 2 * len(os.sched_getaffinity(0)), None, 0)

    def _hog_control(self, _, seconds):
        """A real-time program on the core of control, above it."""
        self._hogging(seconds, 1, 0, 60)

    def _hog_worker(self, _, seconds):
        """The same on the workers' core."""
        self._hogging(seconds, 1, 1, 60)

    def _hogging(self, seconds, count, core, priority):
        self._with_children(seconds, [_child(seconds, _nothing, core, priority)
                                      for _ in range(count)])

    def _with_children(self, seconds, children):
        try:
            self.watch.rest(seconds)
        finally:
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _ms(value):
    return "-" if value is None else f"{value:.1f} ms"


def _nothing():
    for _ in range(1000):
        pass


def _child(seconds, act, core=None, priority=0):
    """A child that does that all the time, and ends by itself. Returns its id."""
    child = os.fork()
    if child:
        return child
    try:
        end = time.monotonic() + seconds
        os.setpriority(os.PRIO_PROCESS, 0, 0)
        if core is not None:
            os.sched_setaffinity(0, {core})
        if priority:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
        while time.monotonic() < end:
            act()
    finally:
        os._exit(0)
