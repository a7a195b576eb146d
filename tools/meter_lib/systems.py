"""What is measured: pairs of boxes of one kind, each in a lab of its own, and what befalls them.

Both boxes of a pair are as quick as their program lets them be, nobody preempts, and a fault befalls
whoever answers. A pair runs only while it is measured, so that it costs the others nothing.
"""

import contextlib
import os
import re
import signal
import time

from lab import Lab, netns, until
from lab.crier import MAC_PREFIX, Crier
from lab.freeze import Frozen, control_thread, worker_threads
from lab.koibox import SHARED
from lab.station import IFACE
from lab.wire import Tap, filtered

OWN = {"a": "192.0.2.2", "b": "192.0.2.3"}
PERIOD_US = 250   # between two of the client's requests
FAULTS = {
    "kill": "SIGKILL of the program",
    "death": "the whole box dies: its cable goes dark and its program is killed",
    "control": "koid's control thread stands still; of others the program does (SIGSTOP)",
    "worker": "koid's worker stands still",
    "link": "the cable is pulled",
    "planned": "koictl handover; of others SIGTERM",
}
_REALTIME = 50    # keepalived's priority: koid's control thread has it
_SNAP = 96        # bytes of a frame that say what it is
_ALONE_S = 0.1    # only one box answers for so long: it has settled
_VRRP_AND_CARP = 112


class Pair:
    """The boxes `a` and `b`, a client that asks every PERIOD_US, and taps that see it all."""

    faults = tuple(FAULTS)

    def __init__(self, name, interval_ms, build=None):
        """interval_ms: between advertisements."""
        self.name, self.interval_ms = name, interval_ms
        self.within = 5 + 6 * interval_ms / 1000  # seconds in which it takes over, and settles
        self.lab = Lab(build)
        try:
            self.boxes = [self._box(name, own) for name, own in OWN.items()]
            self.observer = self.lab.observer(*self.boxes, snap=_SNAP)
            macs = ((6, MAC_PREFIX[:4]), (10, MAC_PREFIX[4:]))
            self.asked = self.lab.keep_open(
                Tap(self.lab.switch, self.lab.client.switch_port(),
                    only=filtered(*macs, length=_SNAP)))
            self._crier = self.lab.keep_open(
                Crier(self.lab.client.namespace, IFACE, [SHARED], PERIOD_US))
        except BaseException:
            self.lab.close()
            raise

    def close(self):
        self.lab.close()

    def up(self):
        for box in self.boxes:
            box.start()
        self._crier.start()
        self.settled()

    def down(self):
        """Whatever state they are in."""
        self._crier.close()
        for box in self.boxes:
            self._kill(box)
            self._clean(box)
            box.plug(True)

    def settled(self):
        """Waits until one box answers and the other knows it. Returns (owner, other)."""
        def found():
            self.observer.clear()
            self.asked.frames()
            time.sleep(_ALONE_S)
            speaking = {a.box for a in self.observer.answers(SHARED)}
            if len(speaking) != 1:
                return None
            owner, other = sorted(self.boxes, key=lambda b: b.name not in speaking)
            return (owner, other) if self._knows(owner, other) else None
        return until(lambda: f"{self.name}: one box that answers, the other knows it; their logs:\n"
                     + "\n".join(b.log_text()[-800:] for b in self.boxes), found,
                     2 * self.within, every=0)

    @contextlib.contextmanager
    def fault(self, kind, box):
        """It befalls the box; at the end of the block it is mended."""
        with getattr(self, "_fault_" + kind)(box):
            yield

    @contextlib.contextmanager
    def _fault_kill(self, box):
        self._kill(box)
        yield
        self._again(box)

    @contextlib.contextmanager
    def _fault_death(self, box):
        box.plug(False)
        self._kill(box)
        yield
        self._clean(box)
        box.plug(True)
        self._again(box)

    @contextlib.contextmanager
    def _fault_link(self, box):
        box.plug(False)
        yield
        box.plug(True)

    @contextlib.contextmanager
    def _fault_control(self, box):
        self._signal(box, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(box, signal.SIGCONT)

    @contextlib.contextmanager
    def _fault_planned(self, box):
        box.process.terminate()
        yield
        box.process.wait(5)
        self._again(box)

    def _again(self, box):
        self._clean(box)
        box.start()

    @staticmethod
    def _signal(box, number):
        """To all its processes at once: they are one group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(box.process.pid, number)

    def _kill(self, box):
        if box.process and box.process.poll() is None:
            self._signal(box, signal.SIGKILL)
            box.process.wait()

    def _clean(self, box):
        """A killed program leaves the address behind."""
        with contextlib.suppress(netns.CommandFailed):
            netns.run("ip", "-n", box.namespace, "addr", "del", f"{SHARED}/32", "dev", IFACE)

    def _advertised(self, box, count, since_ns):
        return len(self.observer.frames(
            box.name, since_ns, lambda f: f.ip_protocol() == _VRRP_AND_CARP)) >= count

    def _states_then_hears(self, owner, other, state):
        """Both say who they are, and the owner has advertised twice since."""
        if (state(owner), state(other)) != ("MASTER", "BACKUP"):
            return False
        since = time.time_ns()
        until(lambda: f"{self.name}: two advertisements of {owner.name}",
              lambda: self._advertised(owner, 2, since), self.within)
        return True


class KoiPair(Pair):
    def __init__(self, advbase, build=None):
        self._advbase = advbase
        super().__init__(f"koi-{advbase}", 1000 * advbase or 1000 / 256, build)

    def _box(self, name, own):
        """advskew 0 and 1."""
        number = len(self.lab.stations)
        return self.lab.koi(name, own=own, node_id=number, advbase=self._advbase,
                            advskew=number - 1, lowest_advskew=0)

    def _clean(self, box):
        """The address is in no kernel."""

    def _knows(self, owner, other):
        slot = other.slot()
        return (slot and slot["role"] == "BACKUP" and owner.role() == "MASTER"
                and (slot["master"] or {}).get("address") == owner.own)

    @contextlib.contextmanager
    def _fault_control(self, box):
        with self._frozen(control_thread(box.process.pid)):
            yield

    @contextlib.contextmanager
    def _fault_worker(self, box):
        with self._frozen(worker_threads(box.process.pid)[0]):
            yield

    @contextlib.contextmanager
    def _fault_planned(self, box):
        box.ctl_ok("handover", box.groups[0].name)
        yield

    @contextlib.contextmanager
    def _frozen(self, thread):
        frozen = Frozen(thread).freeze()
        try:
            yield
        finally:
            frozen.thaw()


class KeepalivedPair(Pair):
    """VRRPv3, priorities 254 and 253: the shortest wait for an interval."""

    faults = tuple(f for f in FAULTS if f != "worker")

    def __init__(self, interval_ms, build=None):
        super().__init__("keepalived-" + ("10ms" if interval_ms == 10 else "1s"), interval_ms, build)

    def _box(self, name, own):
        return self.lab.keepalived(
            name, own, instances=[(3, 1, SHARED)], priority=255 - len(self.lab.stations),
            advert_s=self.interval_ms / 1000, preempt=False, realtime=_REALTIME)

    def _knows(self, owner, other):
        return self._states_then_hears(owner, other, lambda box: box.state())


class UcarpPair(Pair):
    """advbase 1, advskew 0 and 1."""

    faults = KeepalivedPair.faults

    def __init__(self, build=None):
        super().__init__("ucarp", 1000, build)

    def _box(self, name, own):
        return self.lab.ucarp(name, own, advskew=len(self.lab.stations) - 1)

    def _knows(self, owner, other):
        def state(box):
            found = re.findall(r"Switching to state: (\w+)", box.log_text())
            return found[-1] if found else None
        return self._states_then_hears(owner, other, state)


SYSTEMS = {
    "koi-0": lambda build: KoiPair(0, build),
    "koi-1": lambda build: KoiPair(1, build),
    "keepalived-10ms": lambda build: KeepalivedPair(10, build),
    "keepalived-1s": lambda build: KeepalivedPair(1000, build),
    "ucarp": UcarpPair,
}
