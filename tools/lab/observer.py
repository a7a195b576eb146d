"""Who answered when: a tap on each switch port keeps every frame that the box on it sent."""

import bisect
import dataclasses

from .wire import Tap


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    time_ns: int
    box: str
    kind: str  # "arp", "nd" or "echo"


class Observer:
    """Reads lazily: the kernel stamps the frames, read() collects them. Not thread-safe."""

    def __init__(self, switch, ports, snap=None):
        """ports: the box's name to the switch port that it is on. snap: as a Tap's."""
        self._taps = {box: Tap(switch, port, snap=snap) for box, port in ports.items()}
        self._frames = {port: [] for port in ports}

    def close(self):
        for tap in self._taps.values():
            tap.close()

    def read(self):
        """Takes what the kernel holds; call at least every few seconds while probes run."""
        for port, tap in self._taps.items():
            self._frames[port] += tap.frames()

    def clear(self):
        """Forgets everything so far."""
        for port, tap in self._taps.items():
            tap.frames()
            self._frames[port] = []

    def frames(self, port, since_ns=0, wanted=lambda frame: True):
        """What the box on that port sent since then, oldest first."""
        self.read()
        start = bisect.bisect_left(self._frames[port], since_ns, key=lambda f: f.time_ns)
        return [f for f in self._frames[port][start:] if wanted(f)]

    def adverts(self, port, since_ns=0):
        """The advertisements the box sent: (time in ns, 36 header bytes)."""
        return [(f.time_ns, f.carp()) for f in self.frames(port, since_ns) if f.carp()]

    def announcements(self, port, address, since_ns=0):
        return self.frames(port, since_ns, lambda f: f.is_announcement(address))

    def answers(self, address, since_ns=0):
        """Every answer any box gave for the address since then, oldest first."""
        out = []
        for port in self._taps:
            for frame in self.frames(port, since_ns):
                found = frame.answer_for()
                if found and found[0] == address:
                    out.append(Answer(frame.time_ns, port, found[1]))
        return sorted(out, key=lambda a: a.time_ns)


def last_answer(answers, box):
    """When the box answered last, in ns: where an outage begins."""
    return max(a.time_ns for a in answers if a.box == box)


def overlap_ms(answers, brief_ms=50):
    """For how long two boxes answered in turns: 0.0 when each change of owner was clean.

    Answers are grouped into runs of one box. Between two lasting owners there may be brief runs
    (under brief_ms): A A A B A B B B has the brief runs B and A, and the overlap lasts from the
    first B to the last A.
    """
    runs = []  # [box, first, last]
    for answer in answers:
        if runs and runs[-1][0] == answer.box:
            runs[-1][2] = answer.time_ns
        else:
            runs.append([answer.box, answer.time_ns, answer.time_ns])
    worst, began = 0, None
    for i in range(1, len(runs) - 1):
        box, first, last = runs[i]
        if last - first >= brief_ms * 1_000_000:
            began = None
            continue
        if began is None:
            began, owner = first, runs[i - 1][0]
        end = last if box == owner else runs[i + 1][1]
        worst = max(worst, end - began)
    return worst / 1e6
